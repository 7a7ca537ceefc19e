"""One cluster as requests meet it: breaker, bulkhead, pool and watchdog in the order in which they stand in the way."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.clusters.breaker import Breaker
from lens_perf.clusters.bulkhead import Bulkhead, share_of_threads
from lens_perf.clusters.driver_errors import PAST_DEADLINE, is_canceled, is_connection_limit, is_refusal
from lens_perf.clusters.guard import Cut, Watchdog
from lens_perf.clusters.pool import ConnectionPool
from lens_perf.clusters.prober import Prober
from lens_perf.clusters.transaction import ReadTransaction, format_limits
from lens_perf.config import Settings
from lens_perf.errors import ClientLeftError, ClusterUnreachableError, ConfigError, DeadlineExceededError
from lens_perf.instrumentation import metrics

Dial = Callable[[], Connection]

LEFT = "The client left before the answer was ready"


@dataclass(frozen=True)
class Guards:
    """What looks after all clusters of a process."""

    watchdog: Watchdog
    prober: Prober
    wake_janitor: Callable[[], None]


class Cluster:
    """A cluster's pool with all that bounds its use. Dials nothing until a connection is asked for."""

    def __init__(self, name: str, dial: Dial, settings: Settings, guards: Guards) -> None:
        self._name = name
        self._dial = dial
        self._watchdog = guards.watchdog
        self._deadline_seconds = settings.limits.deadline_seconds
        self._settings = settings.limits
        self._limits = format_limits(settings.limits)
        self._breaker = Breaker(name, self._probe, guards.prober)
        threads = settings.http.threads
        share = share_of_threads(threads, len(settings.clusters))
        self._bulkhead = Bulkhead(share, threads, f"Cluster {name} is busy; try again in a moment")
        self.pool = ConnectionPool(name, self._dial_unless_away, settings.pool, guards.watchdog, guards.wake_janitor)

    @property
    def breaker_state(self) -> str:
        """``"closed"``, as it should be, or ``"open"`` while the cluster is known to be away."""
        return self._breaker.state

    def read(self, within: float | None = None) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection for statements that must be over by the deadline, or ``within`` so many seconds.

        Raises ClusterError when no connection can be had, DeadlineExceededError, ClientLeftError when nobody waits for
        the answer any more, and the LensError of whatever else the driver raises within the block.
        """
        seconds = self._deadline_seconds if within is None else min(within, self._deadline_seconds)
        return self._read(seconds, self._limits)

    def read_in_background(self, seconds: float) -> AbstractContextManager[ReadTransaction]:
        """Borrow a connection for ``seconds``, which may be longer than the deadline of requests.

        Raises what ``read`` raises.
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
                yield ReadTransaction(connection, limits)
            except psycopg2.Error as error:
                canceled_late = is_canceled(error) and time.monotonic() >= deadline
                if query.cut is Cut.DEADLINE or canceled_late:
                    metrics.count_deadline(self._name)
                    raise DeadlineExceededError(PAST_DEADLINE) from None
                if query.cut is Cut.CLIENT_LEFT:
                    metrics.count_client_left(self._name)
                    raise ClientLeftError(LEFT) from None
                raise

    def _dial_unless_away(self) -> Connection:
        """Dial, unless the breaker is open. What is connected already is used even then."""
        self._breaker.check()
        started = time.monotonic()
        try:
            connection = self._dial()
        except psycopg2.OperationalError as error:
            metrics.count_dial(self._name, "limit" if is_connection_limit(error) else "failed")
            if not is_refusal(error):  # a server that refuses is there: the breaker has nothing to say of it
                self._breaker.note_failure(time.monotonic() - started)
            raise
        metrics.count_dial(self._name, "ok")
        self._breaker.note_success()
        return connection

    def _probe(self) -> bool:
        try:
            self._dial().close()
        except psycopg2.Error as error:
            return is_refusal(error)
        except (ConfigError, ClusterUnreachableError):
            return False
        return True
