"""Writes wide tables, with a row for each iteration and data source and a column for each metric."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.blocks import Block, Reading, select_records
from lens_perf.performance.columns.field_columns import NON_FINITE, VALUE
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.points.by_iteration import LowestLater, order_by_iteration
from lens_perf.performance.points.parquet_writer import sink_parquet
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_encodings import CSV

COLUMNS = ("created_at", "iteration", "serial", "data_source")
# Maximum number of cells processed at once: about 10 MB of text.
CELLS = 2**18
LEAST_ROWS = 64


@dataclass(frozen=True)
class WideTable:
    """A table of the metrics ``fields``.

    A row has the latest data point of each metric, by (created_at, id), and the latest time. There is a row for each
    iteration and data source, and with ``by_serial`` for each attempt; a record without an iteration is a separate row
    at the end. Each row begins with the constants ``origin``. With ``is_part``, there is no header.
    """

    copy: Copy
    reading: Reading
    fields: Sequence[str]
    by_serial: bool
    origin: Mapping[str, str]
    is_part: bool

    @property
    def rows(self) -> int:
        """The number of records processed at once."""
        return max(LEAST_ROWS, CELLS // (len(self.fields) + 1))

    @property
    def keys(self) -> list[str]:
        """The columns that identify a row."""
        return ["iteration", "data_source", *(["serial"] if self.by_serial else [])]

    @property
    def titles(self) -> list[str]:
        """The names of all columns, each once."""
        return list_titles(self.origin, self.fields, by_serial=self.by_serial)


def list_titles(origin: Iterable[str], fields: Sequence[str], *, by_serial: bool) -> list[str]:
    """Return distinct names of all columns; underscores are appended to a name that exists already."""
    titles = dict.fromkeys([*origin, "iteration", "timestamp", "data_source", *(["serial"] if by_serial else [])])
    for name in fields:
        title = name
        while title in titles:
            title += "_"
        titles[title] = None
    return list(titles)


def write_wide_header(titles: Sequence[str]) -> bytes:
    """Return the header line of a wide CSV."""
    return (",".join(map(CSV.write_text, titles)) + "\n").encode()


def list_types(origin: Iterable[str], types: Iterable[Any], *, by_serial: bool) -> list[Any]:
    """Return the types of all columns of a Parquet file, given those of its fields."""
    fixed = [pl.Int32, pl.Int64, pl.String, *([pl.Int32] if by_serial else [])]
    return [*(pl.String for _ in origin), *fixed, *types]


def write_wide_csv(table: WideTable, spool: Spool, count: PointCount) -> PointBody:
    """Write ``table`` as CSV: numbers as stored, an empty cell for a missing data point. Raises ResultTooLargeError."""
    if not table.is_part:
        spool.write(write_wide_header(table.titles))
    origin = [pl.lit(CSV.write_text(value)).alias(name) for name, value in table.origin.items()]
    for frame in _list_rows(table, dict.fromkeys(table.fields, pl.String), count):
        sources = frame["data_source"].unique().to_list()
        texts = [CSV.write_source(source) for source in sources]
        source = pl.col("data_source").replace_strict(sources, texts, return_dtype=pl.String)
        rows = frame.with_columns(source).select(*origin, pl.all())
        for piece in rows.iter_slices(table.rows):
            piece.write_csv(spool.reserve(int(piece.estimated_size())), include_header=False, quote_style="never")
    note_rows(count.value)
    return spool.finish()


def write_wide_parquet(table: WideTable, spool: Spool, count: PointCount) -> PointBody:
    """Write ``table`` as Parquet. A metric is int64 if all of its data points are, else float64.

    Raises ResultTooLargeError.
    """
    types = _find_types(table)
    schema = list_types(table.origin, types.values(), by_serial=table.by_serial)
    named = dict(zip(table.titles, schema, strict=True))
    origin = [pl.lit(value).alias(f"origin:{name}") for name, value in table.origin.items()]
    frames = (frame.select(*origin, pl.all()) for frame in _list_rows(table, types, count))
    rows = (frame.rename(dict(zip(frame.columns, named, strict=True))) for frame in frames)
    sink_parquet(rows, named, spool)
    note_rows(count.value)
    return spool.finish()


def _find_types(table: WideTable) -> dict[str, Any]:
    """Return the type of each field: Int64 if it is Int64 in every part of the copy, else Float64."""
    found: dict[str, set[Any]] = {field: set() for field in table.fields}
    known = {name for _source, name in table.copy.fields}
    for frame in table.copy.blocks([field for field in table.fields if field in known], columns=COLUMNS):
        table.reading.check()
        for name, dtype in frame.schema.items():
            if name.startswith(VALUE) or (table.reading.non_finite and name.startswith(NON_FINITE)):
                found[name[2:]].add(dtype)
    return {field: pl.Int64 if types == {pl.Int64} else pl.Float64 for field, types in found.items()}


def _list_rows(table: WideTable, types: Mapping[str, Any], count: PointCount) -> Iterator[pl.DataFrame]:
    """Yield the rows, with fields as columns ``0``, ``1`` and so on, and count their cells.

    All cells are counted, because empty ones cost as much as others. The first estimate is a row for each record.
    """
    later = LowestLater(table.copy, table.reading, table.rows)
    count.expect(later.records * len(table.fields))
    order = ["iteration", "timestamp", *table.keys[1:], *(str(index) for index in range(len(table.fields)))]

    def keep_latest(frame: pl.DataFrame) -> pl.DataFrame:
        if frame.select(table.keys).is_unique().all():
            return frame.sort(table.keys, nulls_last=True, maintain_order=True)
        latest = pl.exclude(table.keys).drop_nulls().last()
        return frame.group_by(table.keys).agg(latest).select(frame.columns).sort(table.keys, nulls_last=True)

    records = _list_records(table, types, pl.col("iteration").is_not_null())
    for frame in order_by_iteration(records, later, keep_latest):
        count.add(frame.height * len(table.fields))
        yield frame.select(order)
    for _end, frame in _list_records(table, types, pl.col("iteration").is_null()) if later.has_null else ():
        count.add(frame.height * len(table.fields))
        yield frame.select(order)


def _list_records(table: WideTable, types: Mapping[str, Any], wanted: pl.Expr) -> Iterator[tuple[int, pl.DataFrame]]:
    """Yield the ``wanted`` records, with fields as numbered columns, and the number of all records up to their end."""
    reading = table.reading
    condition = select_records(reading.selection, reading.serials)
    known = {name for _source, name in table.copy.fields}
    records = 0
    for frame in table.copy.blocks([field for field in types if field in known], columns=COLUMNS):
        reading.check()
        for piece in frame.iter_slices(table.rows):
            records += piece.height
            kept = piece.filter(wanted if condition is None else wanted & condition)
            block = Block(kept, non_finite=reading.non_finite)
            values = [
                _read(block, field, dtype).alias(str(index)) for index, (field, dtype) in enumerate(types.items())
            ]
            yield records, kept.select(*table.keys, to_milliseconds().alias("timestamp")).with_columns(values)


def _read(block: Block, field: str, dtype: Any) -> pl.Series:
    if dtype == pl.String:
        return block.read_texts(field)
    return (
        block.columns[VALUE + field]
        if dtype == pl.Int64 and VALUE + field in block.columns
        else block.read_values(field).cast(dtype)
    )
