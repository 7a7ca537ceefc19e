"""Runs Debian's PostgreSQL with TLS on a loopback port; the embedded one has no TLS."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from lens_perf.performance.schema import create_schema
from tests.faults import wait_until
from tests.front.certificates import Certificate, make_authority, make_certificate
from tests.front.programs import find_program, open_directory
from tests.test_serving import free_port

# It refuses to run as root.
USER = "postgres"
# The name in its certificate, for the address 127.0.0.1.
NAME = "db.example.org"
SETTINGS = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = '{directory}'
fsync = off
ssl = on
ssl_cert_file = '{server.certificate}'
ssl_key_file = '{server.key}'
"""
# TLS is required over TCP, as in production; the tests use the socket.
HBA = """
local all all trust
hostssl all all 127.0.0.1/32 trust
"""


@dataclass(frozen=True)
class TlsPostgres:
    """A running server, the certificate to trust, and one not to trust."""

    port: int
    directory: Path
    authority: Path
    stranger: Path

    def local_dsn(self) -> str:
        """Return the superuser's DSN, without TLS."""
        return f"host={self.directory} port={self.port} user=postgres dbname=postgres"

    def dsn(self, words: str, name: str = NAME) -> str:
        """Return the service's DSN for the host ``name``, with additional libpq keywords ``words``."""
        return f"host={name} hostaddr=127.0.0.1 port={self.port} user=postgres dbname=postgres {words}"


@contextmanager
def run_tls_postgres() -> Iterator[TlsPostgres]:
    """Run a server that has the table, until the block ends."""
    programs = Path(find_program("postgres")).resolve().parent
    user = USER if os.geteuid() == 0 else None
    with open_directory(user) as directory:
        authority, stranger = make_authority(directory, "authority"), make_authority(directory, "stranger")
        server = make_certificate(directory, "server", f"DNS:{NAME}", authority)
        _give(server, user)
        port, data = free_port(), directory / "data"
        initdb = [programs / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync", "--no-instructions"]
        subprocess.run(initdb, user=user, check=True, capture_output=True, cwd=directory)
        with (data / "postgresql.conf").open("a") as file:
            file.write(SETTINGS.format(port=port, directory=directory, server=server))
        (data / "pg_hba.conf").write_text(HBA, "utf-8")
        made = TlsPostgres(port, directory, authority.certificate, stranger.certificate)
        command = [programs / "postgres", "-D", data]
        with subprocess.Popen(command, user=user, stderr=subprocess.DEVNULL, cwd=directory) as process:
            try:
                # It listens before it is ready.
                wait_until(lambda: _accepts(made.local_dsn()))
                with closing(psycopg2.connect(made.local_dsn())) as connection:
                    create_schema(connection)
                yield made
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=20)


def _accepts(dsn: str) -> bool:
    with suppress(psycopg2.OperationalError):
        psycopg2.connect(dsn).close()
        return True
    return False


def _give(server: Certificate, user: str | None) -> None:
    server.key.chmod(0o600)
    if user is not None:
        subprocess.run(["chown", user, server.key], check=True)
