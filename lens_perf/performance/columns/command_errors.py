"""Reports to the commands that the directory of copies cannot be used, or that a copy is damaged."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lens_perf.errors import CopyDirectoryError, DamagedCopyError
from lens_perf.performance.columns.manifest_cache import UnreadableManifestError
from lens_perf.performance.columns.part_files import DamagedPartError

ADVICE = {
    errno.EACCES: "; run this command as the user of the service",
    errno.ENOSPC: "; free some space on its disk",
    errno.EDQUOT: "; free some space on its disk",
}
REMEDY = "remove it with lens-perf columns drop; the next request builds it again"


@contextmanager
def reports_faults(root: Path) -> Iterator[None]:
    """Raise CopyDirectoryError for an OSError in the block, and DamagedCopyError for a damaged manifest or part."""
    try:
        yield
    except OSError as error:
        reason = f"{error.strerror}{ADVICE.get(error.errno or 0, '')}"
        raise CopyDirectoryError(f"The directory of copies {root} cannot be used: {reason}") from None
    except DamagedPartError:
        raise DamagedCopyError(f"The copy is damaged: {REMEDY}") from None
    except UnreadableManifestError:
        raise DamagedCopyError(
            f"The copy is damaged or was written by another version of the service: {REMEDY}"
        ) from None
