"""The questions of the API, each answered by one statement on one borrowed connection."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import groupby
from operator import itemgetter
from typing import Any, Protocol

from lens_perf.config import LimitSettings
from lens_perf.performance import queries
from lens_perf.performance.heavy_questions import HeavyQuestions
from lens_perf.performance.marked_points import MarkedPoints
from lens_perf.performance.object_expander import ObjectExpander
from lens_perf.performance.point_writer import PointBody, PointWriter
from lens_perf.performance.queries import Transaction
from lens_perf.performance.row_blocks import collect_rows
from lens_perf.performance.selection import Selection

# Up to here PostgreSQL picks the metrics out; beyond, copying whole objects is faster (docs/decisions.rst).
MOST_NAMED_METRICS = 4


class Clusters(Protocol):
    """What the service needs of the registry."""

    def read(self, asked: str | None) -> AbstractContextManager[Transaction]:
        """Borrow a connection to the cluster that answers for ``asked``."""

    def admit_heavy_read(self, asked: str | None) -> AbstractContextManager[None]:
        """Hold one of the few places for reads of many data points, or raise ClusterSaturatedError."""


class PerformanceService:
    """Answers questions about workloads. Every method raises the LensError of what keeps it from answering."""

    def __init__(self, clusters: Clusters, limits: LimitSettings) -> None:
        self._clusters = clusters
        self._limits = limits
        self._heavy_questions = HeavyQuestions()

    def list_sources(self, cluster: str | None, workload_uid: str) -> dict[str, Any]:
        """Return the data sources of a workload with their numbers of records, most records first."""
        with self._clusters.read(cluster) as transaction:
            rows = queries.select_sources(transaction, workload_uid)
        sources = [{"name": name, "count": count} for name, count in rows]
        return {"workload_uid": workload_uid, "data_sources": sources, "total_count": len(sources)}

    def list_available(self, cluster: str | None, workload_uid: str, data_source: str | None) -> dict[str, Any]:
        """Return the metrics of a workload by name, with their sources and numbers of data points."""
        with self._clusters.read(cluster) as transaction:
            rows = queries.select_available(transaction, workload_uid, data_source)
        metrics = [
            {"name": name, "data_source": [row[1] for row in group], "count": sum(row[2] for row in group)}
            for name, group in ((name, list(each)) for name, each in groupby(rows, key=itemgetter(0)))
        ]
        return {"workload_uid": workload_uid, "metrics": metrics, "total_count": len(metrics)}

    def read_points(self, cluster: str | None, selection: Selection, names: Sequence[str] | None) -> PointBody:
        """Return the data points of the metrics ``names``, or of all, by time."""
        with self._start_body(cluster, selection, names) as writer:
            with self._clusters.read(cluster) as transaction:
                if names is not None and len(names) <= MOST_NAMED_METRICS:
                    with collect_rows(MarkedPoints(writer).take) as rows:
                        queries.copy_named_points(transaction, selection, names, rows)
                else:
                    with collect_rows(ObjectExpander(names, writer).take) as rows:
                        queries.copy_objects(transaction, selection, names, rows)
            return writer.finish()

    def read_iteration_times(self, cluster: str | None, selection: Selection) -> PointBody:
        """Return when each iteration was first reported, and its target, by iteration."""
        with self._start_body(cluster, selection) as writer:
            with self._clusters.read(cluster) as transaction, collect_rows(MarkedPoints(writer).take) as rows:
                queries.copy_iteration_times(transaction, selection, rows)
            return writer.finish()

    @contextmanager
    def _start_body(
        self, cluster: str | None, selection: Selection, names: Sequence[str] | None = None
    ) -> Iterator[PointWriter]:
        """Open a writer; a read that becomes heavy, or was so when it was last asked for, needs a place for it."""
        labels = {"workload_uid": selection.workload_uid}
        if selection.data_source is not None:
            labels["data_source"] = selection.data_source
        asked = (cluster, selection, names and tuple(names))
        with ExitStack() as held:

            def admit() -> None:
                self._heavy_questions.add(asked)
                held.enter_context(self._clusters.admit_heavy_read(cluster))

            known = asked in self._heavy_questions
            if known:
                admit()
            memory_bytes = self._limits.memory_mib * 2**20
            writer = PointWriter(labels, self._limits.max_points, memory_bytes, None if known else admit)
            yield held.enter_context(writer)
