"""Runs separate PostgreSQL servers for a test: with settings, with copies of their data, with a streaming standby."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from tests.faults import wait_until
from tests.front.programs import open_directory

# These servers need no durability.
FAST = ("fsync=off", "listen_addresses=", "autovacuum=off", "max_connections=40", "shared_buffers=16MB")


@dataclass(frozen=True)
class PostgresServer:
    """A server over the data in ``directory``, reachable through a Unix socket there as superuser ``postgres``."""

    bin_dir: Path
    directory: Path
    user: str | None

    def dsn(self, database: str = "postgres", user: str = "postgres") -> str:
        """Return the connection string of ``database`` for ``user``."""
        return f"host='{self.directory}' user='{user}' dbname='{database}'"

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one of the server's programs as its owner."""
        command = [str(self.bin_dir / program), *map(str, arguments)]
        outcome = subprocess.run(
            command, user=self.user, cwd="/tmp", capture_output=True, text=True, check=False, timeout=60
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr

    def initialise(self) -> None:
        """Create an empty cluster."""
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions")

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.directory / "data"

    def copy_data(self, source: Path, target: Path) -> None:
        """Copy the data directory of a server that does not run, as its owner."""
        subprocess.run(["cp", "-a", str(source), str(target)], user=self.user, check=True)

    @contextmanager
    def started(self, *settings: str) -> Iterator["PostgresServer"]:
        """Run the server with ``settings`` during the block."""
        options = [f"-c {setting}" for setting in (*FAST, *settings)]
        socket = f"-k {self.directory}"
        self.run(
            "pg_ctl", "start", "-w", "-D", self.data, "-l", self.directory / "log", "-o", " ".join([socket, *options])
        )
        try:
            yield self
        finally:
            self.run("pg_ctl", "stop", "-w", "-m", "fast", "-D", self.data)

    def execute(self, statement: str, database: str = "postgres") -> Sequence[tuple[object, ...]]:
        """Run a statement outside a transaction and return its rows, if it has any."""
        with closing(psycopg2.connect(self.dsn(database))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []


@contextmanager
def open_server(bin_dir: Path, user: str) -> Iterator[PostgresServer]:
    """Create a directory for a server, which runs as ``user`` if the tests run as root."""
    with open_directory(user) as directory:
        yield PostgresServer(bin_dir, directory, user if os.geteuid() == 0 else None)


@contextmanager
def run_standby(primary: PostgresServer, *settings: str) -> Iterator[PostgresServer]:
    """Run a hot standby that streams from ``primary``, which must be running."""
    with open_server(primary.bin_dir, primary.directory.owner()) as standby:
        standby.run("pg_basebackup", "-D", standby.data, "-R", "-X", "stream", "-c", "fast", "-d", primary.dsn())
        with standby.started("hot_standby=on", *settings):
            yield standby


def wait_for_replay(primary: PostgresServer, standby: PostgresServer) -> None:
    """Wait until the standby has replayed all that the primary has written."""
    ((position,),) = primary.execute("SELECT pg_current_wal_flush_lsn()::text")
    wait_until(lambda: standby.execute(f"SELECT pg_last_wal_replay_lsn() >= '{position}'::pg_lsn") == [(True,)])
