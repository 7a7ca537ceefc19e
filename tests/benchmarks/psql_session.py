"""One psql, fed through its standard input, so that a statement's time holds no start of a process."""

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.clusters.transaction import format_limits
from lens_perf.config import LimitSettings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres

SENTINEL = b"lens_perf: done\n"
# \warn writes to the standard error, which is not buffered.
END = b"\n;\n\\warn " + SENTINEL


class StatementRecorder:
    """A transaction that runs nothing and keeps the one statement it was given, as a psql script."""

    def __init__(self, connection: Connection, limits: LimitSettings) -> None:
        self._connection = connection
        # Joined by \; they travel in one message with the statement, as the service sends them.
        self._limits = format_limits(limits).replace(b";\n", b"\\;\n")
        self.script = b""

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Keep ``statement`` and return no rows."""
        with self._connection.cursor() as cursor:
            self.script = self._limits + cursor.mogrify(statement, parameters) + END
        return []

    def copy_out(self, statement: str, parameters: Mapping[str, Any], _sink: object) -> None:
        """Keep ``statement``."""
        self.fetch_all(statement, parameters)


class PsqlSession:
    """A running psql, whose results go to /dev/null."""

    def __init__(self, commands: IO[bytes], messages: IO[bytes]) -> None:
        self._commands = commands
        self._messages = messages

    def run(self, script: bytes) -> None:
        """Run a recorded script to its end. Raises RuntimeError with psql's message if it has one."""
        self._commands.write(script)
        self._commands.flush()
        message = self._messages.readline()
        if message != SENTINEL:
            raise RuntimeError(f"psql: {message.decode()}")


@contextmanager
def open_psql(postgres: EmbeddedPostgres, database: str) -> Iterator[PsqlSession]:
    """Run a psql over ``database`` until the block ends."""
    options: Sequence[str] = ("-X", "-q", "-A", "-t", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1")
    with subprocess.Popen(
        [postgres.bin_dir / "psql", *options, postgres.dsn(database)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            yield PsqlSession(process.stdin, process.stderr)
        finally:
            # It may be within a long statement, after Ctrl-C.
            process.terminate()
