"""Lists clusters, whether each can be reached, and their workloads."""

from collections.abc import Sequence

from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.payloads import ClusterList, ListedCluster, WorkloadPage
from lens_perf.performance.readiness import Readiness
from lens_perf.performance.workload_list import ListQuery, WorkloadLister


class Listing:
    """Lists clusters and workloads. Every method raises UnknownClusterError, ClusterError and DeadlineExceededError."""

    def __init__(self, clusters: Clusters, readiness: Readiness, current_cluster: str | None) -> None:
        self._clusters = clusters
        self._readiness = readiness
        self._current = current_cluster
        self._lister = WorkloadLister(clusters)

    @property
    def names(self) -> Sequence[str]:
        """The names of all clusters, in the order of the settings."""
        return self._clusters.names

    def list_clusters(self, names: Sequence[str]) -> ClusterList:
        """Return the clusters ``names`` and whether each can be reached."""
        reachable = {state.name: state.ready for state in self._readiness.check()}
        fallback = self._clusters.resolve(None)
        clusters: list[ListedCluster] = [
            {"name": name, "default": name == fallback, "current": name == self._current, "reachable": reachable[name]}
            for name in names
        ]
        return {"clusters": clusters, "total_count": len(clusters)}

    def list_workloads(self, query: ListQuery, *, must_answer: bool) -> WorkloadPage:
        """Return a page of workloads; with ``must_answer``, raise the error of a cluster that does not answer."""
        for name in query.clusters:
            self._clusters.resolve(name)
        return self._lister.list(query, must_answer=must_answer)
