"""Checks whether each cluster can answer queries: all in parallel, with a time limit, and at most once a second."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lens_perf.errors import ClusterSaturatedError, LensError
from lens_perf.performance.cluster_interface import Clusters

# Connecting may take two seconds.
BOUND_SECONDS = 2.5
CACHE_SECONDS = 1.0

# Checks that the table exists and that the role may read it; reads no row.
CHECK_READINESS = """
/* lens_perf: check_readiness */
SELECT 1
FROM training_performance
WHERE workload_uid = ''
LIMIT 0
"""


@dataclass(frozen=True)
class ClusterState:
    """The result of the last check of a cluster; ``last_error`` names an error class, None without an error."""

    name: str
    ready: bool
    breaker: str
    last_error: str | None


class Readiness:
    """Queries the clusters, and caches the result for a second, so that many probes cost as much as one."""

    def __init__(self, clusters: Clusters, breaker_state: Callable[[str], str]) -> None:
        self._clusters = clusters
        self._breaker_state = breaker_state
        self._asking = threading.Lock()
        self._states: Mapping[str, ClusterState] = {}
        self._fresh_until = 0.0

    def check(self) -> Sequence[ClusterState]:
        """Return the state of every cluster; while another thread queries, the last known states."""
        if time.monotonic() < self._fresh_until:
            return tuple(self._states.values())
        if self._asking.acquire(blocking=not self._states):
            try:
                if time.monotonic() >= self._fresh_until:
                    self._states = self._ask_all()
                    self._fresh_until = time.monotonic() + CACHE_SECONDS
            finally:
                self._asking.release()
        return tuple(self._states.values())

    def _ask_all(self) -> Mapping[str, ClusterState]:
        """Query every cluster, except those with a query in progress."""
        _, failures = self._clusters.ask_all("readiness", self._clusters.names, self._ask, BOUND_SECONDS)
        return {name: self._judge(name, failures.get(name)) for name in self._clusters.names}

    def _ask(self, name: str) -> None:
        with self._clusters.read(name) as transaction:
            transaction.fetch_all(CHECK_READINESS, {})

    def _judge(self, name: str, error: LensError | None) -> ClusterState:
        ready = error is None
        if isinstance(error, ClusterSaturatedError):
            # A busy cluster counts as ready: moving its clients would overload the next instance.
            ready = name not in self._states or self._states[name].ready
        return ClusterState(name, ready, self._breaker_state(name), None if error is None else type(error).__name__)
