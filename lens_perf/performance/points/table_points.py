"""Answers queries for named metrics or iteration times from the table, without a copy."""

from collections.abc import Mapping
from typing import Any

from lens_perf.performance.points.iteration_times import FIELDS as ITERATION_TIMES
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.points.row_points import RowPoints
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.table_statements import copy_iteration_times, copy_named_values
from lens_perf.performance.points.writers import open_writer
from lens_perf.performance.row_blocks import collect_rows
from lens_perf.performance.statements import Transaction


def write_table_points(
    transaction: Transaction,
    query: PointQuery,
    spool: Spool,
    count: PointCount,
    *,
    memory_bytes: int,
    extra: Mapping[str, Any],
) -> PointBody:
    """Return the body of the answer to ``query``, which has named metrics or requests iteration times.

    ``extra`` are additional fields of the response. Raises ResultTooLargeError and psycopg2.Error.
    """
    writer = open_writer(query, spool, count, memory_bytes, extra)
    names = ITERATION_TIMES if query.kind == "iteration-times" else query.metrics or ()
    points = RowPoints(names, writer, spool, has_serial=query.has_serial, non_finite=query.non_finite)
    with collect_rows(points.take) as rows:
        if query.kind == "iteration-times":
            copy_iteration_times(
                transaction,
                query.selection,
                rows,
                serials=query.serials,
                with_serial=query.has_serial,
                by_serial=query.by_serial,
            )
        else:
            copy_named_values(
                transaction, query.selection, names, rows, serials=query.serials, with_serial=query.has_serial
            )
    points.finish()
    return writer.finish(extra)
