"""The parts that statements share: the interface of the transaction, conditions on records, and expressions."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

# JSON text contains neither the delimiter nor the quote, so no value is ever quoted or escaped.
COPY_FORMAT = r"(FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')"


class Transaction(Protocol):
    """The methods of a connection that the functions of statements use. All raise ClusterError."""

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""

    @property
    def is_citus(self) -> bool:
        """Whether Citus distributes the table. Each statement must then name one workload, or group by workload."""

    def snapshot(self) -> AbstractContextManager[None]:
        """Run the statements of the block in one transaction, all with the snapshot of the first."""

    def copy_out(self, statement: str, parameters: Mapping[str, Any], sink: "RowSink") -> None:
        """Run the COPY ``statement`` and write each row to ``sink``."""


class RowSink(Protocol):
    """Receives the rows of a COPY."""

    def write(self, row: bytes, /) -> object:
        """Receive one row, with its line end."""


RECORDS = """
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND (%(data_source)s IS NULL OR data_source = %(data_source)s)
"""

# The bounds are constants, so that an index can be used, and the planner removes conditions that always hold. They are
# in days and seconds, because make_interval takes seconds as float64, which cannot represent all int64 milliseconds.
IN_RANGES = """(%(any_iteration)s OR iteration BETWEEN %(first_iteration)s AND %(last_iteration)s)
    AND (%(any_time)s OR (
        created_at >= (timestamp '1970-01-01' + make_interval(days => %(start_days)s, secs => %(start_seconds)s))
            AT TIME ZONE 'UTC'
        AND created_at <= (timestamp '1970-01-01' + make_interval(days => %(end_days)s, secs => %(end_seconds)s))
            AT TIME ZONE 'UTC'
    ))"""

# Selects single records, to read the changes since a checkpoint.
IN_IDS = "(%(any_id)s OR id = ANY (%(ids)s::bigint[]))"

# Floored milliseconds since 1970, NULL for an infinite time. date_part is the fastest expression, but it is a float64:
# up to 2**51 microseconds (in 2041), its error is below half a microsecond, which round() corrects. Outside that range,
# the interval since 2000-01-01 is exact; extract(epoch FROM timestamptz) uses float64 for late timestamps.
TIMESTAMP = """CASE
        WHEN created_at >= '1970-01-01 00:00:00+00' AND created_at < '2041-01-01 00:00:00+00'
            THEN floor(round(date_part('epoch', created_at) * 1000000) / 1000)::bigint
        WHEN isfinite(created_at)
            THEN floor(extract(epoch FROM created_at - timestamptz '2000-01-01 00:00:00+00') * 1000)::bigint
                + 946684800000
    END"""

# The data source as JSON text. to_json is slow, and the usual names need no escaping.
SOURCE_JSON = """CASE data_source::text
        WHEN 'log' THEN '"log"' WHEN 'wandb' THEN '"wandb"' WHEN 'tensorflow' THEN '"tensorflow"'
        ELSE coalesce(to_json(data_source::text)::text, 'null')
    END"""
