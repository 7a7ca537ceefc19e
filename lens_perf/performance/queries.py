"""Every statement of the service, each a constant above the one function that runs it.

A statement that yields data points is a COPY in one of two forms. Where the metrics are named, PostgreSQL emits the
JSON of each point in pieces, the columns of the COPY: their joints are tabs, which JSON text never holds, and
``POINT_MARK`` stands before each point; the writer counts the marks and deletes marks, tabs and line ends. Where all
metrics are asked for, each row is the whole object, which Python expands (see docs/decisions.rst).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lens_perf.performance.metric_fields import FLOAT64_LIMIT, WANDB, WANDB_METADATA_FIELDS, encode_name

POINT_MARK = "\x02"
COPY_QUOTE = "\x01"
COPY_FORMAT = r"(FORMAT csv, DELIMITER E'\t', QUOTE E'\x01')"

MILLISECONDS_PER_DAY = 86_400_000
# What PostgreSQL's timestamps can hold, in days from 1970-01-01: 4714-11-24 BC to 294276-12-31, both whole.
FIRST_MILLISECOND = -2_440_588 * MILLISECONDS_PER_DAY
LAST_MILLISECOND = 106_762_940 * MILLISECONDS_PER_DAY - 1


class Transaction(Protocol):
    """What a query function needs of the connection it is given."""

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Return all rows of ``statement``."""

    def copy_out(self, statement: str, parameters: Mapping[str, Any], sink: "RowSink") -> None:
        """Run the COPY ``statement`` and give each row's bytes to ``sink``."""


class RowSink(Protocol):
    """Takes the rows of a COPY, one a call, line end included."""

    def write(self, row: bytes, /) -> object:
        """Take one row."""


@dataclass(frozen=True)
class Selection:
    """Which records a question is about.

    ``time_range`` is inclusive, in milliseconds since 1970, and int64; records without a finite time are in none.
    """

    workload_uid: str
    data_source: str | None = None
    time_range: tuple[int, int] | None = None

    def parameters(self) -> dict[str, Any]:
        """Return the bound values of RECORDS and IN_TIME_RANGE."""
        start, end = _clamp(self.time_range or (0, 0))
        start_days, start_ms = divmod(start, MILLISECONDS_PER_DAY)
        end_days, end_ms = divmod(end, MILLISECONDS_PER_DAY)
        return {
            "workload_uid": self.workload_uid,
            "data_source": self.data_source,
            "any_time": self.time_range is None,
            "start_days": start_days,
            "start_seconds": start_ms / 1000,
            "end_days": end_days,
            # The last microsecond whose floored millisecond is the end's.
            "end_seconds": end_ms / 1000 + 0.000999,
        }


def _clamp(time_range: tuple[int, int]) -> tuple[int, int]:
    """Return the part of ``time_range`` that timestamps can hold, or an empty range that they can."""
    start, end = time_range
    if start > LAST_MILLISECOND or end < FIRST_MILLISECOND:
        return LAST_MILLISECOND, FIRST_MILLISECOND
    return max(start, FIRST_MILLISECOND), min(end, LAST_MILLISECOND)


RECORDS = """
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND (%(data_source)s IS NULL OR data_source = %(data_source)s)
"""

# A comparison with a constant, so that an index on created_at serves; days and seconds, because an interval counts
# milliseconds as float64, which int64 outgrows.
IN_TIME_RANGE = """(%(any_time)s OR (
        created_at >= (timestamp '1970-01-01' + make_interval(days => %(start_days)s, secs => %(start_seconds)s))
            AT TIME ZONE 'UTC'
        AND created_at <= (timestamp '1970-01-01' + make_interval(days => %(end_days)s, secs => %(end_seconds)s))
            AT TIME ZONE 'UTC'
    ))"""

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

# The columns that every data point of a record shares, as JSON texts.
SHARED_FIELDS = f"""
    coalesce(({TIMESTAMP})::text, 'null') AS timestamp_text,
    coalesce(iteration::text, 'null') AS iteration_text,
    coalesce(to_json(data_source::text)::text, 'null') AS data_source_text
"""

IS_DATA_POINT = f"CASE WHEN jsonb_typeof({{value}}) = 'number' THEN abs(({{value}})::numeric) < {FLOAT64_LIMIT} END"
IS_NOT_WANDB = f"data_source::text IS DISTINCT FROM '{WANDB}'"


SELECT_SOURCES = """
/* lens_perf: select_sources */
SELECT data_source::text AS name, count(*) AS count
FROM training_performance
WHERE workload_uid = %(workload_uid)s
GROUP BY data_source
ORDER BY count DESC, data_source::text COLLATE "C"
"""


def select_sources(transaction: Transaction, workload_uid: str) -> list[tuple[str | None, int]]:
    """Return (data source, number of records), most records first."""
    return transaction.fetch_all(SELECT_SOURCES, {"workload_uid": workload_uid})


SELECT_AVAILABLE = f"""
/* lens_perf: select_available */
SELECT field.name AS name, data_source::text AS data_source,
    count(*) FILTER (WHERE {IS_DATA_POINT.format(value="field.value")}) AS count
FROM training_performance
CROSS JOIN LATERAL jsonb_each(CASE WHEN jsonb_typeof(performance) = 'object' THEN performance END)
    AS field (name, value)
WHERE workload_uid = %(workload_uid)s
AND (%(data_source)s IS NULL OR data_source = %(data_source)s)
AND ({IS_NOT_WANDB} OR field.name <> ALL (%(metadata_fields)s))
GROUP BY field.name, data_source
ORDER BY field.name COLLATE "C", count DESC, data_source::text COLLATE "C"
"""


