"""Writes wide tables, with a row for each iteration and data source and a column for each metric."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.points.parquet_writer import EXTRA, sink_parquet
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.sampled_rows import SampledRows
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_encodings import CSV
from lens_perf.performance.points.wide_rows import WideRows, choose_rows_at_once


def list_titles(origin: Iterable[str], extra: Iterable[str], fields: Sequence[str]) -> list[str]:
    """Return distinct names of all columns; underscores are appended to a name that exists already."""
    titles = dict.fromkeys([*origin, "iteration", "timestamp", "data_source", *extra])
    for name in fields:
        title = name
        while title in titles:
            title += "_"
        titles[title] = None
    return list(titles)


def write_wide_header(titles: Sequence[str]) -> bytes:
    """Return the header line of a wide CSV."""
    return (",".join(map(CSV.write_text, titles)) + "\n").encode()


def list_types(origin: Iterable[str], extra: Iterable[str], types: Iterable[Any]) -> list[Any]:
    """Return the types of all columns of a Parquet file, given those of its fields."""
    fixed = [pl.Int32, pl.Int64, pl.String, *(EXTRA[name] for name in extra)]
    return [*(pl.String for _ in origin), *fixed, *types]


class WideWriter:
    """Writes a wide table as CSV, or with ``is_binary`` as Parquet.

    ``extra`` are those of EXTRA that the rows have. Each row begins with the constants ``origin``. With ``is_part``,
    CSV has no header. ``left_out`` are fields of sampled points that do not become columns. All cells count as data
    points, because empty ones cost as much as others.
    """

    def __init__(
        self,
        spool: Spool,
        count: PointCount,
        *,
        is_binary: bool,
        extra: Sequence[str],
        origin: Mapping[str, str],
        is_part: bool,
        left_out: Sequence[str] = (),
    ) -> None:
        self._spool = spool
        self.count = count
        self._write = self._write_parquet if is_binary else self._write_csv
        self._extra = extra
        self._origin = origin
        self._is_part = is_part
        self._left_out = left_out

    def write_rows(self, rows: WideRows) -> None:
        """Write the table. Raises ResultTooLargeError."""
        self._write(rows)

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str]) -> None:
        """Write the table of sampled points, in frames of ``Sampler.finish``. Raises ResultTooLargeError."""
        self.write_rows(SampledRows(points, fields, self._extra, self._left_out))

    def finish(self, _extra: Mapping[str, Any]) -> PointBody:
        """Return the body; tables do not contain the fields of the response."""
        note_rows(self.count.value)
        return self._spool.finish()

    def _write_csv(self, rows: WideRows) -> None:
        """Write numbers as stored, and an empty cell for a missing data point."""
        if not self._is_part:
            self._spool.write(write_wide_header(list_titles(self._origin, self._extra, rows.fields)))
        origin = [pl.lit(CSV.write_text(value)).alias(name) for name, value in self._origin.items()]
        for frame in self._read(rows, dict.fromkeys(rows.fields, pl.String)):
            sources = frame["data_source"].unique().to_list()
            texts = [CSV.write_source(source) for source in sources]
            source = pl.col("data_source").replace_strict(sources, texts, return_dtype=pl.String)
            written = frame.with_columns(source).select(*origin, pl.all())
            for piece in written.iter_slices(choose_rows_at_once(len(rows.fields))):
                size = int(piece.estimated_size())
                piece.write_csv(self._spool.reserve(size), include_header=False, quote_style="never")

    def _write_parquet(self, rows: WideRows) -> None:
        # A column without values must not make integers of other workloads float64.
        unknown = pl.Int64 if self._is_part else pl.Float64
        types = {name: dtype or unknown for name, dtype in rows.find_types().items()}
        titles = list_titles(self._origin, self._extra, rows.fields)
        schema = dict(zip(titles, list_types(self._origin, self._extra, types.values()), strict=True))
        origin = [pl.lit(value).alias(f"origin:{name}") for name, value in self._origin.items()]
        # The values on an axis are texts, as stored.
        extra: Any = {name: EXTRA[name] for name in self._extra}
        frames = (frame.cast(extra).select(*origin, pl.all()) for frame in self._read(rows, types))
        named = (frame.rename(dict(zip(frame.columns, schema, strict=True))) for frame in frames)
        sink_parquet(named, schema, self._spool)

    def _read(self, rows: WideRows, types: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
        for frame in rows.read(types):
            self.count.add(frame.height * len(rows.fields))
            yield frame
