"""The statement that thins out the series of metrics in the database.

The whole is read once, in the cheapest way there is: the extremes of *parts*, some thousand ranges of iterations. What
is chosen of a bucket then lies in a few parts, and only their records are looked at one by one. A part of which the
extremes do not tell enough, as one that lies in two buckets, is looked at whole.
"""

from collections.abc import Sequence

from lens_perf.performance.metric_fields import FLOAT64_LIMIT
from lens_perf.performance.notations import Notation
from lens_perf.performance.queries import stored_json, write_head
from lens_perf.performance.sampling_sql import AXES, CHOOSE_POINTS, Sampling, read_number
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, IN_RANGES, RECORDS, RowSink, Transaction

# Stands for the part of records without an iteration: no iteration shifted gives it.
NO_PART = 2**40
# Along iterations, the ends of a part do as well as those of its points: it is never wider than a bucket.
PART_ENDS = "part::bigint << %(part_shift)s", "(part::bigint + 1 << %(part_shift)s) - 1"

# Without the setting, PostgreSQL, which takes the parts to be as many as the records, does not count in parallel.
COPY_SAMPLED_POINTS = """
/* lens_perf: copy_sampled_points */
SET LOCAL parallel_tuple_cost = 0.001;
COPY (
    WITH part AS MATERIALIZED (
        SELECT part, data_source, {aggregates}
        FROM (
            SELECT iteration >> %(part_shift)s AS part, data_source, {axis} AS axis, {values}
            {records}
            AND {in_ranges}
        ) AS record
        WHERE {has_axis}
        GROUP BY part, data_source
    ),
    series AS MATERIALIZED ({series}),
    width AS MATERIALIZED (
        SELECT min(shift) AS shift
        FROM (SELECT min(first) AS first, max(last) AS last FROM series) AS span, generate_series(0, 63) AS shift
        WHERE (last >> shift) - (first >> shift) < %(buckets)s
    ),
    series_part AS MATERIALIZED (
        SELECT metric, data_source, coalesce(data_source::text, '') AS source, part, points, first, last, lowest,
            highest, coalesce(first >> shift, 0) AS bucket,
            sum(points + others) OVER (PARTITION BY metric, data_source) <= %(max_points)s AS small,
            coalesce(first >> shift < last >> shift, false) OR others > 0
                OR coalesce(lowest <= -{limit} OR highest >= {limit}, false) AS mixed
        FROM series, width
    ),
    extreme AS (
        SELECT metric, source, bucket, min(first) AS first, max(last) AS last, min(lowest) AS lowest,
            max(highest) AS highest
        FROM series_part
        WHERE NOT small AND NOT mixed
        GROUP BY metric, source, bucket
    ),
    chosen AS MATERIALIZED (
        SELECT metric AS chosen_metric, data_source AS chosen_source, part, small, true AS whole
        FROM series_part
        WHERE small OR mixed
        UNION
        SELECT metric, data_source, unnest(ARRAY[
            min(part) FILTER (WHERE series_part.first = extreme.first),
            min(part) FILTER (WHERE series_part.last = extreme.last),
            min(part) FILTER (WHERE series_part.lowest = extreme.lowest),
            min(part) FILTER (WHERE series_part.highest = extreme.highest)
        ]), false, false
        FROM series_part
        JOIN extreme USING (metric, source, bucket)
        WHERE NOT small AND NOT mixed
        AND (series_part.first = extreme.first OR series_part.last = extreme.last
            OR series_part.lowest = extreme.lowest OR series_part.highest = extreme.highest)
        GROUP BY metric, data_source, bucket
    ),
    candidate AS MATERIALIZED (
        SELECT chosen_metric AS metric, coalesce(chosen_source::text, '') AS source, small, whole, id, axis, value,
            coalesce(axis >> shift, 0) AS bucket
        FROM (
            SELECT chosen_metric, chosen_source, small, whole, id, axis, value, is_other
            FROM chosen
            CROSS JOIN LATERAL (
                SELECT id, {axis} AS axis, {value} AS value, {is_other} AS is_other
                {records}
                AND data_source = chosen_source
                AND iteration BETWEEN chosen.part::bigint << %(part_shift)s
                    AND (chosen.part::bigint + 1 << %(part_shift)s) - 1
                AND {in_ranges}
                OFFSET 0
            ) AS record
            UNION ALL
            SELECT chosen_metric, chosen_source, small, whole, id, {axis}, {value}, {is_other}
            FROM chosen
            JOIN (
                SELECT id, created_at, iteration, data_source, performance, iteration >> %(part_shift)s AS record_part
                {records}
                AND {in_ranges}
                AND (iteration IS NULL OR data_source IS NULL)
            ) AS record
            ON coalesce(part::bigint, {no_part}) = coalesce(record_part::bigint, {no_part})
            AND coalesce(chosen_source::text, '') = coalesce(data_source::text, '')
            WHERE part IS NULL OR chosen_source IS NULL
        ) AS record, width
        WHERE axis IS NOT NULL
        AND (is_other OR abs(value) < {limit})
    ),
    {choice}
    SELECT point
    FROM (
        SELECT 0 AS rank, NULL::timestamptz AS created_at, 0 AS id, 0 AS metric, (
            (SELECT coalesce(sum(points), 0) FROM series_part WHERE NOT small AND NOT mixed)
                + (SELECT count(*) FROM candidate WHERE whole)
        )::text AS point
        UNION ALL
        SELECT 1, created_at, id, metric, CASE metric {points} END || {tail}
        FROM picked
        CROSS JOIN LATERAL (
            SELECT created_at, iteration, data_source, performance
            FROM training_performance
            WHERE training_performance.id = picked.id
            OFFSET 0
        ) AS record
    ) AS answer
    ORDER BY rank, created_at, id, metric
) TO STDOUT WITH {copy_format}
"""


