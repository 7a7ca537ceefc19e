"""The bounded pool of connections to one cluster: SQLAlchemy's QueuePool over psycopg2, used bare.

The life of a connection: opened when a request finds no idle one and the pool is not full; lent to one request at a
time; returned, or closed if its use ended in anything but a complete response; before its next use replaced if it is
old or the server has closed it, and tested if it has been idle for long; closed after ``idle_seconds`` without use.
"""

import random
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from lens_perf.clusters.driver_errors import translate
from lens_perf.clusters.guard import Watchdog, duplicate_socket
from lens_perf.errors import ClusterSaturatedError, ConfigError
from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.timing import phase
from lens_perf.settings import PoolSettings

LIFETIME_JITTER = 0.1
# The keys of what is kept with a connection.
SOCKET, POLLER = "socket", "poller"


class ConnectionPool:
    """At most ``settings.size`` connections to one cluster. Connects when the first connection is requested."""

    def __init__(
        self,
        cluster: str,
        connect: Callable[[], Connection],
        settings: PoolSettings,
        watchdog: Watchdog,
        opened: Callable[[], None] = lambda: None,
    ) -> None:
        self._cluster = cluster
        self._watchdog = watchdog
        self._settings = settings
        self._lock = threading.Lock()
        self._open = 0
        self._in_use = 0
        self._most_in_use = 0
        self._opened = opened
        self._pool: Pool = QueuePool(
            connect,  # type: ignore[arg-type]  # a psycopg2 connection is a DBAPI connection; its stub is only looser
            pool_size=settings.size,
            max_overflow=0,
            timeout=settings.wait_seconds,
            use_lifo=True,
            # Each statement is its own transaction, so there is nothing to reset.
            reset_on_return=None,
        )
        # recreate() keeps these listeners.
        event.listen(self._pool, "connect", self._prepare)
        event.listen(self._pool, "close", self._close_duplicate)
        event.listen(self._pool, "checkin", self._remember_idleness)
        event.listen(self._pool, "checkout", self._check_liveness)

    @property
    def in_use(self) -> int:
        """The number of connections in use."""
        return self._in_use

    @contextmanager
    def lend(self) -> Iterator[tuple[Connection, socket.socket]]:
        """Lend a connection, and a duplicate of its socket by which to cut it, during the block.

        Raises ClusterSaturatedError if none is free within ``wait_seconds``, and the errors of ``driver_errors.RULES``
        for what the driver raises within the block.
        """
        started = time.monotonic()
        try:
            with phase("pool"):
                pool = self._pool
                borrowed = pool.connect()
        except PoolTimeoutError:
            metrics.count_refusal(self._cluster, "pool")
            raise ClusterSaturatedError(f"Cluster {self._cluster} is busy; try again in a moment") from None
        except (psycopg2.Error, ConfigError) as error:
            raise translate(self._cluster, error) from None
        finally:
            metrics.observe_pool_wait(self._cluster, time.monotonic() - started)
        connection: Any = borrowed.dbapi_connection
        self._note_use(1)
        try:
            yield connection, borrowed.info[SOCKET]
        except psycopg2.Error as error:
            raise translate(self._cluster, error) from None
        finally:
            # Not reused: a closed connection, one whose result was not read to its end, and one of a pool that has
            # been replaced meanwhile.
            is_unfit = connection.closed or connection.get_transaction_status() != TRANSACTION_STATUS_IDLE
            if is_unfit or pool is not self._pool:
                borrowed.invalidate()
            borrowed.close()
            self._note_use(-1)

    def _note_use(self, change: int) -> None:
        with self._lock:
            self._in_use = in_use = self._in_use + change
            self._most_in_use = max(self._most_in_use, in_use)
            idle = max(0, self._open - in_use)
        metrics.set_pool_use(self._cluster, in_use, idle)

    def give_back(self) -> bool:
        """Close the idle connections if not all open ones were needed since the last call.

        Those in use are closed when they are returned. Returns whether any connection is left.
        """
        with self._lock:
            is_surplus, self._most_in_use = self._open > self._most_in_use, self.in_use
        if is_surplus:
            # As SQLAlchemy's Engine does it: a pool that is disposed of is not used again.
            replaced, self._pool = self._pool, self._pool.recreate()
            replaced.dispose()
            self._note_use(0)
        return self._open > 0

    def close(self) -> None:
        """Close the idle connections; those in use are closed when they are returned."""
        self._pool.dispose()

    def _prepare(self, connection: Any, entry: ConnectionPoolEntry) -> None:
        with self._lock:
            self._open += 1
            self._most_in_use = max(self._most_in_use, self._open)
        self._opened()
        entry.info[SOCKET] = duplicate_socket(connection.fileno())
        entry.info[POLLER] = select.poll()
        entry.info[POLLER].register(connection.fileno(), select.POLLIN)
        jitter = 1 + random.uniform(-LIFETIME_JITTER, LIFETIME_JITTER)  # noqa: S311 - spreads load, guards nothing
        entry.info["expires_at"] = time.monotonic() + self._settings.lifetime_seconds * jitter

    def _close_duplicate(self, _connection: object, entry: ConnectionPoolEntry) -> None:
        with self._lock:
            self._open -= 1
        if duplicate := entry.info.pop(SOCKET, None):
            duplicate.close()

    def _remember_idleness(self, _connection: object, entry: ConnectionPoolEntry) -> None:
        entry.info["idle_since"] = time.monotonic()

    def _check_liveness(self, connection: Any, entry: ConnectionPoolEntry, _proxy: object) -> None:
        """Raise DisconnectionError, which makes the pool reconnect, if ``connection`` is too old or dead."""
        idle_since = entry.info.get("idle_since")
        if idle_since is None:
            return  # a new connection; TLS may still deliver the end of its handshake
        now = time.monotonic()
        # Input to an idle connection almost always means that the server has closed it. Polling needs no round trip, so
        # every use is preceded by it: after a restart of the server no request gets a dead connection.
        if now >= entry.info["expires_at"] or entry.info[POLLER].poll(0):
            raise DisconnectionError
        if now - idle_since < self._settings.idle_check_seconds:
            return
        deadline = now + self._settings.connect_seconds
        try:
            with self._watchdog.watch(entry.info[SOCKET], deadline), connection.cursor() as cursor:
                cursor.execute("/* lens_perf: check_liveness */ SELECT 1")
        except psycopg2.Error:
            raise DisconnectionError from None
