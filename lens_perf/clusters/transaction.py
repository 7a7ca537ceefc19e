"""One statement, one read-only transaction, one message to the server.

The limits, set with ``SET LOCAL``, travel in the same message as the statement. PostgreSQL runs such a message as one
transaction, which ends with it: a single round trip, nothing left open, nothing set for the session, and therefore
fit for PgBouncer in transaction mode.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-MULTI-STATEMENT
"""

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.config import LimitSettings
from lens_perf.instrumentation.timing import phase

# The server looks every half second whether its client is still there. jit is off because compiling costs more than
# these short statements do.
TRANSACTION_LIMITS = """
SET LOCAL transaction_read_only = on;
SET LOCAL statement_timeout = {deadline_ms};
SET LOCAL work_mem = '{work_mem_mib}MB';
SET LOCAL client_connection_check_interval = 500;
SET LOCAL jit = off;
"""


def format_limits(limits: LimitSettings) -> bytes:
    """Return the statements that go ahead of every query."""
    deadline_ms = max(1, round(limits.deadline_seconds * 1000))
    return TRANSACTION_LIMITS.format(deadline_ms=deadline_ms, work_mem_mib=limits.work_mem_mib).encode()


class ReadTransaction:
    """Runs statements over a borrowed connection, each in a read-only transaction of its own. Raises psycopg2.Error."""

    def __init__(self, connection: Connection, limits: bytes) -> None:
        self._connection = connection
        self._limits = limits

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""
        with phase("query"), self._connection.cursor() as cursor:
            cursor.execute(self._limits + cursor.mogrify(statement, parameters))
            return cursor.fetchall()

    def copy_out(self, statement: str, parameters: Mapping[str, Any], sink: Any) -> None:
        """Run the COPY ``statement`` and call ``sink.write`` with the bytes of each row.

        What ``sink.write`` raises ends the copying and goes through; the connection is then unfit for further use.
        """
        with phase("query"), self._connection.cursor() as cursor:
            cursor.copy_expert(self._limits + cursor.mogrify(statement, parameters), sink)
