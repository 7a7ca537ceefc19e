"""The content of ``/metrics/workloads``: the progress of the most recently active workloads, cached for a while."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lens_perf.errors import ClusterError, LensError
from lens_perf.instrumentation.workload_metrics import Reading, expose_workloads
from lens_perf.performance.selection import Selection
from lens_perf.performance.workload_list import ListQuery

# Regardless of the number of scrapes, the clusters are queried once in FRESH_SECONDS, for at most BOUND_SECONDS.
FRESH_SECONDS = 15.0
BOUND_SECONDS = 10.0
OVER = frozenset({"ended", "finished"})


class Listing(Protocol):
    """The methods of performance.listing.Listing that are used here."""

    @property
    def names(self) -> Any:
        """The names of all clusters."""

    def list_workloads(self, query: ListQuery, *, must_answer: bool) -> Mapping[str, Any]:
        """Return a page of workloads."""


class Service(Protocol):
    """The methods of PerformanceService that are used here."""

    def read_progress(self, cluster: str | None, selection: Selection, /) -> Mapping[str, Any]:
        """Return the progress of a workload."""


class WorkloadGauges:
    """The metrics of the ``most`` most recently active workloads. Safe to use from several threads."""

    def __init__(
        self, listing: Listing, service: Service, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._listing = listing
        self._service = service
        self._most = most
        self._clock = clock
        self._lock = threading.Lock()
        self._body: bytes | None = None
        self._read_at = float("-inf")
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}

    def expose(self) -> bytes:
        """Return the metrics; the previous ones if they are recent, or if another thread is reading new ones."""
        body = self._body
        if body is not None and self._clock() < self._read_at + FRESH_SECONDS:
            return body
        # Only before the first result, other threads wait for the one that reads.
        if not self._lock.acquire(blocking=body is None):
            return body or b""
        try:
            if self._body is None or self._clock() >= self._read_at + FRESH_SECONDS:
                self._body = self._read()
                self._read_at = self._clock()
            return self._body
        finally:
            self._lock.release()

    def _read(self) -> bytes:
        clusters = tuple(self._listing.names)
        failed = dict.fromkeys(clusters, False)
        answer = self._listing.list_workloads(ListQuery(clusters, "", self._most, None), must_answer=False)
        failed |= {warning["cluster"]: True for warning in answer["warnings"]}
        unavailable = {name for name in clusters if failed[name]}
        readings: list[Reading] = []
        known: dict[tuple[str, str], Mapping[str, Any]] = {}
        until = self._clock() + BOUND_SECONDS
        for each in answer["workloads"]:
            cluster, uid = each["cluster"], each["workload_uid"]
            progress = self._known.get((cluster, uid))
            if not _is_over(progress, each["last_timestamp"]) and cluster not in unavailable and self._clock() < until:
                try:
                    progress = self._service.read_progress(cluster, Selection(uid))
                except LensError as error:
                    failed[cluster] = True
                    # Other workloads of this cluster are skipped, because each would wait for a connection.
                    unavailable |= {cluster} if isinstance(error, ClusterError) else set()
            # A workload that could not be read keeps its last values. The age of its last record shows this.
            if progress is not None:
                known[cluster, uid] = progress
                readings.append((cluster, progress))
        self._known = known
        return expose_workloads(readings, failed, time.time())


def _is_over(progress: Mapping[str, Any] | None, last_timestamp: int | None) -> bool:
    return progress is not None and progress["state"] in OVER and progress["last_timestamp"] == last_timestamp
