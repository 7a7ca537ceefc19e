"""The statement that says how many records a workload has, and in which range of iterations."""

from dataclasses import dataclass

from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RECORDS, Transaction


@dataclass(frozen=True)
class Survey:
    """The number of a workload's records and their range of iterations."""

    records: int
    first_iteration: int | None
    last_iteration: int | None


# The index (workload_uid, data_source, iteration) holds all that is counted here; the ranges of a query would need
# the records themselves.
SELECT_SURVEY = f"""
/* lens_perf: select_survey */
SELECT count(*) AS records, min(iteration) AS first_iteration, max(iteration) AS last_iteration
{RECORDS}
ORDER BY records
"""


def select_survey(transaction: Transaction, selection: Selection) -> Survey:
    """Return what there is of the selection's workload and data source, whatever its ranges."""
    (row,) = transaction.fetch_all(SELECT_SURVEY, selection.parameters())
    return Survey(*row)
