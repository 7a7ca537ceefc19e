"""How much all copies of a directory take, and which of them go when that is too much: those used least recently."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lens_perf.errors import ResultTooLargeError
from lens_perf.instrumentation import metrics
from lens_perf.performance.columns.directory_store import LOCK, MANIFEST, USED, prepare_directory
from lens_perf.performance.columns.locks import hold_lock

# A process adds what it writes itself, and counts the copies of all at least every so many seconds.
COUNT_SECONDS = 10.0


class Use(NamedTuple):
    """A copy's directory, its bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used_at: float


def list_uses(root: Path) -> Iterator[Use]:
    """Yield the copies under ``root``: two calls to the system for each. Raises OSError."""
    with os.scandir(root) as entries:
        for entry in entries:
            path = Path(entry.path)
            try:
                found = (path / USED).stat()
            except OSError:
                continue
            yield Use(path, found.st_size, found.st_mtime)


def remove_copy(path: Path) -> bool:
    """Remove the copy in ``path``; return whether it was there and no process was writing to it."""
    if not path.is_dir():
        return False
    with hold_lock(path / LOCK, 0.0) as lock:
        if lock is None:
            return False
        # First, so that no process starts to read what is half removed.
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
    return True


class Evictor:
    """Keeps the copies under ``root`` within ``limit`` bytes."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._lock = threading.Lock()
        self._written = 0
        self._total = 0
        self._counted_at = float("-inf")

    def reserve(self, size: int, written: int) -> None:
        """Take note of ``size`` bytes written, and remove other copies where the limit is passed.

        Raises ResultTooLargeError where the ``written`` bytes of one copy alone pass it.
        """
        if written > self._limit:
            raise ResultTooLargeError(
                "The copy of this workload would be larger than all copies may be: raise columns.max_gib, or name the"
                " metrics that are wanted"
            )
        with self._lock:
            self._written += size
            due = time.monotonic() - self._counted_at > COUNT_SECONDS
            # Other processes write, too: near the limit each one counts more often.
            if due or self._total + 4 * self._written > self._limit:
                self._evict()

    def _evict(self) -> None:
        prepare_directory(self._root)
        uses = sorted(list_uses(self._root), key=lambda use: use.used_at)
        total = sum(use.size for use in uses)
        for use in uses:
            if total <= self._limit:
                break
            if remove_copy(use.path):
                total -= use.size
                metrics.count_copy_eviction()
        self._total, self._written, self._counted_at = total, 0, time.monotonic()
        metrics.set_copy_bytes(total)
