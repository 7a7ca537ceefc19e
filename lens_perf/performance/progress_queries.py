"""Reads the records that progress is computed from, where there is no columnar copy of the workload."""

from typing import Any

from lens_perf.performance.statements import RECORDS, Transaction
from lens_perf.performance.selection import Selection

SELECT_PROGRESS_RECORDS = f"""
/* lens_perf: select_progress_records */
SELECT id, CASE WHEN isfinite(created_at)
        THEN (extract(epoch FROM created_at - '2000-01-01Z'::timestamptz) * 1000000)::bigint
    END AS created_at,
    iteration, serial, data_source::text AS data_source,
    CASE jsonb_typeof(performance->'target_iteration')
        WHEN 'number' THEN performance->>'target_iteration'
    END AS target_iteration
{RECORDS}
AND iteration IS NOT NULL
AND data_source IS NOT NULL
ORDER BY created_at, id
"""


def select_progress_records(transaction: Transaction, selection: Selection) -> list[tuple[Any, ...]]:
    """Return (id, microseconds since 2000, iteration, serial, data source, text of the target) by time and id."""
    return transaction.fetch_all(SELECT_PROGRESS_RECORDS, selection.parameters())
