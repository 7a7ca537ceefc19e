"""Opens the copies of workloads, whose sources are the tables of the clusters."""

import threading
import time
from collections.abc import Callable, Collection
from typing import TypeVar

from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.columns.verification import Comparison
from lens_perf.performance.columns.workload_copy import WorkloadCopy
from lens_perf.performance.table_source import Observe, TableSource
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.settings import Settings

Answer = TypeVar("Answer")


class WorkloadCopies:
    """The copies of all workloads of all clusters. Safe to use from several threads."""

    def __init__(self, clusters: Clusters, settings: Settings) -> None:
        self._clusters = clusters
        self._settings = settings.columns
        self._lock = threading.Lock()
        self._columns: Columns | None = None

    @property
    def columns(self) -> Columns:
        """The copies of this process, created at the first use, after the process was forked."""
        with self._lock:
            self._columns = self._columns or Columns(self._settings)
            return self._columns

    @property
    def most_fields(self) -> int:
        """The maximum number of fields that are read of a workload."""
        return self._settings.max_fields

    def exists(self, cluster: str | None, workload_uid: str, names: Collection[str] = ()) -> bool:
        """Return whether there is a copy, up to date or not, from which none of the metrics ``names`` was left out."""
        return self.columns.has(self.make_key(cluster, workload_uid), names)

    def answer(
        self,
        cluster: str | None,
        workload_uid: str,
        time_limit: TimeLimit,
        read: Callable[[WorkloadCopy], Answer],
        *,
        names: Collection[str] = (),
        observe: Observe | None = None,
    ) -> Answer:
        """Return the result of ``read`` for the copy, which has everything that was committed before this call.

        ``observe`` is called before ``read``, in the snapshot whose state the copy has. Raises UnknownClusterError,
        ClusterError, DeadlineExceededError, CopyNotReadyError if the copy is not ready at ``time_limit.copy_deadline``,
        MetricLeftOutError if one of the metrics ``names`` was left out of it, and the exceptions of ``read``.
        """
        key = self.make_key(cluster, workload_uid)
        source = TableSource(self._clusters, key.cluster, workload_uid, observe)

        def require_and_read(copy: WorkloadCopy) -> Answer:
            copy.require(names)
            return read(copy)

        return self.columns.answer(key, source, time_limit.copy_deadline, require_and_read)

    def verify(self, cluster: str, workload_uid: str) -> Comparison | None:
        """Compare a copy with the table; return None if there is no copy.

        Raises UnknownClusterError, ClusterError, DeadlineExceededError, CopyNotReadyError, CopyDirectoryError and
        DamagedCopyError.
        """
        key = self.make_key(cluster, workload_uid)
        source = TableSource(self._clusters, key.cluster, workload_uid)
        return self.columns.verify(key, source, time.monotonic() + self._settings.build_seconds)

    def make_key(self, cluster: str | None, workload_uid: str) -> CopyKey:
        """Return the key of the copy of a workload. Raises UnknownClusterError."""
        name = self._clusters.resolve(cluster)
        return CopyKey(name, workload_uid, self._clusters.identify_database(name))
