"""The statement for a glance at a workload: the records of evenly spaced iterations, found in the index one by one.

It takes milliseconds however many records there are, and promises nothing of what lies between. Of several records of
one iteration it takes the one that the index has first: to sort them could mean to read them all.
"""

from lens_perf.performance.metric_fields import WANDB_METADATA_FIELDS
from lens_perf.performance.notations import DATA_SOURCE_TEXT, ITERATION_TEXT, TIMESTAMP_TEXT
from lens_perf.performance.queries import IS_NOT_WANDB
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, RowSink, Transaction
from lens_perf.performance.workload_queries import SOURCES

# One end of the iterations of a source, from the index alone.
END = """
        SELECT iteration
        FROM training_performance
        WHERE workload_uid = %(workload_uid)s
        AND training_performance.data_source = source.data_source
        AND iteration IS NOT NULL
        AND (%(any_iteration)s OR iteration BETWEEN %(first_iteration)s AND %(last_iteration)s)
        ORDER BY iteration {order}
        LIMIT 1"""

COPY_GLANCE = f"""
/* lens_perf: copy_glance */
COPY (
    WITH RECURSIVE source AS ({SOURCES}),
    span AS MATERIALIZED (
        SELECT data_source, lowest.iteration AS first, highest.iteration::bigint - lowest.iteration AS width
        FROM source
        CROSS JOIN LATERAL ({END.format(order="")}) AS lowest
        CROSS JOIN LATERAL ({END.format(order="DESC")}) AS highest
        WHERE (%(data_source)s IS NULL OR data_source = %(data_source)s)
    ),
    look AS (
        SELECT DISTINCT data_source, first,
            first + width * (number - 1) / greatest(least(%(looks)s - 1, width), 1) AS wanted
        FROM span
        CROSS JOIN generate_series(1, least(%(looks)s::bigint, width + 1)) AS number
    ),
    glance AS MATERIALIZED (
        SELECT DISTINCT record.id
        FROM look
        CROSS JOIN LATERAL (
            SELECT id
            FROM training_performance
            WHERE workload_uid = %(workload_uid)s
            AND training_performance.data_source = look.data_source
            AND iteration BETWEEN look.first AND look.wanted
            ORDER BY iteration DESC
            LIMIT 1
        ) AS record
    )
    SELECT {TIMESTAMP_TEXT}, {ITERATION_TEXT}, {DATA_SOURCE_TEXT},
        CASE
            WHEN jsonb_typeof(performance) <> 'object' THEN NULL
            WHEN {IS_NOT_WANDB} THEN performance
            ELSE performance - %(metadata_fields)s
        END
    FROM glance
    JOIN training_performance USING (id)
    WHERE jsonb_typeof(performance) = 'object'
    ORDER BY created_at, id
) TO STDOUT WITH {COPY_FORMAT}
""".replace("{uid}", "%(workload_uid)s")


def copy_glance(transaction: Transaction, selection: Selection, looks: int, sink: RowSink) -> None:
    r"""Copy ``timestamp\titeration\tdata_source\tobject\n`` of at most ``looks`` records of each data source, by time.

    Of the selection, times count for nothing; records without an iteration or a data source are not looked at. W&B's
    metadata fields are left out.
    """
    parameters = selection.parameters() | {"looks": looks, "metadata_fields": list(WANDB_METADATA_FIELDS)}
    transaction.copy_out(COPY_GLANCE, parameters, sink)
