"""The statement that counts the records of each data source of a workload without a copy."""

from lens_perf.performance.statements import Transaction

SELECT_SOURCES = """
/* lens_perf: select_sources */
SELECT data_source::text AS name, count(*) AS count
FROM training_performance
WHERE workload_uid = %(workload_uid)s
GROUP BY data_source
ORDER BY count DESC, data_source::text COLLATE "C"
"""


def select_sources(transaction: Transaction, workload_uid: str) -> list[tuple[str | None, int]]:
    """Return (data source, number of records), most records first."""
    return transaction.fetch_all(SELECT_SOURCES, {"workload_uid": workload_uid})
