"""The statement of the preview: it finds the records of evenly spaced iterations by index lookups.

It takes milliseconds, regardless of the number of records in the table.
"""

from lens_perf.performance.columns.statements import BINARY_FORMAT, RECORD_COLUMNS
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RowSink, Transaction
from lens_perf.performance.workload_queries import walk_sources


def _at_end(order: str) -> str:
    """Return the SQL for the lowest or highest iteration of a source, which reads only the index."""
    return f"""
        SELECT iteration
        FROM training_performance
        WHERE workload_uid = %(workload_uid)s
        AND training_performance.data_source = source.data_source
        AND iteration IS NOT NULL
        AND (%(any_iteration)s OR iteration BETWEEN %(first_iteration)s AND %(last_iteration)s)
        ORDER BY iteration {order}
        LIMIT 1"""


# The lookups return whole records. Looked up again by id, before the statistics of a table know of a new workload, they
# would be searched in all of its records, once for each probe.
COPY_PREVIEW = f"""
/* lens_perf: copy_preview */
COPY (
    WITH RECURSIVE source AS ({walk_sources("%(workload_uid)s")}),
    span AS MATERIALIZED (
        SELECT data_source, lowest.iteration AS first, highest.iteration::bigint - lowest.iteration AS width
        FROM source
        CROSS JOIN LATERAL ({_at_end("")}) AS lowest
        CROSS JOIN LATERAL ({_at_end("DESC")}) AS highest
        WHERE (%(data_source)s IS NULL OR data_source = %(data_source)s)
    ),
    probe AS (
        SELECT DISTINCT data_source, first,
            first + width * (number - 1) / greatest(least(%(probes)s - 1, width), 1) AS wanted
        FROM span
        CROSS JOIN generate_series(1, least(%(probes)s::bigint, width + 1)) AS number
    ),
    preview AS (
        SELECT record.*
        FROM probe
        CROSS JOIN LATERAL (
            SELECT {RECORD_COLUMNS}
            FROM training_performance
            WHERE workload_uid = %(workload_uid)s
            AND training_performance.data_source = probe.data_source
            AND iteration BETWEEN probe.first AND probe.wanted
            ORDER BY iteration DESC
            LIMIT 1
        ) AS record
    )
    SELECT DISTINCT ON (created_at, id) {RECORD_COLUMNS}
    FROM preview
    ORDER BY created_at, id
) TO STDOUT WITH {BINARY_FORMAT}
"""


def copy_preview(transaction: Transaction, selection: Selection, probes: int, sink: RowSink) -> None:
    """Copy at most ``probes`` records of each data source, by time, as ``copy_records`` does.

    Time ranges are ignored. Records without an iteration or a data source are left out. Of several records with the
    same iteration, the first in the index is copied, because sorting could read all of them. Raises psycopg2.Error.
    """
    transaction.copy_out(COPY_PREVIEW, selection.parameters() | {"probes": probes}, sink)
