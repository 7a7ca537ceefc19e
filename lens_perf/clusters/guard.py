"""The watchdog: ends queries that run past their deadline and those whose caller has left, by shutting their socket.

``statement_timeout`` needs a server that is awake, and ``connection.cancel()`` holds the interpreter's lock for as long
as a server is silent. Shutting the socket down needs neither: the thread that waits on it wakes up with an error, and
the server, once it is awake, finds its client gone.
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

# A deadline is kept, and a caller who leaves is noticed, within this time.
LOOK_SECONDS = 0.1


class Cut(Enum):
    """Why a query was ended."""

    DEADLINE = "it ran past its deadline"
    CLIENT_LEFT = "nobody waits for it"


@dataclass(eq=False)
class GuardedQuery:
    """A query under way: the socket it waits on, when it must be over, and whose it is."""

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

    libpq closes its descriptor when a connection breaks, and the number may then belong to somebody else; what is shut
    down through a duplicate is always the connection that was meant.
    """
    return socket.socket(fileno=os.dup(descriptor))


class Watchdog:
    """Guards all queries of a process from one thread, begun with the first of them."""

    def __init__(self) -> None:
        self._queries: set[GuardedQuery] = set()
        self._lock = threading.Lock()
        self._thread = GuardThread("watchdog", LOOK_SECONDS, self._look)

    @contextmanager
    def watch(self, server: socket.socket, deadline: float) -> Iterator[GuardedQuery]:
        """Guard what the block does over ``server``; ``deadline`` is a time of ``time.monotonic()``.

        Raises ClusterSaturatedError if there is no guard to be had: without one, the block might never end.
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

    def _look(self) -> bool:
        """Cut what must end; return whether there is anything to guard.

        Under the lock: a socket must not be shut when its query is over and another one may have it.
        """
        now = time.monotonic()
        with self._lock:
            for query in self._queries:
                if query.cut is None and (reason := query.find_reason(now)):
                    query.cut = reason
                    with suppress(OSError):
                        query.server.shutdown(socket.SHUT_RDWR)
            return bool(self._queries)
