"""Sends requests for one path over several kept connections and prints the answers per second; run as a process."""

import selectors
import socket
import sys
import time
from contextlib import ExitStack
from typing import cast

from tests.benchmarks.answer_reader import WrongAnswerError

RECEIVE_SIZE = 64 * 1024
GOOD = b"HTTP/1.1 200 "
END_OF_HEADERS = b"\r\n\r\n"


class Client:
    """One connection with one pending request; every answer must have status 200 and this body."""

    def __init__(self, connection: socket.socket, request: bytes, body: bytes) -> None:
        self._connection = connection
        self._request = request
        self._end = END_OF_HEADERS + body
        self._received = b""

    def ask(self) -> None:
        """Send the request."""
        self._connection.sendall(self._request)

    def receive(self, *, asks_again: bool = True) -> bool:
        """Take what has come; if that completes the answer, ask again, if ``asks_again``, and return True."""
        received = self._connection.recv(RECEIVE_SIZE)
        self._received += received
        if not received or not self._received.startswith(GOOD):
            raise WrongAnswerError(f"under load: {self._received!r}")
        # The headers differ: each answer has an id and times of its own.
        if not self._received.endswith(self._end):
            return False
        self._received = b""
        if asks_again:
            self.ask()
        return True


def measure_rate(port: int, path: str, connections: int, seconds: float) -> float:
    """Return the answers per second."""
    request = f"GET {path} HTTP/1.1\r\nHost: bench\r\n\r\n".encode()
    body = _read_body(port, request)
    with ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(connection, request, body)
            # Answered before the next connects: all workers are idle then, and each may accept it. A busy one, which
            # is awake already, would be faster than the others, and answer all connections alone.
            client.ask()
            while not client.receive(asks_again=False):
                pass
            selector.register(connection, selectors.EVENT_READ, client)
        for key in selector.get_map().values():
            cast("Client", key.data).ask()
        return _count_answers(selector, seconds) / seconds


def _read_body(port: int, request: bytes) -> bytes:
    closing_request = request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(closing_request)
        answer = b"".join(iter(lambda: connection.recv(RECEIVE_SIZE), b""))
    return answer.partition(END_OF_HEADERS)[2]


def _count_answers(selector: selectors.BaseSelector, seconds: float) -> int:
    answers = 0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in selector.select(timeout=seconds):
            answers += cast("Client", key.data).receive()
    return answers


if __name__ == "__main__":
    _, port_text, path_text, connections_text, seconds_text = sys.argv
    print(measure_rate(int(port_text), path_text, int(connections_text), float(seconds_text)))
