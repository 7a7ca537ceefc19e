"""The statements that read complete records for copies."""

from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, IN_IDS, IN_RANGES, RECORDS, RowSink, Transaction

# The columns need no conversion: in binary, a time is in microseconds since 2000, and JSONB is text.
RECORD_COLUMNS = "id, created_at, iteration, serial, data_source, performance"
BINARY_FORMAT = "(FORMAT binary)"

COPY_RECORDS = f"""
/* lens_perf: copy_records */
COPY (
    SELECT {RECORD_COLUMNS}
    {RECORDS}
    AND {IN_RANGES}
    AND {IN_IDS}
    ORDER BY created_at, id
) TO STDOUT WITH {BINARY_FORMAT}
"""


def copy_records(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    """Copy the selected records as rows of a binary COPY with RECORD_COLUMNS, for ``binary_rows``.

    They are in order of (created_at, id), NULL times last. Raises psycopg2.Error.
    """
    transaction.copy_out(COPY_RECORDS, selection.parameters(), sink)


# The records are nearly in order of time if the table is read from its beginning to its end by one process. An index
# scan may read them in the opposite order; a bitmap scan reads them as they are stored.
COPY_STORED_RECORDS = f"""
/* lens_perf: copy_stored_records */
SET LOCAL max_parallel_workers_per_gather = 0;
SET LOCAL synchronize_seqscans = off;
SET LOCAL enable_indexscan = off;
COPY (
    SELECT {RECORD_COLUMNS}
    {RECORDS}
) TO STDOUT WITH {BINARY_FORMAT}
"""


def copy_stored_records(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    """Copy all records of the workload and data source in the order in which they are stored.

    In all other respects, this is like ``copy_records``.
    """
    transaction.copy_out(COPY_STORED_RECORDS, selection.parameters(), sink)


COPY_IDS = f"""
/* lens_perf: copy_ids */
COPY (
    SELECT id
    {RECORDS}
    ORDER BY id
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_ids(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    """Copy the ids of all records of the workload and data source, one in each row. Raises psycopg2.Error."""
    transaction.copy_out(COPY_IDS, selection.parameters(), sink)
