"""Runs PgBouncer in transaction mode in front of an embedded PostgreSQL."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.faults import wait_until
from tests.front.programs import find_program, open_directory

READER = "lens_reader"
SETTINGS = """
[databases]
* = host={socket_dir}

[pgbouncer]
unix_socket_dir = {directory}
unix_socket_mode = 0777
listen_addr =
listen_port = 5432
auth_type = trust
auth_file = {directory}/users.txt
stats_users = {reader}
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = 500
query_wait_timeout = 5
logfile = {directory}/pgbouncer.log
"""


@dataclass(frozen=True)
class BehindPgBouncer(EmbeddedPostgres):
    """A server that the service's role uses through PgBouncer, and the superuser directly."""

    bouncer_dir: Path

    def dsn(self, database: str, user: str = "postgres") -> str:
        """Return the key=value connection string of ``database`` for ``user``."""
        directory = self.bouncer_dir if user == READER else self.socket_dir
        return f"host='{directory}' user='{user}' dbname='{database}'"


@contextmanager
def run_pgbouncer(postgres: EmbeddedPostgres, pool_size: int = 20) -> Iterator[BehindPgBouncer]:
    """Run PgBouncer with at most ``pool_size`` connections to each database."""
    program = find_program("pgbouncer")
    # PgBouncer refuses to run as root, and only its owner can use the directory of the server's socket.
    user = postgres.socket_dir.owner()
    with open_directory(user) as directory:
        settings = SETTINGS.format(
            socket_dir=postgres.socket_dir, directory=directory, reader=READER, pool_size=pool_size
        )
        (directory / "pgbouncer.ini").write_text(settings, "utf-8")
        (directory / "users.txt").write_text(f'"{READER}" ""\n', "utf-8")
        as_user = ["-u", user] if os.geteuid() == 0 else []
        command = [program, "-q", *as_user, str(directory / "pgbouncer.ini")]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                wait_until((directory / ".s.PGSQL.5432").exists)
                yield BehindPgBouncer(postgres.socket_dir, postgres.postmaster_pid, postgres.bin_dir, directory)
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=20)
