"""Reports the failure of a temporary file as a lack of space, not as an internal error."""

import errno
import logging
import re

from lens_perf.errors import TemporarySpaceError

log = logging.getLogger(__name__)

# Disk full, quota or file size exceeded; no usable directory; too many open files.
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
MESSAGE = "The service has no room for large answers now; request less data, or try again later"


def raise_if_no_room(failure: BaseException | None) -> None:
    """Raise TemporarySpaceError if ``failure`` means that a temporary file cannot be created or written."""
    number = find_errno(failure) if isinstance(failure, OSError) else None
    if number in NO_ROOM:
        log.error("cannot write an answer to the temporary directory: %s", errno.errorcode[number])
        raise TemporarySpaceError(MESSAGE) from None


def find_errno(failure: OSError) -> int | None:
    """Return the errno of ``failure``, from its text if polars raised it."""
    if failure.errno is None and (found := RUST_ERROR.search(str(failure))):
        return int(found[1])
    return failure.errno
