"""Keeps copies for this process only, up to a size, while the directory of copies cannot be used."""

import threading
import time

from lens_perf.errors import ClusterSaturatedError, ResultTooLargeError
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.columns.private_store import PrivateStore

MEBIBYTE = 1024 * 1024
# A copy that has not been used for so long is removed: probably the directory is being used again.
IDLE_SECONDS = 300.0


class PrivateCopies:
    """Private stores by key, at most ``limit_mib`` MiB in total. Safe to use from several threads."""

    def __init__(self, limit_mib: int) -> None:
        self._limit = limit_mib * MEBIBYTE
        self._limit_mib = limit_mib
        self._lock = threading.Lock()
        self._stores: dict[CopyKey, PrivateStore] = {}

    def get(self, key: CopyKey) -> PrivateStore:
        """Return the store of ``key``; create it if it does not exist."""
        with self._lock:
            self._remove_idle()
            if key not in self._stores:
                self._stores[key] = PrivateStore(lambda size, own: self._reserve(key, size, own))
            return self._stores[key]

    def drop(self, key: CopyKey) -> None:
        """Remove the copy of ``key``, unless there is none or a thread is writing to it."""
        with self._lock:
            self._remove(key)

    def _remove(self, key: CopyKey) -> None:
        if key in self._stores and self._stores[key].remove_if_free():
            del self._stores[key]

    def _remove_idle(self) -> None:
        for key, store in list(self._stores.items()):
            if time.monotonic() - store.used_at > IDLE_SECONDS:
                self._remove(key)

    def _reserve(self, key: CopyKey, size: int, own: int) -> None:
        """Reserve ``size`` bytes for ``key``, and remove the least recently used copies if necessary.

        If the space is taken up by copies that other threads are writing, only the largest of all may continue, beyond
        the limit until the others have been discarded. Raises ResultTooLargeError if ``own``, the resulting size of the
        copy, exceeds the limit, and ClusterSaturatedError if a larger copy is being written.
        """
        if own > self._limit:
            raise ResultTooLargeError(
                f"The directory of copies cannot be used, and without it this workload needs more than the"
                f" {self._limit_mib} MiB of columns.private_mib: request fewer metrics by name"
            )
        with self._lock:
            others = sorted((each for each in self._stores if each != key), key=lambda each: self._stores[each].used_at)
            while others and self._total() + size > self._limit:
                self._remove(others.pop(0))
            is_full = self._total() + size > self._limit
            if is_full and any((store.size, other) > (own - size, key) for other, store in self._stores.items()):
                raise ClusterSaturatedError(
                    "There is no space for this workload while others are being read; try again in a moment"
                )

    def _total(self) -> int:
        return sum(store.size for store in self._stores.values())
