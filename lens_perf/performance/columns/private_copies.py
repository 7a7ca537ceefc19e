"""Keeps copies for this process only, up to a size, while the directory of copies cannot be used."""

import threading
import time

from lens_perf.errors import ResultTooLargeError
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
                self._stores[key] = PrivateStore(lambda size: self._reserve(key, size))
            return self._stores[key]

    def drop(self, key: CopyKey) -> None:
        """Remove the copy of ``key``, if there is one."""
        with self._lock:
            store = self._stores.pop(key, None)
        if store is not None:
            store.remove()

    def _remove_idle(self) -> None:
        for key, store in list(self._stores.items()):
            if time.monotonic() - store.used_at > IDLE_SECONDS:
                self._stores.pop(key).remove()

    def _reserve(self, key: CopyKey, size: int) -> None:
        """Reserve ``size`` bytes for ``key``, and remove the least recently used copies if necessary.

        Raises ResultTooLargeError if there is not enough space even then.
        """
        with self._lock:
            others = sorted((each for each in self._stores if each != key), key=lambda each: self._stores[each].used_at)
            while others and self._total() + size > self._limit:
                self._stores.pop(others.pop(0)).remove()
            if self._total() + size > self._limit:
                raise ResultTooLargeError(
                    f"The directory of copies cannot be used, and without it this workload needs more than the"
                    f" {self._limit_mib} MiB of columns.private_mib: request fewer metrics by name"
                )

    def _total(self) -> int:
        return sum(store.size for store in self._stores.values())
