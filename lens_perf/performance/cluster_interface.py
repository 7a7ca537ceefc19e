"""The interface of the cluster registry that ``performance`` uses; the two packages do not import each other."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, TypeVar

from lens_perf.errors import LensError
from lens_perf.performance.statements import Transaction

Found = TypeVar("Found")


class Clusters(Protocol):
    """Connections to all clusters, by name.

    ``requested`` is the name of a cluster; None or an empty name means the default cluster, else the current one.
    Methods with this parameter raise UnknownClusterError. Those that borrow a connection raise ClusterError if none is
    available.
    """

    @property
    def names(self) -> Sequence[str]:
        """The names of all clusters, in the order of the settings."""

    def resolve(self, requested: str | None) -> str:
        """Return the name of the cluster."""

    def identify_database(self, requested: str | None) -> str:
        """Return a text that differs from those of other databases and roles."""

    def read(self, requested: str | None, within: float | None = None) -> AbstractContextManager[Transaction]:
        """Borrow a connection until the deadline of requests, or for ``within`` seconds if that is sooner."""

    def read_in_background(self, requested: str | None, seconds: float) -> AbstractContextManager[Transaction]:
        """Borrow a connection for ``seconds``, regardless of the deadline of requests."""

    def admit_heavy_read(self, requested: str | None) -> AbstractContextManager[None]:
        """Hold one of the slots for reads of many records. Raises ClusterSaturatedError if none is free."""

    def ask_all(
        self, key: Hashable, names: Sequence[str], ask: Callable[[str], Found], seconds: float
    ) -> tuple[Mapping[str, Found], Mapping[str, LensError]]:
        """Call ``ask`` for each cluster in parallel; return results and errors by cluster after at most ``seconds``.

        Calls with equal ``key`` and name may share one result.
        """
