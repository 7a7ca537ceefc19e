"""The statements that tell how a workload is getting on, in one pass over the records of one of its data sources."""

from dataclasses import dataclass

from lens_perf.performance.metric_fields import FLOAT64_LIMIT
from lens_perf.performance.notations import TIMESTAMP
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RECORDS, Transaction

# docs/progress.rst says what these are for, and defines every number.
RECENT_INTERVALS = 100
PAUSE_FACTOR = 5
PAUSE_SECONDS = 10

# The index has the newest iteration first, and few records have no target where some do.
SELECT_TARGET = f"""
/* lens_perf: select_target */
SELECT target::bigint AS target_iteration
FROM (
    SELECT iteration, created_at, id, CASE jsonb_typeof(performance->'target_iteration')
        WHEN 'number' THEN (performance->'target_iteration')::numeric
    END AS target
    {RECORDS}
    AND iteration IS NOT NULL
) AS record
WHERE target > 0
AND target < {min(FLOAT64_LIMIT, 2**62)}
AND target = trunc(target)
ORDER BY iteration DESC, created_at DESC, id DESC
LIMIT 1
"""


def select_target(transaction: Transaction, selection: Selection) -> int | None:
    """Return the target of the record with the highest iteration that has one: a positive whole number."""
    rows = transaction.fetch_all(SELECT_TARGET, selection.parameters())
    return int(rows[0][0]) if rows else None


SELECT_PROGRESS_SOURCE = f"""
/* lens_perf: select_progress_source */
SELECT data_source::text AS data_source
{RECORDS}
AND iteration IS NOT NULL
AND data_source IS NOT NULL
GROUP BY data_source
ORDER BY count(*) DESC, data_source::text COLLATE "C"
LIMIT 1
"""


def select_progress_source(transaction: Transaction, selection: Selection) -> str | None:
    """Return the data source with the most records that have an iteration, or None if there is none."""
    rows = transaction.fetch_all(SELECT_PROGRESS_SOURCE, selection.parameters())
    return str(rows[0][0]) if rows else None


@dataclass(frozen=True)
class ProgressFacts:
    """What the records of one data source tell, without a look at the clock. Times in milliseconds, spans in seconds.

    ``pace`` is (10th percentile, median, 90th percentile) of the seconds per iteration of the latest intervals;
    ``spacing_seconds`` the median of the time between their records, ``longest_wait`` the longest of the times between
    records, restarts aside, that ended well.
    """

    records: int
    current_iteration: int | None
    target_iteration: int | None
    first_timestamp: int | None
    last_timestamp: int | None
    restarts: int
    iterations_repeated: int
    seconds_wall: float | None
    seconds_lost: float
    seconds_paused: float
    intervals: int
    first_recent: int | None
    last_recent: int | None
    pace: tuple[float, float, float] | None
    spacing_seconds: float | None
    longest_wait: float | None


SELECT_PROGRESS = f"""
/* lens_perf: select_progress */
WITH record AS (
    SELECT created_at, coalesce(serial, 0) AS serial, iteration, id
    {RECORDS}
    AND iteration IS NOT NULL
    AND isfinite(created_at)
),
chain AS (
    SELECT created_at, iteration, row_number() OVER in_time AS number,
        lag(created_at) OVER in_time AS previous_at, lag(serial) OVER in_time < serial AS has_new_serial,
        lag(iteration) OVER in_time AS previous_iteration,
        max(iteration) OVER (in_time ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM record
    WINDOW in_time AS (ORDER BY created_at, serial, iteration, id)
),
step AS MATERIALIZED (
    SELECT number, iteration, previous_iteration, reached, iteration - previous_iteration AS iterations,
        date_part('epoch', created_at - previous_at) AS seconds,
        has_new_serial OR iteration < previous_iteration AS is_restart
    FROM chain
    WHERE previous_at IS NOT NULL
),
usual AS MATERIALIZED (
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds / iterations) AS pace,
        percentile_disc(0.5) WITHIN GROUP (ORDER BY iterations) AS spacing
    FROM step
    WHERE NOT is_restart
    AND iterations > 0
),
judged AS (
    SELECT step.*, pace,
        CASE
            WHEN NOT is_restart
                AND seconds > pace * iterations + {PAUSE_SECONDS}
                AND seconds > pace * greatest(iterations, 1) * {PAUSE_FACTOR}
                THEN seconds - pace * iterations
            ELSE 0
        END AS paused,
        greatest(0, least(iteration, reached) - CASE
            WHEN is_restart THEN iteration - coalesce(spacing, 1)
            ELSE previous_iteration
        END) AS repeated
    FROM step, usual
),
total AS (
    SELECT count(*) FILTER (WHERE is_restart) AS restarts, coalesce(sum(repeated), 0) AS repeated,
        coalesce(sum(paused), 0) AS paused,
        coalesce(sum(CASE
            WHEN is_restart THEN greatest(0, seconds - coalesce(pace, 0) * greatest(0, iteration - reached))
            WHEN repeated > 0 THEN (seconds - paused) * repeated / iterations
            ELSE 0
        END), 0) AS lost
    FROM judged
),
recent AS (
    SELECT count(*) AS intervals, min(previous_iteration) AS first_recent, max(iteration) AS last_recent,
        percentile_cont(ARRAY[0.1, 0.5, 0.9]) WITHIN GROUP (ORDER BY seconds / iterations) AS pace,
        percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS spacing_seconds
    FROM (
        SELECT previous_iteration, iteration, iterations, seconds
        FROM judged
        WHERE NOT is_restart
        AND iterations > 0
        AND paused = 0
        ORDER BY number DESC
        LIMIT {RECENT_INTERVALS}
    ) AS latest
),
waits AS (
    SELECT max(seconds) AS longest_wait
    FROM (SELECT seconds FROM step WHERE NOT is_restart ORDER BY number DESC LIMIT {RECENT_INTERVALS}) AS latest
),
ends AS (
    SELECT count(*) AS records, min(created_at) AS first_at, max(created_at) AS last_at,
        date_part('epoch', max(created_at) - min(created_at)) AS wall
    FROM record
)
SELECT records, (SELECT iteration FROM chain ORDER BY number DESC LIMIT 1) AS current_iteration,
    (SELECT {TIMESTAMP} FROM (SELECT first_at AS created_at OFFSET 0) AS first) AS first_timestamp,
    (SELECT {TIMESTAMP} FROM (SELECT last_at AS created_at OFFSET 0) AS last) AS last_timestamp,
    restarts, repeated, wall, lost, paused, intervals, first_recent, last_recent, recent.pace, spacing_seconds,
    longest_wait
FROM ends, total, recent, waits
ORDER BY records
"""


def select_progress(transaction: Transaction, selection: Selection) -> ProgressFacts:
    """Return what the records of the selection's data source tell of its progress."""
    (row,) = transaction.fetch_all(SELECT_PROGRESS, selection.parameters())
    records, current, first, last, restarts, repeated, wall, lost, paused, intervals, *recent = row
    first_recent, last_recent, pace, spacing_seconds, longest_wait = recent
    return ProgressFacts(
        records=records,
        current_iteration=current,
        target_iteration=select_target(transaction, selection),
        first_timestamp=first,
        last_timestamp=last,
        restarts=restarts,
        iterations_repeated=int(repeated),
        seconds_wall=wall,
        seconds_lost=float(lost),
        seconds_paused=float(paused),
        intervals=intervals,
        first_recent=first_recent,
        last_recent=last_recent,
        pace=tuple(pace) if pace is not None and pace[0] is not None else None,
        spacing_seconds=spacing_seconds,
        longest_wait=longest_wait,
    )