def copy_sampled_points(
    transaction: Transaction,
    selection: Selection,
    names: Sequence[str],
    sampling: Sampling,
    *,
    notation: Notation,
    sink: RowSink,
) -> None:
    """Copy a row with the number of all data points, then one for each that is chosen, by time, then as ``names``."""
    each = range(len(names))
    stored = [stored_json(index, name) for index, name in enumerate(names)]
    others = [_is_other(value) if sampling.non_finite else "false" for value in stored]
    numbers = [read_number(value) for value in stored]
    statement = COPY_SAMPLED_POINTS.format(
        values=", ".join(
            f"{stored[index]} AS json_{index}, {numbers[index]} AS value_{index}, {others[index]} AS is_other_{index}"
            for index in each
        ),
        aggregates=", ".join(_aggregate_part(index, sampling) for index in each),
        series=" UNION ALL ".join(SELECT_SERIES.format(index=index) for index in each),
        value=_choose(numbers),
        is_other=_choose(others),
        points=" ".join(f"WHEN {index} THEN %(head_{index})s || ({stored[index]})::text" for index in each),
        tail=notation.tail,
        axis=AXES[sampling.axis],
        # As plain a condition as can be, for it is looked at for every record.
        has_axis="part IS NOT NULL" if sampling.axis == "iteration" else "axis IS NOT NULL",
        records=RECORDS,
        in_ranges=IN_RANGES,
        limit=FLOAT64_LIMIT,
        no_part=NO_PART,
        choice=CHOOSE_POINTS,
        copy_format=COPY_FORMAT,
    )
    bound = {f"name_{index}": name for index, name in enumerate(names)}
    heads = {f"head_{index}": write_head(name, notation) for index, name in enumerate(names)}
    transaction.copy_out(statement, {**selection.parameters(), **sampling.parameters(), **bound, **heads}, sink)


SELECT_SERIES = """
        SELECT {index} AS metric, data_source, part, points_{index} AS points, others_{index} AS others,
            first_{index} AS first, last_{index} AS last, lowest_{index} AS lowest, highest_{index} AS highest
        FROM part
        WHERE points_{index} + others_{index} > 0"""


def _aggregate_part(index: int, sampling: Sampling) -> str:
    """Return the SQL for what is to be known of a metric in a part, with few looks into the records."""
    others = f"count(*) FILTER (WHERE is_other_{index})" if sampling.non_finite else "0::bigint"
    first, last = PART_ENDS
    if sampling.axis == "time":
        here = f"FILTER (WHERE value_{index} IS NOT NULL OR is_other_{index})"
        first, last = f"min(axis) {here}", f"max(axis) {here}"
    return f"""count(*) FILTER (WHERE jsonb_typeof(json_{index}) = 'number') AS points_{index},
            {others} AS others_{index}, {first} AS first_{index}, {last} AS last_{index},
            min(value_{index}) AS lowest_{index}, max(value_{index}) AS highest_{index}"""


def _is_other(value: str) -> str:
    """Return the SQL that tells whether a value is a text for NaN or infinity."""
    return f"coalesce({value} = ANY (%(non_finite)s::jsonb[]), false)"


def _choose(values: Sequence[str]) -> str:
    cases = " ".join(f"WHEN {index} THEN {value}" for index, value in enumerate(values))
    return f"CASE chosen_metric {cases} END"
