"""Sends raw bytes to an HTTP server, and reads all answers."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass

# Far longer than any answer takes. A server that neither answers nor closes the connection fails the test.
TIMEOUT_SECONDS = 10.0


@dataclass(frozen=True)
class Answers:
    """All answers until the server closed the connection."""

    statuses: Sequence[int]
    text: str


def converse(port: int, sent: bytes) -> Answers:
    """Send bytes over a new connection and read until the server closes it, which it must."""
    with closing(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)) as connection:
        # If the server refuses the request early, the rest cannot be sent.
        with suppress(ConnectionError):
            connection.sendall(sent)
        received = _read_all(connection)
    return Answers(list(_list_statuses(received)), received.decode("latin-1"))


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    # A server that closes without reading all bytes resets the connection. Its answers are still read.
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def _list_statuses(received: bytes) -> Iterator[int]:
    """Yield the status of each response; one without a length is the last."""
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        assert first.startswith("HTTP/1."), first
        status = int(first.split()[1])
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = 0 if status < 200 else int(headers.get("content-length", len(rest)))
        received = rest[length:]
        yield status
