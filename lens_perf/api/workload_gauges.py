"""What ``/metrics/workloads`` answers: the progress of the latest active workloads, read at most every few seconds."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lens_perf.errors import ClusterError, LensError
from lens_perf.instrumentation.workload_metrics import Reading, expose_workloads
from lens_perf.performance.selection import Selection
from lens_perf.performance.workload_list import ListQuery

# However often it is scraped, and by however many: the databases are asked once in so many seconds, for so long.
FRESH_SECONDS = 15.0
BOUND_SECONDS = 10.0
OVER = frozenset({"ended", "finished"})


class Listing(Protocol):
    """What is needed of performance.listing.Listing."""

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
    """The metrics of the ``most`` latest active workloads. Safe to use from several threads."""

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
        """Return the metrics; those of the last time, while they are young or another thread reads new ones."""
        body = self._body
        if body is not None and self._clock() < self._read_at + FRESH_SECONDS:
            return body
        # The first answer is waited for, later ones are read by one thread alone.
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
        away = {name for name in clusters if failed[name]}
        readings: list[Reading] = []
        known: dict[tuple[str, str], Mapping[str, Any]] = {}
        until = self._clock() + BOUND_SECONDS
        for each in answer["workloads"]:
            cluster, uid = each["cluster"], each["workload_uid"]
            progress = self._known.get((cluster, uid))
            if not _is_over(progress, each["last_timestamp"]) and cluster not in away and self._clock() < until:
                try:
                    progress = self._service.read_progress(cluster, Selection(uid))
                except LensError as error:
                    failed[cluster] = True
                    # Not for each of its workloads a connection is waited for that does not come.
                    away |= {cluster} if isinstance(error, ClusterError) else set()
            # What could not be read keeps its last values; the age of its record shows it.
            if progress is not None:
                known[cluster, uid] = progress
                readings.append((cluster, progress))
        self._known = known
        return expose_workloads(readings, failed, time.time())


def _is_over(progress: Mapping[str, Any] | None, last_timestamp: int | None) -> bool:
    return progress is not None and progress["state"] in OVER and progress["last_timestamp"] == last_timestamp
