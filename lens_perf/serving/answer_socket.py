"""The socket of a client. A client that receives its response too slowly is disconnected."""

import errno
import logging
import os
import select
import socket
import time
from collections.abc import Callable
from typing import IO, Any

log = logging.getLogger(__name__)

# The longest time in which a client may receive nothing.
UNREAD_SECONDS = 30.0
# The minimum rate apart from such pauses. The slowest mobile networks are faster.
LEAST_BYTES_PER_SECOND = 4_096
CHUNK_BYTES = 2**20


class ClientTooSlowError(BrokenPipeError):
    """The client receives the response too slowly; the server treats it as disconnected."""

    def __init__(self) -> None:
        super().__init__(errno.EPIPE, "the client takes too little of the answer")


class AnswerSocket(socket.socket):
    """A socket whose ``sendall`` and ``sendfile`` raise ClientTooSlowError.

    Data are written to the kernel's buffer first, so that a small response never waits for its client.
    """

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        """Send all of ``data``."""
        content = memoryview(data).cast("B")
        self._send(
            len(content),
            lambda sent: self.send(content[sent : sent + CHUNK_BYTES], flags | socket.MSG_DONTWAIT),
        )

    def sendfile(self, file: IO[bytes], offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        """Send ``count`` bytes of ``file`` from ``offset`` on, by default all; return how many were sent."""
        descriptor = file.fileno()
        size = max(0, os.fstat(descriptor).st_size - offset) if count is None else count
        blocking = self.getblocking()
        self.setblocking(False)
        try:
            return self._send(
                size,
                lambda sent: os.sendfile(self.fileno(), descriptor, offset + sent, min(CHUNK_BYTES, size - sent)),
            )
        finally:
            self.setblocking(blocking)

    def _send(self, size: int, send_from: Callable[[int], int]) -> int:
        """Call ``send_from`` with the number of bytes sent so far until ``size`` are sent; return that number."""
        sent, until = 0, time.monotonic() + UNREAD_SECONDS
        while sent < size:
            try:
                taken = send_from(sent)
            except BlockingIOError:
                remaining = until - time.monotonic()
                if remaining <= 0:
                    log.warning("a client was disconnected: it took %d of %d bytes in too much time", sent, size)
                    raise ClientTooSlowError from None
                poller = select.poll()
                poller.register(self.fileno(), select.POLLOUT)
                poller.poll(remaining * 1000)
                continue
            if not taken:
                break  # the file has been truncated
            sent += taken
            until = min(until + taken / LEAST_BYTES_PER_SECOND, time.monotonic() + UNREAD_SECONDS)
        return sent
