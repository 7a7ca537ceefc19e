"""The readers of copies. They import polars, which starts threads: create them in a worker, after the fork."""

from collections.abc import Sequence
from contextlib import closing

from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.payloads import ClusterWarning, MetricSummary
from lens_perf.performance.point_reader import PointReader
from lens_perf.performance.points.joined import JoinedBody
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.summary import list_available, list_sources, summarize
from lens_perf.performance.progress_reader import ProgressReader
from lens_perf.performance.selection import Selection
from lens_perf.performance.several_workloads import WorkloadKey, ask_each
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.performance.workload_copies import WorkloadCopies
from lens_perf.settings import Settings


class CopyReaders:
    """The readers of data points, progress and statistics, which share the same copies."""

    def __init__(self, clusters: Clusters, settings: Settings) -> None:
        self.copies = WorkloadCopies(clusters, settings)
        self.points = PointReader(clusters, self.copies, settings.limits)
        self.progress = ProgressReader(self.copies)
        self._memory_bytes = settings.limits.memory_mib * 2**20

    def list_sources(self, cluster: str | None, workload_uid: str, time_limit: TimeLimit) -> list[tuple[str, int]]:
        """Return (data source, number of records), most records first."""
        return self.copies.answer(cluster, workload_uid, time_limit, list_sources)

    def list_available(
        self, cluster: str | None, workload_uid: str, data_source: str | None, time_limit: TimeLimit
    ) -> list[tuple[str, list[str], int]]:
        """Return (metric, its data sources, number of data points) by name."""
        return self.copies.answer(cluster, workload_uid, time_limit, lambda copy: list_available(copy, data_source))

    def summarize(
        self,
        cluster: str | None,
        selection: Selection,
        names: Sequence[str] | None,
        time_limit: TimeLimit,
        *,
        by_attempt: bool,
        serials: Sequence[int],
    ) -> list[MetricSummary]:
        """Return the statistics of the metrics ``names``, None for all.

        ``by_attempt`` separates attempts; ``serials`` selects some, empty means all.
        """
        return self.copies.answer(
            cluster,
            selection.workload_uid,
            time_limit,
            lambda copy: summarize(copy, names, selection.data_source, by_attempt=by_attempt, serials=serials),
            names=names or (),
        )

    def read_several(
        self, queries: Sequence[PointQuery], time_limit: TimeLimit
    ) -> tuple[PointBody, Sequence[ClusterWarning]]:
        """Return one body with the answers to ``queries``, which differ only in workload and cursor, and the warnings.

        Raises ResultTooLargeError if there are too many data points in total.
        """
        by_workload = {WorkloadKey(str(each.cluster), each.selection.workload_uid): each for each in queries}
        with Spool(self._memory_bytes) as spool:
            joined = JoinedBody(queries, spool)

            def read(workload: WorkloadKey) -> None:
                query = by_workload[workload]
                joined.add(query, self.points.read(query, time_limit, points_before=joined.points))

            with closing(joined):
                _, warnings = ask_each(list(by_workload), time_limit, read)
                return joined.finish(warnings), warnings
