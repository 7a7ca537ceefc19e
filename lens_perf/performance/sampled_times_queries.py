"""The statement that thins out iteration times in the database."""

from lens_perf.performance.metric_fields import FLOAT64_LIMIT
from lens_perf.performance.notations import Notation
from lens_perf.performance.queries import write_head
from lens_perf.performance.sampling_sql import AXES, CHOOSE_POINTS, Sampling, read_number
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, IN_RANGES, RECORDS, RowSink, Transaction

COPY_SAMPLED_TIMES = """
/* lens_perf: copy_sampled_times */
COPY (
    WITH record AS MATERIALIZED (
        SELECT id, created_at, iteration, data_source, target, {axis} AS axis
        FROM (
            SELECT DISTINCT ON (iteration) iteration, created_at, id, data_source,
                performance->'target_iteration' AS target
            {records}
            AND iteration IS NOT NULL
            ORDER BY iteration, created_at, id
        ) AS record
        WHERE {in_ranges}
    ),
    point AS MATERIALIZED (
        SELECT 0 AS metric, id, axis, iteration::numeric AS value FROM record WHERE axis IS NOT NULL
        UNION ALL
        SELECT 1, id, axis, {target} FROM record WHERE axis IS NOT NULL AND abs({target}) < {limit}
    ),
    total AS MATERIALIZED (
        SELECT metric, count(*) AS points, min(axis) AS first, max(axis) AS last FROM point GROUP BY metric
    ),
    width AS MATERIALIZED (
        SELECT min(shift) AS shift
        FROM (SELECT min(first) AS first, max(last) AS last FROM total) AS span, generate_series(0, 63) AS shift
        WHERE (last >> shift) - (first >> shift) < %(buckets)s
    ),
    candidate AS MATERIALIZED (
        SELECT metric, '' AS source, points <= %(max_points)s AS small, id, axis, value,
            coalesce(axis >> shift, 0) AS bucket
        FROM point
        JOIN total USING (metric), width
    ),
    {choice}
    SELECT point
    FROM (
        SELECT -1 AS metric, NULL::int AS iteration, (SELECT coalesce(sum(points), 0) FROM total)::text AS point
        UNION ALL
        SELECT metric, iteration, CASE metric WHEN 0 THEN %(head_0)s || iteration ELSE %(head_1)s || target::text END
            || {tail}
        FROM picked
        JOIN record USING (id)
    ) AS answer
    ORDER BY metric >= 0, iteration, metric
) TO STDOUT WITH {copy_format}
"""


def copy_sampled_times(
    transaction: Transaction, selection: Selection, sampling: Sampling, notation: Notation, sink: RowSink
) -> None:
    """Copy a row with the number of all data points, then one for each that is chosen, by iteration."""
    statement = COPY_SAMPLED_TIMES.format(
        axis=AXES[sampling.axis],
        target=read_number("target"),
        tail=notation.tail,
        records=RECORDS,
        in_ranges=IN_RANGES,
        limit=FLOAT64_LIMIT,
        choice=CHOOSE_POINTS,
        copy_format=COPY_FORMAT,
    )
    heads = {"head_0": write_head("iteration", notation), "head_1": write_head("target_iteration", notation)}
    transaction.copy_out(statement, {**selection.parameters(), **sampling.parameters(), **heads}, sink)
