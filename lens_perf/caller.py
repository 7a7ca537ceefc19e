"""The socket of the request that this thread answers, so that a disconnected client is noticed."""

import select
from contextvars import ContextVar
from typing import Protocol


class ClientSocket(Protocol):
    """The methods of a socket that are used here."""

    def fileno(self) -> int:
        """Return the file descriptor, or -1 once it is closed."""


_socket: ContextVar[ClientSocket | None] = ContextVar("lens_perf_client_socket", default=None)


def set_client_socket(socket: ClientSocket | None) -> None:
    """Set the socket of the request that this thread answers; None if the server does not provide it."""
    _socket.set(socket)


def get_client_socket() -> ClientSocket | None:
    """Return the socket of the request that this thread answers, if it is known."""
    return _socket.get()


def has_left(client: ClientSocket) -> bool:
    """Return whether the client, or the server, has closed the socket."""
    descriptor = client.fileno()
    if descriptor < 0:
        return True
    poller = select.poll()
    poller.register(descriptor, select.POLLRDHUP)
    return bool(poller.poll(0))
