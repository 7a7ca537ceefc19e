"""A lock file that one thread of all processes of the host holds at a time, and in which it shows its progress."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.01


@contextmanager
def hold_lock(path: Path, wait_until: float) -> Iterator[int | None]:
    """Hold the lock file ``path``, made where it is missing; yields its descriptor, None if others held it too long.

    The lock goes with the process. Raises OSError where the file cannot be made.
    """
    descriptor = _acquire(path, wait_until)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _acquire(path: Path, wait_until: float) -> int | None:
    while True:
        # Removing a copy removes the directory with the lock.
        with suppress(FileExistsError):
            path.parent.mkdir(mode=0o700)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileNotFoundError:
            continue  # it was removed in between
        locked = False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who waited for a file that was then removed holds nothing.
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
