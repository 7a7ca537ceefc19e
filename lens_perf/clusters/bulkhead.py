"""Bounds on what runs at once, so that one cluster or one kind of read never takes every thread of a process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lens_perf.errors import ClusterSaturatedError


class Bulkhead:
    """At most ``size`` at once; up to ``waiting`` more wait for ``wait_seconds``, all others are refused at once."""

    def __init__(self, size: int, refusal: str, *, waiting: int = 0, wait_seconds: float = 0.0) -> None:
        self._refusal = refusal
        self._slots = threading.BoundedSemaphore(size)
        self._waiting = threading.BoundedSemaphore(waiting) if waiting > 0 else None
        self._wait_seconds = wait_seconds

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Hold a slot for the length of the block. Raises ClusterSaturatedError if none is to be had."""
        if not (self._slots.acquire(blocking=False) or self._wait()):
            raise ClusterSaturatedError(self._refusal)
        try:
            yield
        finally:
            self._slots.release()

    def _wait(self) -> bool:
        if self._waiting is None or not self._waiting.acquire(blocking=False):
            return False
        try:
            return self._slots.acquire(timeout=self._wait_seconds)
        finally:
            self._waiting.release()


def share_of_threads(threads: int, clusters: int) -> int:
    """Return how many requests one cluster may have at once: all, or half where there are others to be kept alive."""
    return threads if clusters == 1 else max(1, threads // 2)
