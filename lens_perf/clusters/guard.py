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

# A deadline is kept, and a caller who leaves is noticed, within this time.
LOOK_SECONDS = 0.1
LOOKS_BEFORE_SLEEP = 50


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
    """One thread for all queries of a process, begun with the first of them.

    It looks ten times a second while there are queries, and sleeps when there were none for some seconds. To wake it
    for every query would cost a short one a tenth of its time.
    """

    def __init__(self) -> None:
        self._queries: set[GuardedQuery] = set()
        self._changed = threading.Condition(threading.Lock())
        self._process: int | None = None
        self._sleeps = False

    @contextmanager
    def watch(self, server: socket.socket, deadline: float) -> Iterator[GuardedQuery]:
        """Guard what the block does over ``server``; ``deadline`` is a time of ``time.monotonic()``."""
        query = GuardedQuery(server, deadline, get_client_socket())
        with self._changed:
            self._queries.add(query)
            if self._process != os.getpid():
                self._start(query)
            elif self._sleeps:
                self._changed.notify()
        try:
            yield query
        finally:
            with self._changed:
                self._queries.discard(query)

    def _start(self, query: GuardedQuery) -> None:
        """Start the thread of this process: none survives a fork, nor do the queries of the process before it."""
        self._process = os.getpid()
        self._queries = {query}
        self._sleeps = False
        threading.Thread(target=self._run, name="lens_perf-watchdog", daemon=True).start()

    def _run(self) -> None:
        empty_looks = 0
        with self._changed:
            while True:
                self._look()
                empty_looks = 0 if self._queries else empty_looks + 1
                self._sleeps = empty_looks >= LOOKS_BEFORE_SLEEP
                self._changed.wait(None if self._sleeps else LOOK_SECONDS)

    def _look(self) -> None:
        """Cut what must end."""
        now = time.monotonic()
        for query in self._queries:
            if query.cut is None and (reason := query.find_reason(now)):
                query.cut = reason
                with suppress(OSError):
                    query.server.shutdown(socket.SHUT_RDWR)
