"""What every statement about records shares: the transaction it runs in, and the conditions that select records."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

# JSON text holds neither the delimiter nor the quote, so nothing is ever quoted or escaped.
COPY_FORMAT = r"(FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')"


class Transaction(Protocol):
    """What a query function needs of the connection it is given."""

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""

    @property
    def is_citus(self) -> bool:
        """Whether Citus distributes the table: then a statement is about one workload, or groups by workload."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Run the statements of the block in one transaction, all with the snapshot of the first."""

    def copy_out(self, statement: str, parameters: Mapping[str, Any], sink: "RowSink") -> None:
        """Run the COPY ``statement`` and give each row's bytes to ``sink``."""


class RowSink(Protocol):
    """Takes the rows of a COPY, one a call, line end included."""

    def write(self, row: bytes, /) -> object:
        """Take one row."""


RECORDS = """
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND (%(data_source)s IS NULL OR data_source = %(data_source)s)
"""

# Comparisons with constants, so that an index serves; those that are not asked for are folded away. Days and seconds,
# because an interval counts milliseconds as float64, which int64 outgrows.
IN_RANGES = """(%(any_iteration)s OR iteration BETWEEN %(first_iteration)s AND %(last_iteration)s)
    AND (%(any_time)s OR (
        created_at >= (timestamp '1970-01-01' + make_interval(days => %(start_days)s, secs => %(start_seconds)s))
            AT TIME ZONE 'UTC'
        AND created_at <= (timestamp '1970-01-01' + make_interval(days => %(end_days)s, secs => %(end_seconds)s))
            AT TIME ZONE 'UTC'
    ))"""

# Of a correction or an addition, only the records concerned.
IN_IDS = "(%(any_id)s OR id = ANY (%(ids)s::bigint[]))"

# Floored milliseconds, NULL for an infinite time. date_part is the cheapest, but float64: below 2**51 microseconds (in
# 2041) its error stays under half a microsecond, which round() takes away. Elsewhere the interval since 2000-01-01 is
# exact; extract(epoch FROM timestamptz) is not, for its last decades turn to float64 as well.
TIMESTAMP = """CASE
        WHEN created_at >= '1970-01-01 00:00:00+00' AND created_at < '2041-01-01 00:00:00+00'
            THEN floor(round(date_part('epoch', created_at) * 1000000) / 1000)::bigint
        WHEN isfinite(created_at)
            THEN floor(extract(epoch FROM created_at - timestamptz '2000-01-01 00:00:00+00') * 1000)::bigint
                + 946684800000
    END"""

# As JSON text. The usual names of sources need no escaping, which is slow.
SOURCE_JSON = """CASE data_source::text
        WHEN 'log' THEN '"log"' WHEN 'wandb' THEN '"wandb"' WHEN 'tensorflow' THEN '"tensorflow"'
        ELSE coalesce(to_json(data_source::text)::text, 'null')
    END"""
