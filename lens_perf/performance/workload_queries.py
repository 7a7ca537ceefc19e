"""The statements of the listing: they find each workload by an index lookup, without reading its records."""

from collections.abc import Sequence
from typing import Any

from lens_perf.performance.statements import TIMESTAMP, Transaction

# Without an index by time, the newest records of the table show the activity of running workloads. The record with the
# highest iteration would not do: after a restart, iterations are below it for a while.
NEWEST_RECORDS = 5000

# Whether there is an index by workload and time, like the recommended one.
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

# OFFSET 0 makes PostgreSQL compute a subquery once, instead of at each use of its columns.

# Each step is one index lookup, regardless of the number of records.
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


def walk_sources(uid: str) -> str:
    """Return the recursive query ``source`` of a workload's data sources, by index lookups as well; NULL is last."""
    return f"""
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


def _at_end(uid: str, column: str, order: str, extra: str = "") -> str:
    """Return the SQL for a column of the record with the first or last iteration of a data source, also of NULL."""

    def select(of_source: str) -> str:
        return f"""(
                SELECT {column}
                FROM training_performance
                WHERE training_performance.workload_uid = {uid}
                AND training_performance.data_source {of_source}
                AND iteration IS NOT NULL{extra}
                ORDER BY iteration {order}
                LIMIT 1
            )"""

    return f"""CASE
            WHEN source.data_source IS NULL THEN {select("IS NULL")}
            ELSE {select("= source.data_source")}
        END"""


FINITE = """
                AND isfinite(created_at)"""
# Later pages of a list show the state as of its first page.
AS_OF = """
                AND id <= %(as_of)s"""


def _at_time(uid: str, order: str, extra: str = "") -> str:
    """Return the SQL for the first or last time of a workload."""
    return f"""(
        SELECT created_at
        FROM training_performance
        WHERE training_performance.workload_uid = {uid}
        AND created_at > '-infinity'
        AND created_at < 'infinity'{extra}
        ORDER BY created_at {order}
        LIMIT 1
    )"""


def _any_time(uid: str, extra: str = "") -> str:
    """Return the SQL for the time of any record, for a workload without iterations."""
    return f"""(
        SELECT created_at
        FROM training_performance
        WHERE training_performance.workload_uid = {uid}
        AND isfinite(created_at){extra}
        LIMIT 1
    )"""


WORKLOAD_UID, LISTED_UID = "workload.workload_uid", "listed.workload_uid"

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
        WHEN (SELECT has_time_index FROM probe) THEN {_at_time(WORKLOAD_UID, "DESC", AS_OF)}
        ELSE coalesce(
            newest.created_at,
            (
                WITH RECURSIVE source AS ({walk_sources(WORKLOAD_UID)})
                SELECT max({_at_end(WORKLOAD_UID, "created_at", "DESC", FINITE + AS_OF)}) FROM source
            ),
            {_any_time(WORKLOAD_UID, AS_OF)}
        )
    END AS created_at
    FROM workload
    LEFT JOIN newest USING (workload_uid)
    OFFSET 0
) AS activity
ORDER BY last_timestamp DESC NULLS LAST, workload_uid COLLATE "C"
"""


def select_activity(transaction: Transaction, as_of: int) -> list[tuple[str, int | None, int]]:
    """Return (uid, last activity in milliseconds, the table's latest id) of each workload, the most recent first.

    Records with an id above ``as_of`` are ignored. Workloads without other records are last.
    """
    return transaction.fetch_all(SELECT_ACTIVITY, {"as_of": as_of})


SELECT_DETAILS = f"""
/* lens_perf: select_details */
WITH probe AS ({HAS_TIME_INDEX})
SELECT workload_uid, data_sources, records, {TIMESTAMP} AS first_timestamp, last_iteration
FROM (
    SELECT listed.workload_uid, listed.ordinality, found.data_sources, found.last_iteration,
        (
            SELECT count(*) FROM training_performance WHERE training_performance.workload_uid = listed.workload_uid
        ) AS records,
        CASE
            WHEN (SELECT has_time_index FROM probe) THEN {_at_time(LISTED_UID, "ASC")}
            ELSE coalesce(found.created_at, {_any_time(LISTED_UID)})
        END AS created_at
    FROM unnest(%(workload_uids)s::text[]) WITH ORDINALITY AS listed (workload_uid, ordinality)
    CROSS JOIN LATERAL (
        WITH RECURSIVE source AS ({walk_sources(LISTED_UID)})
        SELECT array_agg(data_source::text ORDER BY data_source) AS data_sources,
            max({_at_end(LISTED_UID, "iteration", "DESC")}) AS last_iteration,
            min({_at_end(LISTED_UID, "created_at", "ASC", FINITE)}) AS created_at
        FROM source
    ) AS found
    OFFSET 0
) AS detail
ORDER BY ordinality
"""


def select_details(transaction: Transaction, workload_uids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return (uid, data sources, number of records, first time in milliseconds, last iteration) of each workload."""
    return transaction.fetch_all(SELECT_DETAILS, {"workload_uids": list(workload_uids)})
