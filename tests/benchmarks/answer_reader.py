"""A fast HTTP client for measurements: one kept connection, and a buffer that is reused for all bodies."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

BUFFER_SIZE = 256 * 1024
# Enough of a body's end for its numbers and, after a poll, for the cursor and the changes.
TAIL_SIZE = 16 * 1024
READ_SECONDS = 900
CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
CURSOR = re.compile(rb"\r\nx-cursor: *(\S+)", re.IGNORECASE)


class WrongAnswerError(Exception):
    """An answer is not the expected one, so its timing has no meaning."""


@dataclass(frozen=True)
class Answer:
    """The head of an answer, the length of its body in bytes, and the end of the body."""

    head: bytes
    size: int
    tail: bytes

    def read_number(self, field: str) -> int:
        """Return the last integer with the name ``field``. Raises WrongAnswerError if the status is not 200."""
        found = re.findall(rb'"%b":([0-9]+)' % field.encode(), self.tail)
        if not self.head.startswith(b"HTTP/1.1 200 ") or not found:
            raise WrongAnswerError(f"{self.head!r} {self.tail!r}")
        return int(found[-1])

    @property
    def cursor(self) -> str:
        """The cursor of an answer to a request with ``after``. Raises WrongAnswerError if there is none."""
        match = CURSOR.search(self.head)
        if match is None:
            raise WrongAnswerError(f"no cursor: {self.head!r}")
        return match[1].decode()


class AnswerReader:
    """Sends requests to one server over one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = memoryview(bytearray(BUFFER_SIZE))

    def get(self, path: str) -> Answer:
        """Request ``path`` and read the whole answer. Raises WrongAnswerError if it is truncated."""
        self._connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
        head, start = self._read_head()
        match = CONTENT_LENGTH.search(head)
        if match is None:
            raise WrongAnswerError(f"no Content-Length: {head!r}")
        size = int(match.group(1))
        return Answer(head, size, self._read_tail(start, size - len(start)))

    def _read_head(self) -> tuple[bytes, bytes]:
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive(BUFFER_SIZE)
        head, _, start = received.partition(b"\r\n\r\n")
        return head, start

    def _read_tail(self, tail: bytes, left: int) -> bytes:
        while left:
            chunk = self._buffer[: min(left, BUFFER_SIZE)]
            count = self._connection.recv_into(chunk)
            if count == 0:
                raise WrongAnswerError(f"the answer was cut off {left} bytes before its end")
            left -= count
            tail = (tail + bytes(chunk[max(0, count - TAIL_SIZE) : count]))[-TAIL_SIZE:]
        return tail

    def _receive(self, size: int) -> bytes:
        received = self._connection.recv(size)
        if not received:
            raise WrongAnswerError("the server closed the connection")
        return received


@contextmanager
def open_reader(port: int) -> Iterator[AnswerReader]:
    """Open a reader for the server on ``port`` of 127.0.0.1."""
    with socket.create_connection(("127.0.0.1", port), timeout=READ_SECONDS) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield AnswerReader(connection)
