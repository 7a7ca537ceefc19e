"""Who waits for an answer: the socket of the request that this thread works on, so that its leaving is noticed."""

import select
from contextvars import ContextVar
from typing import Protocol


class ClientSocket(Protocol):
    """What is needed of a socket."""

    def fileno(self) -> int:
        """Return the file descriptor, or -1 once it is closed."""


_socket: ContextVar[ClientSocket | None] = ContextVar("lens_perf_client_socket", default=None)


def set_client_socket(socket: ClientSocket | None) -> None:
    """Say whose request this thread works on from now; None where the server does not tell."""
    _socket.set(socket)


def get_client_socket() -> ClientSocket | None:
    """Return the socket of the request that this thread works on, if it is known."""
    return _socket.get()


def has_left(client: ClientSocket) -> bool:
    """Tell whether the peer of a client's socket has closed its side, or the server ours."""
    descriptor = client.fileno()
    if descriptor < 0:
        return True
    poller = select.poll()
    poller.register(descriptor, select.POLLRDHUP)
    return bool(poller.poll(0))
