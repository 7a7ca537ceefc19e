"""One cluster: its bulkhead, connection pool, circuit breaker and watchdog, applied to each request in that order."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.clusters.breaker import Breaker
from lens_perf.clusters.bulkhead import Bulkhead, share_of_threads
from lens_perf.clusters.driver_errors import PAST_DEADLINE, is_canceled, is_connection_limit, is_refusal
from lens_perf.clusters.engine_statement import has_citus
from lens_perf.clusters.guard import Cut, Watchdog
from lens_perf.clusters.pool import ConnectionPool
from lens_perf.clusters.prober import Prober
from lens_perf.clusters.transaction import ReadTransaction, format_limits
from lens_perf.errors import ClientLeftError, ClusterUnreachableError, ConfigError, DeadlineExceededError
from lens_perf.instrumentation import metrics
from lens_perf.settings import Settings

Connect = Callable[[], Connection]

LEFT = "The client left before the answer was ready"


@dataclass(frozen=True)
class Guards:
    """The background threads that all clusters of a process share."""

    watchdog: Watchdog
    prober: Prober
    wake_janitor: Callable[[], None]


class Cluster:
    """A cluster's connection pool and the limits on its use. Connects when the first connection is requested."""

    def __init__(self, name: str, open_connection: Connect, settings: Settings, guards: Guards) -> None:
        self._name = name
        self._open_connection = open_connection
        self._watchdog = guards.watchdog
        self._deadline_seconds = settings.limits.deadline_seconds
        self._settings = settings.limits
        self._limits = format_limits(settings.limits)
        # Found out over the first connection.
        self.is_citus: bool | None = None
        self._breaker = Breaker(name, self._probe, guards.prober)
        threads = settings.http.threads
        share = share_of_threads(threads, len(settings.clusters))
        self._bulkhead = Bulkhead(share, threads, f"Cluster {name} is busy; try again in a moment")
        self.pool = ConnectionPool(name, self._connect, settings.pool, guards.watchdog, guards.wake_janitor)

    @property
    def breaker_state(self) -> str:
        """State of the circuit breaker: ``"closed"`` in normal operation, else ``"open"``."""
        return self._breaker.state

    def read(self, within: float | None = None) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection for statements that must finish by the deadline, or ``within`` seconds if that is sooner.

        Raises ClusterError if no connection is available, DeadlineExceededError, ClientLeftError if the client
        disconnects, and the errors of ``driver_errors.RULES`` for what the driver raises within the block.
        """
        seconds = self._deadline_seconds if within is None else min(within, self._deadline_seconds)
        return self._read(seconds, self._limits)

    def read_in_background(self, seconds: float) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection for ``seconds``, which may be longer than the deadline of requests.

        Raises as ``read`` does.
        """
        return self._read(seconds, format_limits(replace(self._settings, deadline_seconds=seconds)))

    @contextmanager
    def _read(self, seconds: float, limits: bytes) -> Iterator[ReadTransaction]:
        deadline = time.monotonic() + seconds
        with (
            self._bulkhead.enter(lambda: metrics.count_refusal(self._name, "bulkhead")),
            self.pool.lend() as (connection, server),
            self._watchdog.watch(server, deadline) as query,
        ):
            try:
                if self.is_citus is None:
                    self.is_citus = has_citus(ReadTransaction(connection, limits))
                yield ReadTransaction(connection, limits, is_citus=self.is_citus)
            except psycopg2.Error as error:
                canceled_late = is_canceled(error) and time.monotonic() >= deadline
                if query.cut is Cut.DEADLINE or canceled_late:
                    metrics.count_deadline(self._name)
                    raise DeadlineExceededError(PAST_DEADLINE) from None
                if query.cut is Cut.CLIENT_LEFT:
                    metrics.count_client_left(self._name)
                    raise ClientLeftError(LEFT) from None
                raise

    def _connect(self) -> Connection:
        """Open a connection unless the breaker is open, in which case only existing connections are used."""
        self._breaker.check()
        started = time.monotonic()
        try:
            connection = self._open_connection()
        except psycopg2.OperationalError as error:
            metrics.count_connect(self._name, "limit" if is_connection_limit(error) else "failed")
            if not is_refusal(error):  # a server that refuses a connection is up
                self._breaker.note_failure(time.monotonic() - started)
            raise
        metrics.count_connect(self._name, "ok")
        self._breaker.note_success()
        return connection

    def _probe(self) -> bool:
        try:
            self._open_connection().close()
        except psycopg2.Error as error:
            return is_refusal(error)
        except (ConfigError, ClusterUnreachableError):
            return False
        return True
