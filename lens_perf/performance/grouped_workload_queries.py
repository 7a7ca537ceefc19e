"""The statements of the listing for Citus: a plain GROUP BY on the distribution column, executed by each shard alone.

They read every record, or its entry in the recommended index by time: Citus refuses the recursive index lookups.
"""

from collections.abc import Sequence
from typing import Any

from lens_perf.performance.statements import TIMESTAMP, Transaction

SELECT_GROUPED_ACTIVITY = f"""
/* lens_perf: select_grouped_activity */
SELECT workload_uid, max({TIMESTAMP}) FILTER (WHERE id <= %(as_of)s) AS last_timestamp, max(id) AS latest_id
FROM training_performance
GROUP BY workload_uid
ORDER BY workload_uid
"""


def select_grouped_activity(transaction: Transaction, as_of: int) -> list[tuple[str, int | None, int]]:
    """Return the same rows as ``select_activity``, ordered by uid."""
    rows = transaction.fetch_all(SELECT_GROUPED_ACTIVITY, {"as_of": as_of})
    latest_id = max((row[2] for row in rows), default=0)
    return [(uid, last_timestamp, latest_id) for uid, last_timestamp, _ in rows if uid is not None]


SELECT_GROUPED_DETAILS = f"""
/* lens_perf: select_grouped_details */
SELECT workload_uid, array_agg(DISTINCT data_source ORDER BY data_source)::text[] AS data_sources,
    count(*) AS records, min({TIMESTAMP}) AS first_timestamp, max(iteration) AS last_iteration
FROM training_performance
WHERE workload_uid = ANY (%(workload_uids)s)
GROUP BY workload_uid
ORDER BY workload_uid
"""


def select_grouped_details(transaction: Transaction, workload_uids: Sequence[str]) -> list[tuple[Any, ...]]:
    """Return the same rows as ``select_details``, ordered by uid, without workloads that have no records."""
    return transaction.fetch_all(SELECT_GROUPED_DETAILS, {"workload_uids": list(workload_uids)})
