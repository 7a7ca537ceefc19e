"""The statements that find workloads by stepping through the index, from one to the next, never through the records."""

from collections.abc import Sequence
from typing import Any

from lens_perf.performance.statements import TIMESTAMP, Transaction

# Where no index tells when a workload was last written, the newest records of all tell of those at work: one that was
# restarted trains below its highest iteration for a while.
NEWEST_RECORDS = 5000

# Whether an index has a workload's records by time, as the recommended one.
HAS_TIME_INDEX = """
    SELECT EXISTS (
        SELECT
        FROM pg_index
        WHERE indrelid = 'training_performance'::regclass
        AND indisvalid
        AND indpred IS NULL
        AND pg_get_indexdef(indexrelid, 1, true) = 'workload_uid'
        AND pg_get_indexdef(indexrelid, 2, true) = 'created_at'
    ) AS has_time_index"""

# Subqueries that end with OFFSET 0 are computed once, where they stand, not wherever their columns are named.

# A step is one look into the index, whatever lies between.
WORKLOADS = """
    (SELECT workload_uid FROM training_performance WHERE workload_uid IS NOT NULL ORDER BY workload_uid LIMIT 1)
    UNION ALL
    SELECT next.workload_uid
    FROM workload
    CROSS JOIN LATERAL (
        SELECT training_performance.workload_uid
        FROM training_performance
        WHERE training_performance.workload_uid > workload.workload_uid
        ORDER BY training_performance.workload_uid
        LIMIT 1
    ) AS next"""

# The sources of a workload, likewise; those that are NULL come last.
SOURCES = """
    (
        SELECT data_source
        FROM training_performance
        WHERE training_performance.workload_uid = {uid}
        ORDER BY data_source
        LIMIT 1
    )
    UNION ALL
    SELECT next.data_source
    FROM source
    CROSS JOIN LATERAL (
        (
            SELECT training_performance.data_source, 0 AS rank
            FROM training_performance
            WHERE training_performance.workload_uid = {uid}
            AND training_performance.data_source > source.data_source
            ORDER BY training_performance.data_source
            LIMIT 1
        )
        UNION ALL
        (
            SELECT NULL, 1
            FROM training_performance
            WHERE training_performance.workload_uid = {uid}
            AND training_performance.data_source IS NULL
            AND source.data_source IS NOT NULL
            LIMIT 1
        )
        ORDER BY rank
        LIMIT 1
    ) AS next"""


def _at_end(column: str, order: str, further: str = "") -> str:
    """Return the SQL for a column of the record at one end of the iterations of a source, also of NULL."""

    def select(of_source: str) -> str:
        return f"""(
                SELECT {column}
                FROM training_performance
                WHERE training_performance.workload_uid = {{uid}}
                AND training_performance.data_source {of_source}
                AND iteration IS NOT NULL{further}
                ORDER BY iteration {order}
                LIMIT 1
            )"""

    return f"""CASE
            WHEN source.data_source IS NULL THEN {select("IS NULL")}
            ELSE {select("= source.data_source")}
        END"""


FINITE = """
                AND isfinite(created_at)"""
# Of a listing that goes on: its later pages show what was when the first was read.
AS_OF = """
                AND id <= %(as_of)s"""


def _at_time(order: str, further: str = "") -> str:
    return f"""(
        SELECT created_at
        FROM training_performance
        WHERE training_performance.workload_uid = {{uid}}
        AND created_at > '-infinity'
        AND created_at < 'infinity'{further}
        ORDER BY created_at {order}
        LIMIT 1
    )"""


def _any_time(further: str = "") -> str:
    """Return the SQL for the time of any record, for a workload without iterations."""
    return f"""(
        SELECT created_at
        FROM training_performance
        WHERE training_performance.workload_uid = {{uid}}
        AND isfinite(created_at){further}
        LIMIT 1
    )"""


SELECT_ACTIVITY = f"""
/* lens_perf: select_activity */
WITH RECURSIVE workload AS ({WORKLOADS}),
probe AS ({HAS_TIME_INDEX}),
newest AS (
    SELECT workload_uid, max(created_at) AS created_at
    FROM (
        SELECT workload_uid, created_at
        FROM training_performance
        WHERE id <= %(as_of)s
        ORDER BY id DESC
        LIMIT {NEWEST_RECORDS}
    ) AS record
    WHERE isfinite(created_at)
    GROUP BY workload_uid
)
SELECT workload_uid, {TIMESTAMP} AS last_timestamp, (SELECT max(id) FROM training_performance) AS latest_id
FROM (
    SELECT workload_uid, CASE
        WHEN (SELECT has_time_index FROM probe) THEN {_at_time("DESC", AS_OF)}
        ELSE coalesce(
            newest.created_at,
            (
                WITH RECURSIVE source AS ({SOURCES})
                SELECT max({_at_end("created_at", "DESC", FINITE + AS_OF)}) FROM source
            ),
            {_any_time(AS_OF)}
        )
    END AS created_at
    FROM workload
    LEFT JOIN newest USING (workload_uid)
    OFFSET 0
) AS activity
ORDER BY last_timestamp DESC NULLS LAST, workload_uid COLLATE "C"
""".format(uid="workload.workload_uid")


def select_activity(transaction: Transaction, as_of: int) -> list[tuple[str, int | None, int]]:
    """Return (uid, when it was last written in milliseconds, the table's latest id) of each workload, the latest first.

    Records with an id above ``as_of`` do not count as written. A workload that has no others comes last.
    """
    return transaction.fetch_all(SELECT_ACTIVITY, {"as_of": as_of})


SELECT_DETAILS = f"""
/* lens_perf: select_details */
WITH probe AS ({HAS_TIME_INDEX})
SELECT workload_uid, data_sources, records, {TIMESTAMP} AS first_timestamp, last_iteration
FROM (
    SELECT asked.workload_uid, asked.place, found.data_sources, found.last_iteration,
        (
            SELECT count(*) FROM training_performance WHERE training_performance.workload_uid = asked.workload_uid
        ) AS records,
        CASE
            WHEN (SELECT has_time_index FROM probe) THEN {_at_time("ASC")}
            ELSE coalesce(found.created_at, {_any_time()})
        END AS created_at
    FROM unnest(%(workload_uids)s::text[]) WITH ORDINALITY AS asked (workload_uid, place)
    CROSS JOIN LATERAL (
        WITH RECURSIVE source AS ({SOURCES})
        SELECT array_agg(data_source::text ORDER BY data_source) AS data_sources,
            max({_at_end("iteration", "DESC")}) AS last_iteration,
            min({_at_end("created_at", "ASC", FINITE)}) AS created_at
        FROM source
    ) AS found
    OFFSET 0
) AS detail
ORDER BY place
""".format(uid="asked.workload_uid")


def select_details(transaction: Transaction, workload_uids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return (uid, data sources, number of records, first time in milliseconds, last iteration) of each workload."""
    return transaction.fetch_all(SELECT_DETAILS, {"workload_uids": list(workload_uids)})
