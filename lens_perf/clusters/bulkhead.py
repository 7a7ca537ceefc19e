"""Limits on concurrency, so that one cluster or one kind of read never occupies all threads of a process."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lens_perf.errors import ClusterSaturatedError

# A slot held for less time may be free in a moment; one held for longer belongs to something slow.
PATIENCE_SECONDS = 0.25


class Bulkhead:
    """At most ``size`` concurrent holders.

    Up to ``waiting`` more wait for ``patience`` seconds, but only if a slot was taken within that time: short queries
    always pass, and no thread waits behind slow ones.
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
        """Hold a slot during the block. If none is free, call ``on_refusal`` and raise ClusterSaturatedError."""
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
        """Wait for a slot unless all are held by something slow; return whether one is free."""
        if self._waiting <= 0 or time.monotonic() - max(self._held_since.values()) > self._patience:
            return False
        self._waiting -= 1
        try:
            return self._changed.wait_for(lambda: len(self._held_since) < self._size, self._patience)
        finally:
            self._waiting += 1


def share_of_threads(threads: int, clusters: int) -> int:
    """Return how many requests one cluster may have at once: all threads, or half of them with several clusters."""
    return threads if clusters == 1 else max(1, threads // 2)
