"""The service behind the API: one method for each query."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from lens_perf.performance.memory import limit_memory
from lens_perf.performance.payloads import (
    Available,
    AvailableMetric,
    ClusterWarning,
    DataSource,
    Progress,
    Several,
    Sources,
    Summary,
    SummaryFields,
)
from lens_perf.performance.selection import Selection
from lens_perf.performance.several_workloads import WorkloadKey, collect_answers
from lens_perf.performance.source_names import count_by_source
from lens_perf.performance.source_statement import select_sources
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.settings import Settings

if TYPE_CHECKING:
    from lens_perf.performance.cluster_interface import Clusters
    from lens_perf.performance.copy_readers import CopyReaders
    from lens_perf.performance.points.query import PointAnswer, PointQuery
    from lens_perf.performance.points.spool import PointBody
    from lens_perf.performance.workload_copies import WorkloadCopies


class PerformanceService:
    """Answers queries about workloads.

    All methods raise UnknownClusterError, ClusterError, DeadlineExceededError and ClientLeftError. Those that read a
    copy also raise CopyNotReadyError.
    """

    def __init__(self, clusters: "Clusters", settings: Settings) -> None:
        self._clusters = clusters
        self._settings = settings

    @cached_property
    def _readers(self) -> "CopyReaders":
        # Imported at the first query, because polars starts threads, which must not exist when gunicorn forks.
        limit_memory()
        from lens_perf.performance.copy_readers import CopyReaders  # noqa: PLC0415

        return CopyReaders(self._clusters, self._settings)

    @property
    def copies(self) -> "WorkloadCopies":
        """The copies of the workloads."""
        return self._readers.copies

    def list_sources(self, cluster: str | None, workload_uid: str) -> Sources:
        """Return the data sources of a workload with their numbers of records, most records first."""
        if self._readers.copies.exists(cluster, workload_uid):
            sources = self._readers.list_sources(cluster, workload_uid, self._start_time_limit())
        else:
            with self._clusters.read(cluster) as transaction:
                sources = count_by_source(select_sources(transaction, workload_uid))
        described: list[DataSource] = [{"name": name, "count": count} for name, count in sources]
        return {"workload_uid": workload_uid, "data_sources": described, "total_count": len(described)}

    def list_available(self, cluster: str | None, workload_uid: str, data_source: str | None) -> Available:
        """Return the metrics of a workload."""
        found = self._readers.list_available(cluster, workload_uid, data_source, self._start_time_limit())
        metrics: list[AvailableMetric] = [
            {"name": name, "data_source": sources, "count": count} for name, sources, count in found
        ]
        return {"workload_uid": workload_uid, "metrics": metrics, "total_count": len(metrics)}

    def summarize(
        self,
        cluster: str | None,
        selection: Selection,
        names: Sequence[str] | None = None,
        *,
        by_attempt: bool = False,
        serials: Sequence[int] = (),
    ) -> Summary:
        """Return the statistics of each metric of a workload: counts, first, last, least and greatest value."""
        metrics = self._readers.summarize(
            cluster, selection, names, self._start_time_limit(), by_attempt=by_attempt, serials=serials
        )
        counted: SummaryFields = {"metrics": metrics, "total_count": len(metrics)}
        if selection.data_source is not None:
            return {"workload_uid": selection.workload_uid, "data_source": selection.data_source, **counted}
        return {"workload_uid": selection.workload_uid, **counted}  # type: ignore[typeddict-item]  # it is not required

    def read_points(self, query: "PointQuery") -> "PointAnswer":
        """Return the requested data points, by time; iteration times are ordered by iteration.

        Raises InvalidParameterError for a cursor of another query, and ResultTooLargeError.
        """
        return self._readers.points.read(query)

    def find_etag(self, query: "PointQuery") -> str | None:
        """Return the ETag of the requested data points without reading them; None if the response has no ETag."""
        return self._readers.points.find_etag(query)

    def read_progress(self, cluster: str | None, selection: Selection) -> Progress:
        """Return the progress of a workload."""
        return self._readers.progress.read(cluster, selection, self._start_time_limit())

    def read_points_of_several(self, queries: Sequence["PointQuery"]) -> tuple["PointBody", Sequence[ClusterWarning]]:
        """Return one body with the answers to ``queries``, which differ only in workload and cursor, and warnings.

        There is a warning for each workload without an answer. Raises ResultTooLargeError.
        """
        self._check_clusters([str(query.cluster) for query in queries])
        return self._readers.read_several(queries, self._start_time_limit())

    def check_points_of_several(self, queries: Sequence["PointQuery"]) -> None:
        """Raise the exceptions of ``read_points_of_several`` that depend on the queries alone."""
        self._check_clusters([str(query.cluster) for query in queries])
        for query in queries:
            self._readers.points.check(query)

    def summarize_several(
        self,
        workloads: Sequence[WorkloadKey],
        data_source: str | None,
        names: Sequence[str] | None = None,
        *,
        by_attempt: bool = False,
        serials: Sequence[int] = (),
    ) -> Several:
        """Return the statistics of each metric of each workload, and a warning for each workload without an answer."""
        self._check_clusters([workload.cluster for workload in workloads])
        time_limit = self._start_time_limit()

        def summarize(workload: WorkloadKey) -> Mapping[str, Any]:
            selection = Selection(workload.uid, data_source)
            metrics = self._readers.summarize(
                workload.cluster, selection, names, time_limit, by_attempt=by_attempt, serials=serials
            )
            return {"metrics": metrics}

        return collect_answers(workloads, time_limit, summarize).describe()

    def summarize_page(self, page: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
        """Return the page with a list ``metrics`` of MetricSummary for each workload, None if there is a warning."""
        workloads = [WorkloadKey(each["cluster"], each["workload_uid"]) for each in page["workloads"]]
        summaries = self.summarize_several(workloads, None, names)
        metrics = {(each["cluster"], each["workload_uid"]): each["metrics"] for each in summaries["workloads"]}
        return {
            **page,
            "workloads": [
                each | {"metrics": metrics.get(workload)}
                for each, workload in zip(page["workloads"], workloads, strict=True)
            ],
            "warnings": [*page["warnings"], *summaries["warnings"]],
        }

    def read_progress_of_several(self, workloads: Sequence[WorkloadKey], data_source: str | None) -> Several:
        """Return the progress of each workload, and a warning for each workload without an answer."""
        self._check_clusters([workload.cluster for workload in workloads])
        time_limit = self._start_time_limit()

        def read(workload: WorkloadKey) -> Mapping[str, Any]:
            return self._readers.progress.read(workload.cluster, Selection(workload.uid, data_source), time_limit)

        return collect_answers(workloads, time_limit, read).describe()

    def _check_clusters(self, names: Sequence[str]) -> None:
        """Raise UnknownClusterError before any query is sent, if one of the clusters is unknown."""
        for name in names:
            self._clusters.resolve(name)

    def _start_time_limit(self) -> TimeLimit:
        return TimeLimit(self._settings.limits.deadline_seconds)