def select_available(
    transaction: Transaction, workload_uid: str, data_source: str | None
) -> list[tuple[str, str | None, int]]:
    """Return (metric, data source, number of data points), by metric, then most points first."""
    parameters = {
        "workload_uid": workload_uid,
        "data_source": data_source,
        "metadata_fields": list(WANDB_METADATA_FIELDS),
    }
    return transaction.fetch_all(SELECT_AVAILABLE, parameters)


COPY_OBJECTS = f"""
/* lens_perf: copy_objects */
COPY (
    SELECT iteration_text, timestamp_text, data_source_text, performance
    FROM (
        SELECT created_at, id, {SHARED_FIELDS},
            CASE
                WHEN jsonb_typeof(performance) <> 'object' THEN NULL
                WHEN {IS_NOT_WANDB} THEN performance
                ELSE performance - %(metadata_fields)s
            END AS performance
        {RECORDS}
        AND {IN_TIME_RANGE}
        AND jsonb_typeof(performance) = 'object'
        AND (%(names)s IS NULL OR performance ?| %(names)s)
        ORDER BY created_at, id
    ) AS record
    ORDER BY created_at, id
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_objects(transaction: Transaction, selection: Selection, names: Sequence[str] | None, sink: RowSink) -> None:
    r"""Copy ``iteration\ttimestamp\tdata_source\tobject\n`` for each record, all four as JSON texts.

    ``names`` leaves out records that hold none of these metrics; the objects are whole all the same, but for W&B's
    metadata fields.
    """
    parameters = {
        **selection.parameters(),
        "metadata_fields": list(WANDB_METADATA_FIELDS),
        "names": None if names is None else list(names),
    }
    transaction.copy_out(COPY_OBJECTS, parameters, sink)


COPY_NAMED_POINTS = """
/* lens_perf: copy_named_points */
COPY (
    SELECT {points}
    FROM (
        SELECT created_at, id, {shared_fields}, {values}
        {records}
        AND {in_time_range}
        AND performance ?| %(names)s
        ORDER BY created_at, id
    ) AS record
    WHERE num_nonnulls({value_names}) > 0
    ORDER BY created_at, id
) TO STDOUT WITH {copy_format}
"""


def copy_named_points(transaction: Transaction, selection: Selection, names: Sequence[str], sink: RowSink) -> None:
    """Copy the JSON pieces of the data points of the metrics ``names``, record by record, in the order of ``names``."""
    statement, parameters = name_points(selection, names)
    transaction.copy_out(statement, parameters, sink)


def name_points(selection: Selection, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Return COPY_NAMED_POINTS, written out for ``names``, with its bound values."""
    values = [f"value_{index}" for index in range(len(names))]
    # With one metric every record that is left has it.
    always = len(names) == 1
    statement = COPY_NAMED_POINTS.format(
        points=", ".join(_point_pieces(f"%(head_{value})s", value, always=always) for value in values),
        shared_fields=SHARED_FIELDS,
        values=", ".join(_named_value(name, value) for name, value in zip(names, values, strict=True)),
        records=RECORDS,
        in_time_range=IN_TIME_RANGE,
        value_names=", ".join(values),
        copy_format=COPY_FORMAT,
    )
    bound = {f"name_{value}": name for name, value in zip(names, values, strict=True)}
    heads = {f"head_{value}": _point_head(name) for name, value in zip(names, values, strict=True)}
    return statement, {**selection.parameters(), **bound, **heads, "names": list(names)}


def _named_value(name: str, value: str) -> str:
    stored = f"performance->%(name_{value})s"
    of_metric = f" AND {IS_NOT_WANDB}" if name in WANDB_METADATA_FIELDS else ""
    return f"CASE WHEN {IS_DATA_POINT.format(value=stored)}{of_metric} THEN {stored} END AS {value}"


def _point_head(name: str) -> str:
    return f'{POINT_MARK},{{"metric_name":{encode_name(name)},"value":'


def _point_pieces(head: str, value: str, *, always: bool) -> str:
    """Return the columns that make one data point of the column ``value``, all NULL where that is NULL."""
    pieces = (head, "',\"timestamp\":'", "timestamp_text", "',\"iteration\":'", "iteration_text",
              "',\"data_source\":'", "data_source_text", "'}'")  # fmt: skip
    guarded = [piece if always else f"CASE WHEN {value} IS NOT NULL THEN {piece} END" for piece in pieces]
    return ", ".join([guarded[0], value, *guarded[1:]])


COPY_ITERATION_TIMES = f"""
/* lens_perf: copy_iteration_times */
COPY (
    SELECT {_point_pieces("%(iteration_head)s", "iteration", always=True)},
        {_point_pieces("%(target_head)s", "target_iteration", always=False)}
    FROM (
        SELECT DISTINCT ON (iteration) iteration, created_at, id, {SHARED_FIELDS},
            CASE WHEN {IS_DATA_POINT.format(value="performance->'target_iteration'")}
                THEN performance->'target_iteration'
            END AS target_iteration
        {RECORDS}
        AND iteration IS NOT NULL
        ORDER BY iteration, created_at, id
    ) AS record
    WHERE {IN_TIME_RANGE}
    ORDER BY iteration
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_iteration_times(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    """Copy the JSON pieces of ``iteration`` and, where there is one, ``target_iteration`` of each iteration.

    Of the records of an iteration only the earliest counts; the time range then chooses among these.
    """
    heads = {"iteration_head": _point_head("iteration"), "target_head": _point_head("target_iteration")}
    transaction.copy_out(COPY_ITERATION_TIMES, {**selection.parameters(), **heads}, sink)
