"""The directory in which gunicorn's processes keep their metrics; used by config/gunicorn.conf.py.

prometheus_client looks at the variable once, when it is imported: nothing here may import it before that is set.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
OWN_PREFIX = "lens_perf-metrics-"
# Every request writes to these files: in memory that costs a tenth of a request less.
MEMORY = "/dev/shm"  # noqa: S108 - mkdtemp makes a private directory there
# gunicorn's own word to the successor that it starts on USR2.
PREDECESSOR_VARIABLE = "GUNICORN_PID"
# Whose directory it is: gunicorn runs its settings again at each reload, and hands its environment to a successor.
_prepared_by: int | None = None


def prepare_directory() -> Path:
    """Return this master's directory, empty, and name it in the environment; a private one where none is given.

    Within one process only the first call empties anything: at a reload the files are those of live workers.
    """
    global _prepared_by  # noqa: PLW0603 - a fact about the process
    given = os.environ.get(DIRECTORY_VARIABLE)
    if given and _prepared_by == os.getpid():
        return Path(given)
    _prepared_by = os.getpid()
    if given and not Path(given).name.startswith(OWN_PREFIX):
        return _empty(Path(given))
    directory = Path(tempfile.mkdtemp(prefix=OWN_PREFIX, dir=_choose_parent()))
    os.environ[DIRECTORY_VARIABLE] = str(directory)
    atexit.register(_remove, directory, os.getpid())
    return directory


def _choose_parent() -> str | None:
    """Return where to make the directory: in memory, unless TMPDIR says where, or None for the usual place."""
    return None if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK) else MEMORY


def forget_worker(pid: int) -> None:
    """Drop the gauges of a worker that has ended; what it has counted stays."""
    from prometheus_client.multiprocess import mark_process_dead  # noqa: PLC0415 - see the module's docstring

    mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _empty(directory: Path) -> Path:
    """Create ``directory`` or remove what an earlier master left in it; a predecessor still at work keeps its files."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if PREDECESSOR_VARIABLE not in os.environ:
        for file in directory.glob("*.db"):
            file.unlink()
    return directory


def _remove(directory: Path, owner: int) -> None:
    """Remove the directory when the master ends; its workers, forked from it, leave by the same door."""
    if os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
