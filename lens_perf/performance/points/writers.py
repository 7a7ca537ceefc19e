"""Chooses the writer for the encoding of an answer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import orjson
import polars as pl

from lens_perf.performance.blocks import Block
from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.points.iteration_times import ITERATION
from lens_perf.performance.points.parquet_writer import ParquetWriter
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.points.series_writer import SeriesWriter
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_encodings import CSV, JSON, NDJSON
from lens_perf.performance.points.text_writer import TextWriter
from lens_perf.performance.points.wide import WideWriter

TEXT_ENCODINGS = {"json": JSON, "ndjson": NDJSON, "csv": CSV}


class Writer(Protocol):
    """Writes data points to a body. Methods that write points raise ResultTooLargeError.

    From blocks, it reads only the texts or only the values of points, as ``reads`` says.
    """

    reads: Representation
    count: PointCount

    def write_blocks(self, blocks: Iterable[Block], fields: Sequence[str], /) -> None:
        """Write the data points of ``fields`` in ``blocks``, by record."""

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str], /) -> None:
        """Write the points of frames from ``list_points`` with a column ``value``."""

    def finish(self, extra: Mapping[str, Any], /) -> PointBody:
        """Complete and return the body, with the fields ``extra`` if the encoding has any fields."""


def open_writer(
    query: PointQuery, spool: Spool, count: PointCount, memory_bytes: int, changes: Mapping[str, Any] | None = None
) -> Writer:
    """Return the writer for the encoding of ``query``, except for wide tables: ``open_wide_writer`` opens these.

    ``changes`` are the fields of a response to ``after``. NDJSON begins with a line of them; for objects, pass them to
    ``finish``.
    """
    selection, extra, origin = query.selection, list_extra(query), query.origin
    labels = None if query.is_part else {"workload_uid": selection.workload_uid}
    if labels is not None and selection.data_source is not None:
        labels["data_source"] = selection.data_source
    if query.encoding == "columns":
        by_serial = query.by_serial
        return SeriesWriter(labels, spool, count, memory_bytes, extra=extra, origin=origin, by_serial=by_serial)
    if query.encoding == "parquet":
        return ParquetWriter(spool, count, extra=extra, origin=origin)
    encoding = TEXT_ENCODINGS[query.encoding]
    first_line = orjson.dumps(changes) + b"\n" if query.encoding == "ndjson" and changes else b""
    return TextWriter(encoding, labels, spool, count, extra=extra, origin=origin, first_line=first_line)


def open_wide_writer(query: PointQuery, spool: Spool, count: PointCount) -> WideWriter:
    """Return the writer for ``query``, whose encoding is in WIDE."""
    return WideWriter(
        spool,
        count,
        is_binary=query.encoding == "wide-parquet",
        extra=list_extra(query),
        origin=query.origin,
        is_part=query.is_part,
        # The iteration identifies the row already.
        left_out=[ITERATION] if query.kind == "iteration-times" else [],
    )


def list_extra(query: PointQuery) -> list[str]:
    """Return the fields of its record that a point has in addition to the usual ones."""
    extra = ["serial"] if query.has_serial else []
    if query.sampling is not None and query.sampling.axis in {"relative_time", "metric"}:
        extra.append("axis_value")
    return extra
