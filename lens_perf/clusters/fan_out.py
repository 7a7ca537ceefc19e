"""Queries many clusters in parallel, with a number of threads that depends on neither clusters nor callers."""

import logging
import threading
import time
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from lens_perf.errors import NO_THREAD, ClusterSaturatedError, DeadlineExceededError, LensError, QueryFailedError
from lens_perf.instrumentation.timing import phase

log = logging.getLogger(__name__)

# Clusters whose last query took no longer than this use the fast lane.
QUICK_SECONDS = 0.5

Found = TypeVar("Found")


class FanOut:
    """``threads`` threads for queries that go to many clusters.

    Two rules prevent clusters that hang from delaying the others. A query in progress is not sent again: callers with
    the same query share one result. And half of the threads, the fast lane, are reserved for clusters whose last query
    was fast.
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
        """Call ``ask`` for each cluster; return results and errors by cluster after at most ``seconds``.

        ``key`` identifies the query: calls with equal keys and names may share one result. A cluster that does not
        answer in time gets a DeadlineExceededError; an error that is not a LensError is logged and becomes a
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
        """Call ``ask(name)`` in a thread, or return the future of a running call with the same key and name.

        Raises ClusterSaturatedError if the process cannot start a thread.
        """
        with self._lock:
            under_way = self._under_way.get((name, key))
            # A future wakes its waiters before it calls _forget: one that is done has the result of an earlier query.
            if under_way is not None and not under_way.done():
                return under_way
            lane = self._fast_lane if name in self._quick else self._slow_lane
            try:
                future = lane.submit(self._time, name, ask)
            except RuntimeError:
                raise ClusterSaturatedError(NO_THREAD) from None
            self._under_way[name, key] = future
        future.add_done_callback(lambda done: self._forget(name, key, done))
        return future

    def close(self) -> None:
        """Accept no more queries; running ones finish by themselves."""
        for lane in (self._fast_lane, self._slow_lane):
            lane.shutdown(wait=False, cancel_futures=True)

    def _forget(self, name: str, key: Hashable, done: Future[Any]) -> None:
        with self._lock:
            if self._under_way.get((name, key)) is done:
                del self._under_way[name, key]

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
    """Add the result of ``future`` to ``found``, or its error to ``failures``."""
    if not future.done() or future.cancelled():
        failures[name] = DeadlineExceededError(f"Cluster {name} did not answer in time")
        return
    # An error of one cluster must not fail the others.
    error = future.exception()
    if error is None:
        found[name] = future.result()
    elif isinstance(error, LensError):
        failures[name] = error
    else:
        failures[name] = QueryFailedError("Internal server error")
