"""A lock file, which one thread of the host holds at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.01


@contextmanager
def hold_lock(path: Path, wait_until: float) -> Iterator[int | None]:
    """Hold the lock file ``path`` and yield its descriptor; None if another thread holds it until ``wait_until``.

    ``wait_until`` is a time of ``time.monotonic``. A missing file is created. The lock is released when the process
    ends. Raises OSError if the file cannot be created.
    """
    descriptor = _acquire(path, wait_until)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _acquire(path: Path, wait_until: float) -> int | None:
    while True:
        # Another process may have removed the copy with its directory.
        with suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # it was removed in between
        locked = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # If the file has been removed in the meantime, this lock protects nothing.
            locked = _is_at(path, descriptor)
            if locked:
                return descriptor
        except BlockingIOError:
            pass
        finally:
            if not locked:
                os.close(descriptor)
        if time.monotonic() >= wait_until:
            return None
        time.sleep(POLL_SECONDS)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    opened = os.fstat(descriptor)
    return (named.st_ino, named.st_dev) == (opened.st_ino, opened.st_dev)
