"""The statements that tell whether a workload's records have changed, without reading them."""

from dataclasses import dataclass, replace

from lens_perf.performance.queries import IS_NEW, RECORDS, Transaction
from lens_perf.performance.selection import Selection, Since

SELECT_SNAPSHOT = """
/* lens_perf: select_snapshot */
SELECT pg_current_snapshot()::text AS snapshot
ORDER BY snapshot
"""


def select_snapshot(transaction: Transaction) -> str:
    """Return the snapshot of now: while it is the same, nothing at all was written to the server."""
    ((snapshot,),) = transaction.fetch_all(SELECT_SNAPSHOT, {})
    return str(snapshot)


@dataclass(frozen=True)
class Survey:
    """A workload's records at a glance: their number, their range of iterations, and when and how far one looked."""

    records: int
    first_iteration: int | None
    last_iteration: int | None
    snapshot: str
    latest_id: int


# The index (workload_uid, data_source, iteration) holds all that is counted here; the ranges of a question would need
# the records themselves.
SELECT_SURVEY = f"""
/* lens_perf: select_survey */
SELECT count(*) AS records, min(iteration) AS first_iteration, max(iteration) AS last_iteration,
    pg_current_snapshot()::text AS snapshot,
    coalesce((SELECT max(id) FROM training_performance), 0) AS latest_id
{RECORDS}
ORDER BY records
"""


def select_survey(transaction: Transaction, selection: Selection) -> Survey:
    """Return what there is of the selection's workload and data source, whatever its ranges."""
    (row,) = transaction.fetch_all(SELECT_SURVEY, selection.parameters())
    return Survey(*row)


SELECT_HAS_NEW = f"""
/* lens_perf: select_has_new */
SELECT EXISTS (
    SELECT
    {RECORDS}
    AND {IS_NEW}
) AS has_new
ORDER BY has_new
"""


def select_has_new(transaction: Transaction, selection: Selection, since: Since) -> bool:
    """Tell whether a record of the selection's workload and data source has become visible since."""
    ((found,),) = transaction.fetch_all(SELECT_HAS_NEW, replace(selection, since=since).parameters())
    return bool(found)
