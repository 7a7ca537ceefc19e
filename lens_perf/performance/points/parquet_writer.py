"""Writes data points or a wide table as a Parquet file, in constant memory.

Times are int64 milliseconds, because the timestamp types of some readers lack the range of PostgreSQL.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl
from polars.io.plugins import register_io_source

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.blocks import Block, index_fields, list_points
from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.spool import PointBody, Spool

SCHEMA: Mapping[str, type[pl.DataType]] = {
    "metric_name": pl.String,
    "value": pl.Float64,
    "timestamp": pl.Int64,
    "iteration": pl.Int32,
    "data_source": pl.String,
}
EXTRA: Mapping[str, type[pl.DataType]] = {"serial": pl.Int32, "axis_value": pl.Float64}


def find_schema(extra: Iterable[str], origin: Iterable[str]) -> Mapping[str, type[pl.DataType]]:
    """Return the names and types of the columns of a file of data points."""
    texts: Mapping[str, type[pl.DataType]] = dict.fromkeys(origin, pl.String)
    return {**SCHEMA, **{name: EXTRA[name] for name in extra}, **texts}


def sink_parquet(frames: Iterable[pl.DataFrame], schema: Mapping[str, Any], spool: Spool) -> None:
    """Write ``frames``, which have ``schema``, as one Parquet file; exceptions of their iterator propagate."""

    def read(
        _columns: list[str] | None, _predicate: pl.Expr | None, _rows: int | None, _batch_size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield from frames

    sink_frames(register_io_source(read, schema=pl.Schema(schema)), spool)


def sink_frames(frames: pl.LazyFrame, spool: Spool) -> None:
    """Write ``frames`` as one Parquet file."""
    frames.sink_parquet(spool.move_to_file(), compression="zstd", compression_level=1)


class ParquetWriter:
    """Writes a row for each data point: SCHEMA, the ``extra`` fields of its record, and the constants ``origin``.

    The texts for NaN and infinity become these numbers.
    """

    reads: Representation = "value"

    def __init__(
        self,
        spool: Spool,
        count: PointCount,
        *,
        extra: Sequence[str] = (),
        origin: Mapping[str, str] | None = None,
    ) -> None:
        self._spool = spool
        self.count = count
        self._origin = [pl.lit(value).alias(name) for name, value in (origin or {}).items()]
        self._schema = find_schema(extra, origin or {})

    def write_blocks(self, blocks: Iterable[Block], fields: Sequence[str]) -> None:
        """Write the data points of ``fields``, by record. Raises ResultTooLargeError."""
        sink_parquet(self._list_rows(blocks, fields), self._schema, self._spool)

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str]) -> None:
        """Write the points of frames from ``list_points`` with a column ``value``. Raises ResultTooLargeError."""
        names = pl.Series(fields, dtype=pl.String)
        sink_parquet((self._shape(frame, names) for frame in points if frame.height), self._schema, self._spool)

    def finish(self, _extra: Mapping[str, Any]) -> PointBody:
        """Return the body; Parquet files do not contain the fields of the response."""
        note_rows(self.count.value)
        return self._spool.finish()

    def _list_rows(self, blocks: Iterable[Block], fields: Sequence[str]) -> Iterator[pl.DataFrame]:
        indices = index_fields(fields)
        for block in blocks:
            counts = block.count_points(indices)
            names = pl.Series(list(counts), dtype=pl.String)
            for piece in block.list_pieces(counts):
                points = list_points(piece, list(counts), ["value"])
                if points.height:
                    yield self._shape(points, names)

    def _shape(self, points: pl.DataFrame, names: pl.Series) -> pl.DataFrame:
        self.count.add(points.height)
        named = points.with_columns(
            names.gather(points["field"]).alias("metric_name"), to_milliseconds().alias("timestamp"), *self._origin
        )
        return named.select(pl.col(name).cast(dtype) for name, dtype in self._schema.items())
