"""Answers over real sockets to clients that read quickly, slowly, or not at all."""

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from lens_perf.serving import answer_socket
from lens_perf.serving.answer_socket import AnswerSocket, ClientTooSlowError

SIZE = 2**21


@pytest.fixture
def ends() -> Iterator[tuple[AnswerSocket, socket.socket]]:
    """The two ends of a TCP connection with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as listener, closing(socket.socket()) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listener.getsockname())
        accepted, _ = listener.accept()
        with closing(AnswerSocket(fileno=accepted.detach())) as server:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            yield server, client


def send_bytes(server: AnswerSocket, content: bytes) -> None:
    server.sendall(content)


def send_file(server: AnswerSocket, content: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"ahead" + content)
        file.flush()
        assert server.sendfile(file, offset=5) == len(content)
    assert server.getblocking()


SENDERS = (send_bytes, send_file)
Send = Callable[[AnswerSocket, bytes], None]


@pytest.mark.parametrize("send", SENDERS)
def test_all_arrives(ends: tuple[AnswerSocket, socket.socket], send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also at a client that sometimes pauses."""
    monkeypatch.setattr(answer_socket, "UNREAD_SECONDS", 5.0)
    server, client = ends
    content = os.urandom(SIZE)
    received = bytearray()

    def read() -> None:
        while len(received) < SIZE:
            if len(received) < SIZE // 2 < len(received) + 2**16:
                time.sleep(0.3)
            received.extend(client.recv(2**16))

    reader = threading.Thread(target=read)
    reader.start()
    send(server, content)
    reader.join()
    assert received == content


@pytest.mark.parametrize("send", SENDERS)
@pytest.mark.parametrize("reads", [0, 1])
def test_a_client_that_reads_too_slowly(
    ends: tuple[AnswerSocket, socket.socket], send: Send, reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading a few bytes does not extend the time."""
    monkeypatch.setattr(answer_socket, "UNREAD_SECONDS", 0.5)
    monkeypatch.setattr(answer_socket, "LEAST_BYTES_PER_SECOND", 10**9)
    server, client = ends
    stopped = threading.Event()

    def read() -> None:
        while not stopped.wait(0.02):
            client.recv(reads * 2000)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with pytest.raises(ClientTooSlowError):
            send(server, bytes(SIZE))
    finally:
        stopped.set()
        reader.join()


def test_a_client_that_has_left(ends: tuple[AnswerSocket, socket.socket]) -> None:
    server, client = ends
    client.close()
    with pytest.raises(ConnectionError):
        server.sendall(bytes(SIZE))
