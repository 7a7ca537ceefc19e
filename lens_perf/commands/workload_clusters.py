"""Finds the cluster of a workload for commands without --cluster."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.ingest.read_summary import make_printable
from lens_perf.performance.service import PerformanceService

# Clusters that do not answer within this time are named if the workload is found nowhere else.
SEARCH_SECONDS = 5.0


@dataclass(frozen=True)
class Search:
    """The clusters that have a workload, those that have no record of it, and those that did not answer."""

    workload: str
    having: Sequence[str]
    lacking: Sequence[str]
    silent: Sequence[str]

    def describe_failure(self) -> str:
        """Return where the workload was not found."""
        silent = f"; {', '.join(self.silent)} did not answer" if self.silent else ""
        return f"{describe_missing(self.workload, self.lacking)}{silent}; lens-perf workloads lists them"


def describe_missing(workload: str, clusters: Sequence[str]) -> str:
    """Return that none of ``clusters`` has a record of ``workload``."""
    searched = f"cluster{'s' * (len(clusters) > 1)} {', '.join(clusters)}" if clusters else "any cluster"
    return f"no workload {workload} in {searched}"


def find_cluster(
    registry: ClusterRegistry, service: PerformanceService, workload: str, cluster: str | None
) -> str | None:
    """Return the cluster that has ``workload``: of several, the default one, else the first in the settings.

    Only ``cluster`` is searched if it is given. Prints which other clusters have the workload, or why none was found.
    Raises UnknownClusterError, and the ClusterError of a cluster that is given or the only one.
    """
    if cluster is not None or len(registry.names) == 1:
        name = registry.resolve(cluster)
        found = service.list_sources(name, workload)["total_count"] > 0
        search = Search(workload, [name] if found else [], [] if found else [name], [])
    else:
        search = _search(registry, service, workload)
    if not search.having:
        _warn(search.describe_failure())
        return None
    fallback = registry.resolve(None)
    chosen = fallback if fallback in search.having else search.having[0]
    if others := [name for name in search.having if name != chosen]:
        _warn(f"showing {workload} in cluster {chosen}; {', '.join(others)} has it, too: choose with --cluster")
    return chosen


def _search(registry: ClusterRegistry, service: PerformanceService, workload: str) -> Search:
    counts, failures = registry.ask_all(
        ("find", workload),
        registry.names,
        lambda name: int(service.list_sources(name, workload)["total_count"]),
        SEARCH_SECONDS,
    )
    return Search(
        workload,
        [name for name in registry.names if counts.get(name)],
        [name for name in registry.names if counts.get(name) == 0],
        [name for name in registry.names if name in failures],
    )


def _warn(text: str) -> None:
    print(make_printable(f"lens-perf: {text}"), file=sys.stderr)
