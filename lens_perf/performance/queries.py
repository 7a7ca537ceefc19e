"""Every statement of the service, each a constant above the one function that runs it.

A statement that yields data points is a COPY in one of two forms. Where the metrics are named, PostgreSQL writes the
JSON of each point, a column of the COPY: columns are joined by tabs, which JSON text never holds, and ``POINT_MARK``
stands before each point. What it writes for a value that is no number is no data point, which is left to the reader of
the rows. Where all metrics are asked for, each row is the whole object, which Python expands (see docs/decisions.rst).
"""

from collections.abc import Sequence
from typing import Any

from lens_perf.performance.metric_fields import FLOAT64_LIMIT, WANDB, WANDB_METADATA_FIELDS
from lens_perf.performance.notations import DATA_SOURCE_TEXT, ITERATION_TEXT, TIMESTAMP_TEXT, Notation
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, IN_IDS, IN_RANGES, RECORDS, RowSink, Transaction

POINT_MARK = "\x02"
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


IS_DATA_POINT = f"CASE WHEN jsonb_typeof(field.value) = 'number' THEN abs(field.value::numeric) < {FLOAT64_LIMIT} END"

SELECT_AVAILABLE = f"""
/* lens_perf: select_available */
SELECT field.name AS name, data_source::text AS data_source,
    count(*) FILTER (WHERE {IS_DATA_POINT}) AS count
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
    SELECT {TIMESTAMP_TEXT}, {ITERATION_TEXT}, {DATA_SOURCE_TEXT}, performance
    FROM (
        SELECT created_at, id, iteration, data_source,
            CASE
                WHEN jsonb_typeof(performance) <> 'object' THEN NULL
                WHEN {IS_NOT_WANDB} THEN performance
                ELSE performance - %(metadata_fields)s
            END AS performance
        {RECORDS}
        AND {IN_RANGES}
        AND {IN_IDS}
        AND jsonb_typeof(performance) = 'object'
        AND (%(names)s IS NULL OR performance ?| %(names)s)
        ORDER BY created_at, id
    ) AS record
    ORDER BY created_at, id
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_objects(transaction: Transaction, selection: Selection, names: Sequence[str] | None, sink: RowSink) -> None:
    r"""Copy ``timestamp\titeration\tdata_source\tobject\n`` for each record, all four as JSON texts.

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
    SELECT {columns}
    FROM (
        SELECT created_at, id, {points}
        {records}
        AND {in_ranges}
        AND {in_ids}
        AND ({any_point})
        ORDER BY created_at, id
    ) AS record
    ORDER BY created_at, id
) TO STDOUT WITH {copy_format}
"""


def copy_named_points(
    transaction: Transaction, selection: Selection, names: Sequence[str], notation: Notation, sink: RowSink
) -> None:
    """Copy the texts of the data points of the metrics ``names``, record by record, in the order of ``names``."""
    statement, parameters = name_points(selection, names, notation)
    transaction.copy_out(statement, parameters, sink)


def name_points(selection: Selection, names: Sequence[str], notation: Notation) -> tuple[str, dict[str, Any]]:
    """Return COPY_NAMED_POINTS, written out for ``names``, with its bound values.

    The points are whole texts already below the sort, where PostgreSQL's parallel workers write them.
    """
    points = [
        write_point(f"%(head_{index})s", f"({stored_json(index, name)})::text", notation) + f" AS point_{index}"
        for index, name in enumerate(names)
    ]
    statement = COPY_NAMED_POINTS.format(
        columns=", ".join(f"point_{index}" for index in range(len(names))),
        points=", ".join(points),
        records=RECORDS,
        in_ranges=IN_RANGES,
        in_ids=IN_IDS,
        any_point=" OR ".join(f"performance ? %(name_{index})s" for index in range(len(names))),
        copy_format=COPY_FORMAT,
    )
    bound = {f"name_{index}": name for index, name in enumerate(names)}
    heads = {f"head_{index}": write_head(name, notation) for index, name in enumerate(names)}
    return statement, {**selection.parameters(), **bound, **heads}


def stored_json(index: int, name: str) -> str:
    """Return the SQL for the value of the metric bound as ``name_<index>``, as JSONB; NULL where it is hidden."""
    value = f"performance->%(name_{index})s"
    return f"CASE WHEN {IS_NOT_WANDB} THEN {value} END" if name in WANDB_METADATA_FIELDS else value


def write_head(name: str, notation: Notation) -> str:
    """Return the text of a data point of the metric ``name`` up to its value."""
    return POINT_MARK + notation.head(name)


def write_point(head: str, value: str, notation: Notation) -> str:
    """Return the SQL for one data point, given the SQL for its value's JSON text; NULL where that is NULL."""
    return f"{head} || ({value}) || {notation.tail}"


COPY_ITERATION_TIMES = """
/* lens_perf: copy_iteration_times */
COPY (
    SELECT {iteration_point}, {target_point}
    FROM (
        SELECT DISTINCT ON (iteration) iteration, created_at, id, xmin, data_source,
            (performance->'target_iteration')::text AS target_iteration
        {records}
        AND iteration IS NOT NULL
        ORDER BY iteration, created_at, id
    ) AS record
    WHERE {in_ranges}
    AND {in_ids}
    ORDER BY iteration
) TO STDOUT WITH {copy_format}
"""


def copy_iteration_times(transaction: Transaction, selection: Selection, notation: Notation, sink: RowSink) -> None:
    """Copy the texts of ``iteration`` and, where there is one, ``target_iteration`` of each iteration.

    Of the records of an iteration only the earliest counts; the ranges then choose among these.
    """
    statement = COPY_ITERATION_TIMES.format(
        iteration_point=write_point("%(iteration_head)s", "iteration::text", notation),
        target_point=write_point("%(target_head)s", "target_iteration", notation),
        records=RECORDS,
        in_ranges=IN_RANGES,
        in_ids=IN_IDS,
        copy_format=COPY_FORMAT,
    )
    heads = {
        "iteration_head": write_head("iteration", notation),
        "target_head": write_head("target_iteration", notation),
    }
    transaction.copy_out(statement, {**selection.parameters(), **heads}, sink)
