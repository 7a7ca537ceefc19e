"""The watchdog: ends queries past their deadline, and queries whose client has disconnected, by shutting their socket.

``statement_timeout`` needs a server that responds, and ``connection.cancel()`` holds the interpreter's lock while the
server is silent. Shutting the socket down needs neither: the thread that waits on it gets an error, and the server
finds its client gone once it responds again.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum

from lens_perf.caller import ClientSocket, get_client_socket, has_left
from lens_perf.clusters.guard_thread import GuardThread

# Deadlines are enforced, and disconnected clients noticed, within this time.
CHECK_SECONDS = 0.1


class Cut(Enum):
    """Why a query was ended."""

    DEADLINE = "deadline exceeded"
    CLIENT_LEFT = "client disconnected"


@dataclass(eq=False)
class GuardedQuery:
    """A running query: the socket it waits on, its deadline, and the socket of its client."""

    server: socket.socket
    deadline: float
    client: ClientSocket | None
    cut: Cut | None = None

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

    @contextmanager
    def watch(self, server: socket.socket, deadline: float) -> Iterator[GuardedQuery]:
        """Guard what the block does over ``server``; ``deadline`` is a time of ``time.monotonic()``.

        Raises ClusterSaturatedError if the guard's thread cannot be started: without it, the block might never end.
        """
        query = GuardedQuery(server, deadline, get_client_socket())
        with self._lock:
            self._queries.add(query)
        try:
            self._thread.wake()
            yield query
        finally:
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
