"""Bounds on what runs at once, so that one cluster or one kind of read never takes every thread of a process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lens_perf.errors import ClusterSaturatedError

# A place that is held for less may be free in a moment; one that is held for longer is held by something slow.
PATIENCE_SECONDS = 0.25


class Bulkhead:
    """At most ``size`` at once.

    Up to ``waiting`` more wait, for ``patience`` seconds and only while a place was taken within that time: quick
    questions go through at any rate, and behind slow ones nobody waits who would hold a thread by it.
    """

    def __init__(self, size: int, waiting: int, refusal: str, patience: float = PATIENCE_SECONDS) -> None:
        self._size = size
        self._waiting = waiting
        self._refusal = refusal
        self._patience = patience
        self._changed = threading.Condition()
        self._held_since: dict[object, float] = {}

    @contextmanager
    def enter(self, on_refusal: Callable[[], None]) -> Iterator[None]:
        """Hold a place for the length of the block. Raises ClusterSaturatedError, and tells so, if there is none."""
        place = object()
        with self._changed:
            has_place = len(self._held_since) < self._size or self._wait()
            if has_place:
                self._held_since[place] = time.monotonic()
        if not has_place:
            on_refusal()
            raise ClusterSaturatedError(self._refusal)
        try:
            yield
        finally:
            with self._changed:
                del self._held_since[place]
                self._changed.notify()

    def _wait(self) -> bool:
        """Wait for a place, if there is hope; tell whether there is one now."""
        if self._waiting <= 0 or time.monotonic() - max(self._held_since.values()) > self._patience:
            return False
        self._waiting -= 1
        try:
            return self._changed.wait_for(lambda: len(self._held_since) < self._size, self._patience)
        finally:
            self._waiting += 1


def share_of_threads(threads: int, clusters: int) -> int:
    """Return how many requests one cluster may have at once: all, or half where there are others to be kept alive."""
    return threads if clusters == 1 else max(1, threads // 2)
