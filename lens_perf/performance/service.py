"""The questions of the API, each answered by one statement on one borrowed connection."""

from itertools import groupby
from operator import itemgetter
from typing import Any

from lens_perf.config import LimitSettings
from lens_perf.performance import queries
from lens_perf.performance.point_questions import PointAnswer, PointQuestion
from lens_perf.performance.point_reader import Clusters, PointReader
from lens_perf.performance.progress_reader import ProgressReader
from lens_perf.performance.selection import Selection
from lens_perf.performance.source_names import count_by_source


class PerformanceService:
    """Answers questions about workloads. Every method raises the LensError of what keeps it from answering."""

    def __init__(self, clusters: Clusters, limits: LimitSettings) -> None:
        self._clusters = clusters
        self._points = PointReader(clusters, limits)
        self._progress = ProgressReader(clusters)

    def list_sources(self, cluster: str | None, workload_uid: str) -> dict[str, Any]:
        """Return the data sources of a workload with their numbers of records, most records first."""
        with self._clusters.read(cluster) as transaction:
            rows = queries.select_sources(transaction, workload_uid)
        sources = [{"name": name, "count": count} for name, count in count_by_source(rows)]
        return {"workload_uid": workload_uid, "data_sources": sources, "total_count": len(sources)}

    def list_available(self, cluster: str | None, workload_uid: str, data_source: str | None) -> dict[str, Any]:
        """Return the metrics of a workload by name, with their sources and numbers of data points."""
        with self._clusters.read(cluster) as transaction:
            rows = queries.select_available(transaction, workload_uid, data_source)
        by_metric = (
            (name, count_by_source((source, count) for _, source, count in group))
            for name, group in groupby(rows, key=itemgetter(0))
        )
        metrics = [
            {"name": name, "data_source": [source for source, _ in counts], "count": sum(count for _, count in counts)}
            for name, counts in by_metric
        ]
        return {"workload_uid": workload_uid, "metrics": metrics, "total_count": len(metrics)}

    def read_points(self, question: PointQuestion) -> PointAnswer:
        """Return the data points that are asked for, by time; those of iteration times by iteration."""
        return self._points.read(question)

    def find_etag(self, question: PointQuestion) -> str | None:
        """Return the ETag of the data points that are asked for, without reading them."""
        return self._points.find_etag(question)

    def read_progress(self, cluster: str | None, selection: Selection) -> dict[str, Any]:
        """Return how a workload is getting on; every number is None where no record says."""
        return self._progress.read(cluster, selection)
