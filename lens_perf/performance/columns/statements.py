"""The statements that records are read with, whole: as a copy is built from them."""

from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import COPY_FORMAT, IN_IDS, IN_RANGES, RECORDS, SOURCE_JSON, RowSink, Transaction

# Microseconds since 2000-01-01 UTC, PostgreSQL's own epoch: counted from 1970, its last centuries outgrow int64.
# date_part is the cheapest, but float64: from 1970 to 2041 its error stays under half a microsecond. Elsewhere the
# interval is exact. The infinities are the ends of int64.
CREATED_US = """CASE
            WHEN created_at >= '1970-01-01 00:00:00+00' AND created_at < '2041-01-01 00:00:00+00'
                THEN round(date_part('epoch', created_at) * 1000000)::bigint - 946684800000000
            WHEN isfinite(created_at)
                THEN (extract(epoch FROM created_at - timestamptz '2000-01-01 00:00:00+00') * 1000000)::bigint
            WHEN created_at > '2000-01-01' THEN 9223372036854775807
            WHEN created_at < '2000-01-01' THEN -9223372036854775808
        END"""
RECORD_COLUMNS = f"""id, {CREATED_US} AS created_us, iteration, serial, {SOURCE_JSON} AS source_json, performance"""

COPY_RECORDS = f"""
/* lens_perf: copy_records */
COPY (
    SELECT id, created_us, iteration, serial, source_json, performance
    FROM (
        SELECT created_at, {RECORD_COLUMNS}
        {RECORDS}
        AND {IN_RANGES}
        AND {IN_IDS}
        ORDER BY created_at, id
    ) AS record
    ORDER BY created_at, id
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_records(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    r"""Copy the selection's records as ``id\tcreated_us\titeration\tserial\tdata_source\tperformance\n``.

    They come in the order of created_at and id, NULL times last. Times are microseconds since 2000-01-01 UTC, the
    infinities the ends of int64; the data source and the metrics are JSON texts; NULL is the empty text.
    """
    transaction.copy_out(COPY_RECORDS, selection.parameters(), sink)


COPY_IDS = f"""
/* lens_perf: copy_ids */
COPY (
    SELECT id
    {RECORDS}
    ORDER BY id
) TO STDOUT WITH {COPY_FORMAT}
"""


def copy_ids(transaction: Transaction, selection: Selection, sink: RowSink) -> None:
    """Copy the ids of the selection's workload and data source, a line each."""
    transaction.copy_out(COPY_IDS, selection.parameters(), sink)
