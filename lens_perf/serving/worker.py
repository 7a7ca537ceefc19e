"""gunicorn's threaded worker, in which no thread waits for a client that has not sent its whole request.

The worker's event loop receives requests, within ``http.request_seconds``; a thread gets only complete ones. So neither
idle connections nor incomplete requests block others. Probes have their own threads: they are answered while all other
threads wait for a database.
"""

import errno
import selectors
import socket
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import cache, partial
from itertools import takewhile
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from lens_perf.config import load_settings
from lens_perf.errors import ConfigError
from lens_perf.instrumentation import metrics
from lens_perf.serving.answer_socket import UNREAD_SECONDS, AnswerSocket
from lens_perf.serving.arriving_request import ArrivingRequest
from lens_perf.serving.refusals import TOO_SLOW, find_refusal, format_refusal
from lens_perf.settings import HttpSettings

# gunicorn's own status for a server that cannot start.
REFUSED = 3
PROBE_THREADS = 2
READ_BYTES = 64 * 2**10
# Of all incomplete requests. Beyond it, the largest is dropped.
MOST_ARRIVING_BYTES = 32 * 2**20
# How long a closed connection remains, so that the client can read its response.
LINGER_SECONDS = 2.0
# How long a thread waits for a body that the client announced but the application did not read.
DRAIN_SECONDS = 0.05
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class ArrivedUnreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no annotations
    """Reads a received request; waits for missing bytes until ``until``, if at all."""

    def __init__(self, sock: socket.socket, request: ArrivingRequest, until: float) -> None:
        super().__init__(sock)
        self._fault = request.fault
        self._until = until
        self.unread(bytes(request.received))

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return the next bytes. Raises TimeoutError, or the error of an incomplete request."""
        if self._fault is not None:
            raise self._fault
        usual = self.sock.gettimeout()
        remaining = max(0.001, self._until - time.monotonic())
        self.sock.settimeout(remaining if usual is None else min(usual, remaining))
        try:
            return bytes(super().chunk(size_hint))
        finally:
            self.sock.settimeout(usual)


class Worker(ThreadWorker):  # type: ignore[misc]  # likewise
    """A ThreadWorker that receives requests in its event loop, sends JSON errors, and reserves threads for probes."""

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self._request_seconds = load_http_settings().request_seconds
        # In the order of their deadlines, since each has the same time.
        self._arriving: dict[TConn, ArrivingRequest] = {}
        self._arriving_bytes = 0
        self._lingering: dict[TConn, float] = {}

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        """Refuse settings of gunicorn that this worker does not support."""
        if cfg.is_ssl:
            sys.stderr.write("lens_perf: gunicorn must serve plain HTTP; terminate TLS in a proxy in front of it\n")
            sys.exit(REFUSED)
        super().check_config(cfg, log)

    def init_process(self) -> None:
        """Create the threads for probes, and run."""
        self._probe_pool = ThreadPoolExecutor(PROBE_THREADS, "probe")
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        """Accept a connection and begin to read its request."""
        try:
            client, address = listener.accept()
        except OSError as error:  # usually closed already, or accepted by another worker
            if error.errno in {errno.EMFILE, errno.ENFILE}:
                self._close_oldest()
            return
        self.nr_conns += 1
        if client.family != socket.AF_UNIX:
            # Also what the kernel still holds of an answer, once it is sent.
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(UNREAD_SECONDS * 1000))
        connection = AnswerSocket(fileno=client.detach())
        self._await_request(TConn(self.cfg, connection, address, listener.getsockname()))
        self._make_room()

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Read the next request of a connection that was kept alive."""
        if conn not in self.keepalived_conns:
            return  # see _receive
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_request(conn)

    def handle(self, conn: TConn) -> Any:
        """Answer the request received over ``conn``. Runs in a thread."""
        conn.init()
        conn.parser.unreader = ArrivedUnreader(conn.sock, conn.arrived, conn.timeout)
        conn.data_ready = True
        return super().handle(conn)

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: BaseException) -> None:  # noqa: ARG002
        """Answer a request that did not reach the application, or an error that it did not handle, and count it."""
        if not isinstance(exc, (ParseException, OSError)):
            self.log.error("a fault outside the application", exc_info=exc)
        self._refuse(client, addr, *find_refusal(exc))

    def finish_request(self, conn: TConn, future: "Future[Any]") -> None:
        """Continue with a connection whose request has been answered. Runs in the event loop."""
        keeps_alive = not future.cancelled() and future.exception() is None and bool(future.result())
        if not keeps_alive:
            self._linger(conn)
        elif further := conn.parser.unreader.take_buffered():
            self._await_request(conn, further)
        else:
            super().finish_request(conn, future)

    def murder_pending(self) -> None:
        """End requests that did not arrive in time, and connections that have lingered long enough."""
        now = time.monotonic()
        for conn in self._list_late(now):
            self._give_up(conn)
        for conn in list(takewhile(lambda conn: self._lingering[conn] <= now, self._lingering)):
            self._drop(conn)

    def _list_late(self, now: float) -> list[TConn]:
        """Return the connections whose requests are late; while stopping, also those that have sent nothing."""
        late = list(takewhile(lambda conn: conn.timeout <= now, self._arriving))
        if not self.alive:
            silent_until = now + self._request_seconds - STOP_KEEPALIVE_LINGER
            silent = (conn for conn, request in self._arriving.items() if not request.received)
            late += [conn for conn in silent if now < conn.timeout <= silent_until]
        return late

    def _keepalive_after(self, conn: TConn, keepalive: Any) -> bool:
        """Return whether the connection can be reused: not if an unread body is still arriving."""
        return bool(keepalive) and bool(conn.parser.finish_body(deadline=time.monotonic() + DRAIN_SECONDS))

    def enqueue_req(self, conn: TConn) -> None:
        """Pass a complete request to a thread."""
        pool = self._probe_pool if conn.arrived.is_probe else self.tpool
        answered: Future[Any] = Future()
        answered.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))
        try:
            pool.submit(self._answer, conn, answered)
        except RuntimeError:
            # The request is in the queue of the pool's threads, as few as there are.
            self.log.error("no additional thread can be started for requests")  # noqa: TRY400 - the trace says no more

    def _answer(self, conn: TConn, answered: "Future[Any]") -> None:
        try:
            answered.set_result(self.handle(conn))
        except BaseException as error:
            answered.set_exception(error)

    def _await_request(self, conn: TConn, received: bytes = b"") -> None:
        """Start receiving a request that begins with the bytes ``received``."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self._request_seconds
        self._arriving[conn] = ArrivingRequest()
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._receive, conn))
        if received:
            self._add(conn, received)
        if conn in self._arriving:
            self._receive(conn, conn.sock)

    def _receive(self, conn: TConn, client: socket.socket) -> None:
        """Receive the available bytes of a request.

        The poller returns several events at once. Handling the first may have ended the connections of the others, as
        when a new connection takes the place of an old one.
        """
        if conn not in self._arriving:
            return
        try:
            content = client.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            content = b""
        if content:
            self._add(conn, content)
        else:
            self._forget(conn)
            self._drop_unregistered(conn)

    def _add(self, conn: TConn, content: bytes) -> None:
        request = self._arriving[conn]
        before, expected = len(request.received), request.awaits_continue
        request.add(content)
        self._arriving_bytes += len(request.received) - before
        if request.awaits_continue and not expected and not request.is_ready:
            with suppress(OSError):
                conn.sock.send(CONTINUE)
        if request.is_ready:
            self._forget(conn)
            conn.arrived = request
            self.enqueue_req(conn)

    def _make_room(self) -> None:
        """Enforce the limits of bytes and connections: drop the largest incomplete requests, then the oldest one."""
        while self._arriving_bytes > MOST_ARRIVING_BYTES:
            self._give_up(max(self._arriving, key=lambda conn: len(self._arriving[conn].received)))
        if self.nr_conns >= self.worker_connections:
            self._close_oldest()

    def _close_oldest(self) -> None:
        """Close the connection that has waited longest for a request, if there is one."""
        if self._arriving:
            self._give_up(next(iter(self._arriving)))
        if self._lingering:
            self._drop(next(iter(self._lingering)))
        elif self.keepalived_conns:
            self.keepalived_conns[0].timeout = 0.0
            self.murder_keepalived()

    def _give_up(self, conn: TConn) -> None:
        """End an incomplete request; a client that has sent nothing gets no response."""
        request = self._forget(conn)
        if request.received:
            self._refuse(conn.sock, conn.client, *TOO_SLOW)
        self._linger(conn)

    def _forget(self, conn: TConn) -> ArrivingRequest:
        request = self._arriving.pop(conn)
        self._arriving_bytes -= len(request.received)
        self.poller.unregister(conn.sock)
        return request

    def _linger(self, conn: TConn) -> None:
        """Close our side, and wait a moment while the client reads the response.

        https://www.rfc-editor.org/rfc/rfc9112#section-9.6
        """
        try:
            conn.sock.setblocking(False)
            conn.sock.shutdown(socket.SHUT_WR)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))
        except OSError:
            self._drop_unregistered(conn)
        else:
            self._lingering[conn] = time.monotonic() + LINGER_SECONDS

    def _drain(self, conn: TConn, client: socket.socket) -> None:
        if conn not in self._lingering:
            return  # see _receive
        with suppress(BlockingIOError):
            try:
                if client.recv(READ_BYTES):
                    return
            except ConnectionError:
                pass
            self._drop(conn)

    def _drop(self, conn: TConn) -> None:
        del self._lingering[conn]
        self.poller.unregister(conn.sock)
        self._drop_unregistered(conn)

    def _drop_unregistered(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()

    def _refuse(self, client: socket.socket, address: Any, status: Any, message: str) -> None:
        remote = address[0] if isinstance(address, tuple) else "a Unix socket"
        self.log.warning("a request from %s was refused with %d: %s", remote, status, message)
        metrics.count_unserved(status)
        with suppress(OSError):
            # Without waiting: mostly, this is the event loop.
            client.send(format_refusal(status, message), socket.MSG_DONTWAIT)


@cache
def load_http_settings() -> HttpSettings:
    """Return the settings, or the defaults if they cannot be read, which the application reports.

    They are read once, like those of the application: a reload of gunicorn must not change some of them only.
    """
    try:
        return load_settings().http
    except ConfigError:
        return HttpSettings()
