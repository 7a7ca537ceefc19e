"""The watchdog: ends queries past their deadline, and queries whose client has disconnected, by shutting their socket.

``statement_timeout`` needs a server that responds, and ``connection.cancel()`` holds the interpreter's lock while the
server is silent. Shutting the socket down needs neither: the thread that waits on it gets an error, and the server
finds its client gone once it responds again.
"""

import os
import socket
import threading
import time
from contextlib import suppress
from enum import Enum
from types import TracebackType
from typing import Self

from lens_perf.caller import get_client_socket, has_left
from lens_perf.clusters.guard_thread import GuardThread

# Deadlines are enforced, and disconnected clients noticed, within this time.
CHECK_SECONDS = 0.1


class Cut(Enum):
    """Why a query was ended."""

    DEADLINE = "deadline exceeded"
    CLIENT_LEFT = "client disconnected"


class GuardedQuery:
    """A query that is guarded during a block: the socket it waits on, its deadline, and the socket of its client.

    A class, because contextlib's generators take a tenth of the time of a small read.
    """

    __slots__ = ("_watchdog", "client", "cut", "deadline", "server")

    def __init__(self, watchdog: "Watchdog", server: socket.socket, deadline: float) -> None:
        self._watchdog = watchdog
        self.server = server
        self.deadline = deadline
        self.client = get_client_socket()
        self.cut: Cut | None = None

    def __enter__(self) -> Self:
        self._watchdog.add(self)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._watchdog.remove(self)

    def find_reason(self, now: float) -> Cut | None:
        """Return why the query must end, if it must."""
        if now >= self.deadline:
            return Cut.DEADLINE
        return Cut.CLIENT_LEFT if self.client is not None and has_left(self.client) else None


def duplicate_socket(descriptor: int) -> socket.socket:
    """Return a socket object of its own for an open socket.

    libpq closes its descriptor when a connection breaks, and the number can then be reused; a duplicate always refers
    to the original connection.
    """
    return socket.socket(fileno=os.dup(descriptor))


class Watchdog:
    """Guards all queries of a process from one thread, which starts with the first query."""

    def __init__(self) -> None:
        self._queries: set[GuardedQuery] = set()
        self._lock = threading.Lock()
        self._thread = GuardThread("watchdog", CHECK_SECONDS, self._check)

    def watch(self, server: socket.socket, deadline: float) -> GuardedQuery:
        """Guard what a block does over ``server``; ``deadline`` is a time of ``time.monotonic()``.

        Raises ClusterSaturatedError if the guard's thread cannot be started: without it, the block might never end.
        """
        return GuardedQuery(self, server, deadline)

    def add(self, query: GuardedQuery) -> None:
        """Guard ``query``. Raises ClusterSaturatedError."""
        with self._lock:
            self._queries.add(query)
        try:
            self._thread.wake()
        except BaseException:
            self.remove(query)
            raise

    def remove(self, query: GuardedQuery) -> None:
        """Guard ``query`` no more."""
        with self._lock:
            self._queries.discard(query)

    def _check(self) -> bool:
        """Cut the queries that must end; return whether any query is running.

        Under the lock, so that no socket is shut after its query has ended and another query uses it.
        """
        now = time.monotonic()
        with self._lock:
            for query in self._queries:
                if query.cut is None and (reason := query.find_reason(now)):
                    query.cut = reason
                    with suppress(OSError):
                        query.server.shutdown(socket.SHUT_RDWR)
            return bool(self._queries)
