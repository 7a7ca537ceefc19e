"""Reports a failing temporary file as a temporary lack of space instead of an error of the service."""

import errno
import logging
import re

from lens_perf.errors import TemporarySpaceError

log = logging.getLogger(__name__)

# No space, quota or size left; no usable directory; no descriptor left.
NO_ROOM = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EACCES,
        errno.ENOENT,
        errno.EMFILE,
        errno.ENFILE,
    }
)
# polars raises OSError without errno, with the text of Rust's io::Error.
RUST_ERROR = re.compile(r"\(os error ([0-9]+)\)$")
MESSAGE = "The service has no room for large answers now; ask for less, or try again later"


def raise_if_no_room(failure: BaseException | None) -> None:
    """Raise TemporarySpaceError if ``failure`` is that of a temporary file that cannot be made or written."""
    number = find_errno(failure) if isinstance(failure, OSError) else None
    if number in NO_ROOM:
        log.error("the temporary directory cannot take an answer: %s", errno.errorcode[number])
        raise TemporarySpaceError(MESSAGE) from None


def find_errno(failure: OSError) -> int | None:
    """Return the errno of a failure, also of one that polars reports as text."""
    if failure.errno is None and (found := RUST_ERROR.search(str(failure))):
        return int(found[1])
    return failure.errno
