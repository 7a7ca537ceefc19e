"""Asks many clusters at once in a bounded number of threads, however many clusters and callers there are."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from lens_perf.clusters.guard_thread import NO_THREAD
from lens_perf.errors import ClusterSaturatedError, DeadlineExceededError, LensError, QueryFailedError
from lens_perf.instrumentation.timing import phase

log = logging.getLogger(__name__)

# A cluster that took no longer for its last query is asked in the fast lane.
QUICK_SECONDS = 0.5

Found = TypeVar("Found")


class FanOut:
    """``threads`` threads for queries that go to many clusters.

    Two rules keep clusters that hang from holding up the others. A query that is under way is not sent again: callers
    that ask the same share one answer. And clusters that were quick the last time have half of the threads, the fast
    lane, to themselves.
    """

    def __init__(self, threads: int) -> None:
        slow = max(1, threads // 2)
        self._fast_lane = ThreadPoolExecutor(max(1, threads - slow), "lens_perf-clusters")
        self._slow_lane = ThreadPoolExecutor(slow, "lens_perf-slow_clusters")
        self._lock = threading.Lock()
        self._under_way: dict[tuple[str, Hashable], Future[Any]] = {}
        self._quick: set[str] = set()

    def ask_all(
        self, key: Hashable, names: Iterable[str], ask: Callable[[str], Found], seconds: float
    ) -> tuple[dict[str, Found], dict[str, LensError]]:
        """Call ``ask`` for each cluster; return what was found, and the error of each other, after ``seconds`` at most.

        ``key`` stands for what is asked: calls with equal keys and names may share one answer. A cluster that has not
        answered in time is a DeadlineExceededError; any other error is logged and becomes a
        QueryFailedError.
        """
        names = list(names)
        failures: dict[str, LensError] = {}
        futures: dict[str, Future[Found]] = {}
        for name in sorted(names, key=lambda name: name not in self._quick):
            try:
                futures[name] = self.submit(key, name, ask)
            except ClusterSaturatedError as error:
                failures[name] = error
        with phase("query"):
            wait(futures.values(), seconds)
        found: dict[str, Found] = {}
        for name, future in futures.items():
            _collect(name, future, found, failures)
        return found, failures

    def submit(self, key: Hashable, name: str, ask: Callable[[str], Found]) -> Future[Found]:
        """Call ``ask(name)`` in a thread, unless a call with the same key and name is under way.

        Raises ClusterSaturatedError if the process cannot start a thread.
        """
        with self._lock:
            under_way = self._under_way.get((name, key))
            if under_way is not None:
                return under_way
            lane = self._fast_lane if name in self._quick else self._slow_lane
            try:
                future = lane.submit(self._time, name, ask)
            except RuntimeError:
                raise ClusterSaturatedError(NO_THREAD) from None
            self._under_way[name, key] = future
        future.add_done_callback(lambda _future: self._forget(name, key))
        return future

    def close(self) -> None:
        """Take no more queries; those under way end by themselves."""
        for lane in (self._fast_lane, self._slow_lane):
            lane.shutdown(wait=False, cancel_futures=True)

    def _forget(self, name: str, key: Hashable) -> None:
        with self._lock:
            self._under_way.pop((name, key), None)

    def _time(self, name: str, ask: Callable[[str], Found]) -> Found:
        started = time.monotonic()
        try:
            return ask(name)
        except LensError:
            raise
        except Exception:
            log.exception("cluster %s: an unexpected error", name)
            raise
        finally:
            was_quick = time.monotonic() - started <= QUICK_SECONDS
            with self._lock:
                (self._quick.add if was_quick else self._quick.discard)(name)


def _collect(name: str, future: Future[Found], found: dict[str, Found], failures: dict[str, LensError]) -> None:
    """Put what came of ``future`` into ``found`` or ``failures``."""
    if not future.done() or future.cancelled():
        failures[name] = DeadlineExceededError(f"Cluster {name} did not answer in time")
        return
    # The one place where an error is caught on the way: that of one cluster is no error of the others.
    error = future.exception()
    if error is None:
        found[name] = future.result()
    elif isinstance(error, LensError):
        failures[name] = error
    else:
        failures[name] = QueryFailedError("Internal server error")
