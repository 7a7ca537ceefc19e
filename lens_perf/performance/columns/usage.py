"""Measures the size of the copies in a directory, and removes the least recently used ones above a limit."""

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

# A process adds the sizes of the parts that it writes. When it uses a copy after this many seconds, it measures all of
# them.
COUNT_SECONDS = 10.0


class Use(NamedTuple):
    """The directory of a copy, its size in bytes, and when it was last used, in seconds since 1970."""

    path: Path
    size: int
    used_at: float


def list_uses(root: Path) -> Iterator[Use]:
    """Yield the copies under ``root``, with one stat call for each. Raises OSError."""
    with os.scandir(root) as entries:
        for entry in entries:
            path = Path(entry.path)
            try:
                found = (path / USED).stat()
            except OSError:
                continue
            yield Use(path, found.st_size, found.st_mtime)


def remove_copy(path: Path) -> bool:
    """Remove the copy in ``path``; return False if there is none, or if a process is writing to it."""
    if not path.is_dir():
        return False
    with hold_lock(path / LOCK, 0.0) as lock:
        if lock is None:
            return False
        # The manifest is first, so that no process opens a partly removed copy.
        (path / MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(path, ignore_errors=True)
    return True


class Evictor:
    """Limits the copies under ``root`` to ``limit`` bytes."""

    def __init__(self, root: Path, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._lock = threading.Lock()
        self._written = 0
        self._total = 0
        self._counted_at = float("-inf")

    def reserve(self, size: int, written: int) -> None:
        """Add ``size`` bytes to the total, and remove the least recently used copies if it exceeds the limit.

        Raises OSError, and ResultTooLargeError if the ``written`` bytes of a single copy exceed the limit.
        """
        if written > self._limit:
            raise ResultTooLargeError(
                "The copy of this workload would exceed the limit of all copies: raise columns.max_gib, or request"
                " fewer metrics by name"
            )
        with self._lock:
            self._written += size
            # Other processes write too, so near the limit all copies are measured more often.
            if self._is_due() or self._total + 4 * self._written > self._limit:
                self._evict()

    def measure(self) -> None:
        """Measure all copies, unless that was done less than COUNT_SECONDS ago. Raises OSError."""
        with self._lock:
            if self._is_due():
                self._evict()

    def _is_due(self) -> bool:
        return time.monotonic() - self._counted_at > COUNT_SECONDS

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
