"""Runs statements in read-only transactions: one for each statement, or one snapshot for several.

The limits, set with ``SET LOCAL``, travel in the same message as the first statement. PostgreSQL runs a message without
``BEGIN`` as one transaction, which ends with it: a single round trip, nothing left open, nothing set for the session,
and therefore fit for PgBouncer in transaction mode.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import TRANSACTION_STATUS_INERROR, TRANSACTION_STATUS_INTRANS
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.errors import InvalidParameterError
from lens_perf.instrumentation.timing import phase
from lens_perf.settings import LimitSettings

UNSTORABLE = "A parameter contains a NUL character or an unpaired surrogate, which PostgreSQL cannot store"


def format_limits(limits: LimitSettings) -> bytes:
    """Return the statements that precede every query in its message."""
    deadline_ms = max(1, round(limits.deadline_seconds * 1000))
    # The server checks every half second whether its client is still connected. jit is off because compilation costs
    # more than these short statements do. A created_at without time zone is UTC, whatever the server's time zone.
    return f"""
SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = {deadline_ms};
SET LOCAL work_mem = '{limits.work_mem_mib}MB';
SET LOCAL client_connection_check_interval = 500;
SET LOCAL jit = off;
SET LOCAL timezone = 'UTC';
""".encode()


OPEN = {TRANSACTION_STATUS_INTRANS, TRANSACTION_STATUS_INERROR}
BEGIN_SNAPSHOT = b"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"


class ReadTransaction:
    """Runs statements over a borrowed connection.

    Each statement is a transaction of its own, except within ``snapshot``. ``is_citus`` says whether the table may be
    distributed, which decides which statements can be run. Raises psycopg2.Error, and InvalidParameterError for a
    parameter that PostgreSQL cannot store.
    """

    def __init__(self, connection: Connection, limits: bytes, *, is_citus: bool = False) -> None:
        self.is_citus = is_citus
        self._connection = connection
        self._limits = limits
        # What precedes the next statement in its message.
        self._lead = limits

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run the statements of the block in one transaction, with the snapshot of the first."""
        self._lead = BEGIN_SNAPSHOT + self._limits
        try:
            yield
            self._end(b"COMMIT")
        finally:
            self._end(b"ROLLBACK")
            self._lead = self._limits

    def _end(self, command: bytes) -> None:
        """End the transaction if one is open. After an interrupted COPY the pool discards the connection instead."""
        if self._connection.info.transaction_status in OPEN:
            with phase("query"), self._connection.cursor() as cursor:
                cursor.execute(command)

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""
        with phase("query"), self._connection.cursor() as cursor:
            cursor.execute(self._message(_bind(cursor, statement, parameters)))
            return cursor.fetchall()

    def copy_out(self, statement: str, parameters: Mapping[str, Any], sink: Any) -> None:
        """Run the COPY ``statement`` and call ``sink.write`` with the bytes of each row.

        An exception of ``sink.write`` ends the COPY and propagates; the connection cannot be used any more.
        """
        with phase("query"), self._connection.cursor() as cursor:
            cursor.copy_expert(self._message(_bind(cursor, statement, parameters)), sink)

    def _message(self, statement: bytes) -> bytes:
        lead = self._lead
        if lead is not self._limits:
            self._lead = b""
        return lead + statement


def _bind(cursor: Any, statement: str, parameters: Mapping[str, Any]) -> bytes:
    """Return ``statement`` with its parameters. Raises InvalidParameterError."""
    try:
        return bytes(cursor.mogrify(statement, parameters))
    except ValueError as error:
        if isinstance(error, UnicodeEncodeError) or "NUL" in str(error):
            raise InvalidParameterError(UNSTORABLE) from None
        raise
