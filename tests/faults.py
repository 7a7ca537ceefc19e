"""Real faults: frozen processes, missing rights, and a gateway to PostgreSQL that stops responding or trickles."""

import os
import pwd
import selectors
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from lens_perf.demo.embedded_postgres import EmbeddedPostgres

FORWARD, SILENT, TRICKLE = "forward", "silent", "trickle"


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until ``condition`` is true; fail after ``seconds``."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("waited in vain")
        time.sleep(0.02)


@contextmanager
def frozen(*processes: int) -> Iterator[None]:
    """Stop processes during the block, as on a machine that hangs."""
    with ExitStack() as stack:
        for process in processes:
            stack.callback(_wake, process)
            os.kill(process, signal.SIGSTOP)
        yield


def _wake(process: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGCONT)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Run the block as a user whom file modes restrict: root acts as nobody."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(user)


@contextmanager
def closed(directory: Path) -> Iterator[None]:
    """During the block, let no unprivileged user enter or list ``directory``."""
    mode = directory.stat().st_mode
    directory.chmod(0)
    try:
        with unprivileged():
            yield
    finally:
        directory.chmod(mode)


class Gateway:
    """A TCP port that forwards to a server's Unix socket; ``mode`` decides what happens to the data."""

    def __init__(self, socket_dir: str, host: str = "127.0.0.1", port: int = 0) -> None:
        self.mode = FORWARD
        self._path = f"{socket_dir}/.s.PGSQL.5432"
        self._listener = socket.create_server((host, port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def dsn(self, database: str, user: str = "postgres") -> str:
        """Return the DSN through this gateway."""
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database} sslmode=disable"

    @property
    def connections(self) -> int:
        """The number of connections accepted so far."""
        return len(self._pairs)

    def close(self) -> None:
        """Close the port and all connections."""
        # After close() alone, accept() would still accept one connection.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._acceptor.join()
        self._listener.close()
        for pair in self._pairs:
            for end in pair:
                end.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.socket(socket.AF_UNIX)
                self._pairs.append((near, far))
                far.connect(self._path)
                threading.Thread(target=self._pump, args=(near, far), daemon=True).start()

    def _pump(self, near: socket.socket, far: socket.socket) -> None:
        with suppress(OSError, ValueError), selectors.DefaultSelector() as selector:
            selector.register(near, selectors.EVENT_READ, far)
            selector.register(far, selectors.EVENT_READ, near)
            while True:
                for key, _ in selector.select(0.05):
                    if self.mode != SILENT and not self._pass_on(key.fileobj, key.data):  # type: ignore[arg-type]
                        near.close()
                        far.close()
                        return
                if self.mode == SILENT:
                    time.sleep(0.02)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> bool:
        content = source.recv(65536)
        if self.mode == TRICKLE:
            for byte in content:
                target.sendall(bytes([byte]))
                time.sleep(0.2)
        else:
            target.sendall(content)
        return bool(content)


@contextmanager
def open_gateway(postgres: EmbeddedPostgres) -> Iterator[Gateway]:
    """Open a gateway during the block."""
    gateway = Gateway(str(postgres.socket_dir))
    try:
        yield gateway
    finally:
        gateway.close()


if __name__ == "__main__":
    # Run in a separate network namespace: HOST PORT DIRECTORY-OF-THE-SOCKET.
    Gateway(sys.argv[3], sys.argv[1], int(sys.argv[2]))
    print("listening", flush=True)
    threading.Event().wait()


@contextmanager
def no_new_threads() -> Iterator[None]:
    """Make new threads fail, by a stack size of 64 TiB."""
    threading.stack_size(1 << 46)
    try:
        with pytest.raises(RuntimeError, match="can't start new thread"):
            threading.Thread(target=int).start()
        yield
    finally:
        threading.stack_size(0)
