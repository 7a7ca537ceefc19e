"""Reports a failing temporary file as a temporary lack of space instead of an error of the service."""

import errno
import logging

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
MESSAGE = "The service has no room for large answers now; ask for less, or try again later"


def raise_if_no_room(failure: BaseException | None) -> None:
    """Raise TemporarySpaceError if ``failure`` is that of a temporary file that cannot be made or written."""
    if isinstance(failure, OSError) and failure.errno in NO_ROOM:
        log.error("the temporary directory cannot take an answer: %s", errno.errorcode[failure.errno])
        raise TemporarySpaceError(MESSAGE) from None
