"""Limits on concurrency, so that one cluster or one kind of read never occupies all threads of a process."""

import threading
import time
from collections.abc import Callable
from types import TracebackType

from lens_perf.errors import ClusterSaturatedError

# A slot held for less time may be free in a moment; one held for longer belongs to something slow.
WAIT_SECONDS = 0.25


class Bulkhead:
    """At most ``size`` concurrent holders.

    Up to ``waiting`` more wait for ``wait_seconds``, but only if a slot was taken within that time: short queries
    always pass, and no thread waits behind slow ones.
    """

    def __init__(self, size: int, waiting: int, refusal: str, wait_seconds: float = WAIT_SECONDS) -> None:
        self._size = size
        self._waiting = waiting
        self._refusal = refusal
        self._wait_seconds = wait_seconds
        self._changed = threading.Condition()
        self._held_since: dict[object, float] = {}

    def enter(self, on_refusal: Callable[[], None]) -> "Slot":
        """Hold a slot during a block. If none is free, call ``on_refusal`` and raise ClusterSaturatedError."""
        return Slot(self, on_refusal)

    def take(self, slot: "Slot") -> None:
        """Take a slot. Raises ClusterSaturatedError if none is free."""
        with self._changed:
            has_slot = len(self._held_since) < self._size or self._wait()
            if has_slot:
                self._held_since[slot] = time.monotonic()
        if not has_slot:
            raise ClusterSaturatedError(self._refusal)

    def give_back(self, slot: "Slot") -> None:
        """Free the slot."""
        with self._changed:
            del self._held_since[slot]
            self._changed.notify()

    def _wait(self) -> bool:
        """Wait for a slot unless all are held by something slow; return whether one is free."""
        if self._waiting <= 0 or time.monotonic() - max(self._held_since.values()) > self._wait_seconds:
            return False
        self._waiting -= 1
        try:
            return self._changed.wait_for(lambda: len(self._held_since) < self._size, self._wait_seconds)
        finally:
            self._waiting += 1


class Slot:
    """A slot held during a block. A class, because contextlib's generators take a tenth of the time of a small read."""

    __slots__ = ("_bulkhead", "_on_refusal")

    def __init__(self, bulkhead: Bulkhead, on_refusal: Callable[[], None]) -> None:
        self._bulkhead = bulkhead
        self._on_refusal = on_refusal

    def __enter__(self) -> None:
        try:
            self._bulkhead.take(self)
        except ClusterSaturatedError:
            self._on_refusal()
            raise

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._bulkhead.give_back(self)


def share_of_threads(threads: int, clusters: int) -> int:
    """Return how many requests one cluster may have at once: all threads, or half of them with several clusters."""
    return threads if clusters == 1 else max(1, threads // 2)
