"""Resolves cluster names (requested, else default, else current) and gives out their connections."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import TypeVar

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.clusters.bulkhead import Bulkhead
from lens_perf.clusters.cluster import Cluster, Guards
from lens_perf.clusters.connecting import connect, identify_database, read_connection_arguments
from lens_perf.clusters.connection_failures import explain_failure
from lens_perf.clusters.driver_errors import Rule, make_error
from lens_perf.clusters.fan_out import FanOut
from lens_perf.clusters.guard import Watchdog
from lens_perf.clusters.guard_thread import GuardThread
from lens_perf.clusters.prober import Prober
from lens_perf.clusters.transaction import ReadTransaction
from lens_perf.clusters.write_errors import choose_rules
from lens_perf.errors import ClusterSaturatedError, ConfigError, LensError, UnknownClusterError
from lens_perf.instrumentation import metrics
from lens_perf.settings import Settings

Found = TypeVar("Found")


class ClusterRegistry:
    """All configured clusters with their pools. Connects to a cluster when it is first used.

    Raises ConfigError for a DSN that libpq cannot read and for a missing password source.
    """

    def __init__(self, settings: Settings) -> None:
        self._fallback = settings.fallback_cluster
        self._connect = {}
        self._databases = {}
        for name, cluster in settings.clusters.items():
            where = f"{settings.path}: clusters.{name}"
            read_connection_arguments(where, cluster, settings.pool.connect_seconds)
            self._databases[name] = identify_database(where, cluster)
            self._connect[name] = partial(connect, where, cluster, settings.pool.connect_seconds)
        self._fan_out = FanOut(settings.limits.cluster_threads)
        self._janitor = GuardThread("janitor", settings.pool.idle_seconds, self._give_back)
        guards = Guards(Watchdog(), Prober(self._fan_out), self._wake_janitor)
        self._clusters = {name: Cluster(name, each, settings, guards) for name, each in self._connect.items()}
        self._heavy_reads = Bulkhead(
            settings.limits.heavy_reads,
            # Half of the threads stay free for fast queries.
            settings.http.threads // 2 - settings.limits.heavy_reads,
            "Too many large reads at once; try again in a moment",
            settings.pool.wait_seconds,
        )

    @property
    def names(self) -> Sequence[str]:
        """The names of all clusters, in the order of the settings."""
        return tuple(self._clusters)

    def resolve(self, requested: str | None) -> str:
        """Return the name of the requested cluster, or of the default or current one if ``requested`` is empty.

        Raises UnknownClusterError.
        """
        name = requested or self._fallback
        if name not in self._clusters:
            raise UnknownClusterError(name, self.names)
        return name

    def identify_database(self, requested: str | None) -> str:
        """Return a digest of the address of the cluster's database and of the role. Raises UnknownClusterError."""
        return self._databases[self.resolve(requested)]

    def read(self, requested: str | None, within: float | None = None) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection of the cluster ``requested`` resolves to, for read-only statements.

        They must finish by the deadline of a request, or ``within`` seconds if that is sooner.

        Raises UnknownClusterError, and the exceptions of ``Cluster.read``.
        """
        return self._clusters[self.resolve(requested)].read(within)

    def read_in_background(self, requested: str | None, seconds: float) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection for ``seconds``, regardless of the deadline of requests. Raises as ``read`` does."""
        return self._clusters[self.resolve(requested)].read_in_background(seconds)

    def ask_all(
        self, key: Hashable, names: Sequence[str], ask: Callable[[str], Found], seconds: float
    ) -> tuple[dict[str, Found], dict[str, LensError]]:
        """Call ``ask`` for each of the clusters ``names``, as ``FanOut.ask_all`` does."""
        return self._fan_out.ask_all(key, names, ask, seconds)

    def admit_heavy_read(self, requested: str | None) -> AbstractContextManager[None]:
        """Hold one of the process's slots for large reads. Raises ClusterSaturatedError."""
        return self._heavy_reads.enter(lambda: metrics.count_refusal(self.resolve(requested), "heavy"))

    @contextmanager
    def open_connection(self, requested: str | None, rules: Sequence[Rule] = ()) -> Iterator[Connection]:
        """Open a connection outside the pool for the command line; the caller manages transactions.

        Raises as ``read`` does, with the ``reason`` of the error instead of a line in the log. A command that writes
        passes the ``rules`` for errors that are its own.
        """
        name = self.resolve(requested)
        try:
            connection = self._connect[name]()
            connection.autocommit = False
            rules = choose_rules(connection, rules) if rules else ()
            try:
                yield connection
            finally:
                connection.close()
        except (psycopg2.Error, ConfigError) as error:
            explained = make_error(name, error, rules)
            explained.reason = explain_failure(error)
            raise explained from None

    def connections_in_use(self, name: str) -> int:
        """Return the number of pooled connections to cluster ``name`` in use."""
        return self._clusters[name].pool.in_use

    def breaker_state(self, name: str) -> str:
        """Return the state of the circuit breaker of cluster ``name``: ``"closed"`` or ``"open"``."""
        return self._clusters[name].breaker_state

    def _wake_janitor(self) -> None:
        """Start closing idle connections. If no thread can be started, the next connection tries again."""
        with suppress(ClusterSaturatedError):
            self._janitor.wake()

    def _give_back(self) -> bool:
        left = [cluster.pool.give_back() for cluster in self._clusters.values()]
        return any(left)

    def close(self) -> None:
        """Close all idle connections and accept no more queries to many clusters."""
        self._fan_out.close()
        for cluster in self._clusters.values():
            cluster.pool.close()
