"""Reads the selected records of a columnar copy block by block, and the data points in each block."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.columns.field_columns import NON_FINITE, REST, TEXT, VALUE, Representation
from lens_perf.performance.columns.number_text import NON_FINITE_TEXTS, NON_FINITE_VALUES, render
from lens_perf.performance.columns.rest import read_rest
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.selection import Selection

INT32 = -(2**31), 2**31 - 1
RECORD_COLUMNS = ("created_at", "iteration", "serial", "data_source")
# If fewer than one in this many cells of a block has a point, listing the points is faster than reading columns.
SPARSE = 8
# Up to this number, writing points one by one takes less time than waking the threads of polars.
FEW_POINTS = 2_000
# The texts of this many points take about 30 MB.
LISTED_AT_ONCE = 2**18

Indices = NDArray[np.int64]
FieldIndices = Mapping[str, int]


@dataclass(frozen=True)
class Reading:
    """Which records are read, and which values are data points.

    ``serials`` are the selected attempts, empty for all. With ``non_finite``, the texts for NaN and infinity are data
    points too. ``check`` raises an exception to end the reading, for example if the client has disconnected.
    """

    selection: Selection
    serials: tuple[int, ...] = ()
    non_finite: bool = False
    check: Callable[[], None] = lambda: None


def list_fields(copy: Copy, names: Sequence[str] | None, data_source: str | None) -> list[str]:
    """Return ``names``, or for None all metrics in the order in which JSONB stores them.

    These are the metrics of ``data_source``, or for None of all data sources.
    """
    if names is not None:
        return list(names)
    known = copy.names if data_source is None else {name for source, name in copy.fields if source == data_source}
    return sorted(known, key=order_as_stored)


def index_fields(fields: Sequence[str]) -> FieldIndices:
    """Return the index of each of ``fields``."""
    return {field: index for index, field in enumerate(fields)}


def order_as_stored(name: str) -> tuple[int, bytes]:
    """Return the sort key of a name in JSONB: its length in bytes, then its bytes."""
    text = name.encode()
    return len(text), text


def select_records(selection: Selection, serials: Sequence[int] = ()) -> pl.Expr | None:
    """Return the condition that selects the records, None for all. Bounds outside the column type are clamped."""
    conditions = []
    if selection.data_source is not None:
        conditions.append(pl.col("data_source") == selection.data_source)
    if selection.time_range is not None:
        start, end = (pl.lit(each, pl.Int64) for each in selection.time_range)
        conditions.append(to_milliseconds().is_between(start, end))
    if selection.iteration_range is not None:
        first, last = selection.iteration_range
        least, most = pl.lit(max(first, INT32[0]), pl.Int64), pl.lit(min(last, INT32[1]), pl.Int64)
        conditions.append(pl.col("iteration").is_between(least, most))
    if serials:
        conditions.append(pl.col("serial").is_in([each for each in serials if INT32[0] <= each <= INT32[1]]))
    return pl.all_horizontal(conditions) if conditions else None


def read_blocks(
    copy: Copy,
    fields: Sequence[str],
    reading: Reading,
    add_axis: Callable[[pl.DataFrame], pl.DataFrame] = lambda frame: frame,
    *,
    keep_entries: bool = True,
    only: Representation | None = None,
) -> Iterator["Block"]:
    """Yield the selected records, with ``fields``, in order of (created_at, id).

    ``add_axis`` adds columns; it gets all records of the workload, selected or not, in this order. With
    ``keep_entries``, fields that few records have remain entries. With ``only``, blocks have only the texts or only the
    values of points. Raises DamagedPartError, and the exceptions of ``reading.check``, which is called for each block.
    """
    condition = select_records(reading.selection, reading.serials)
    wanted = [field for field in fields if field in copy.names]
    for frame in copy.blocks(
        None if len(wanted) == len(copy.names) else wanted,
        columns=RECORD_COLUMNS,
        keep_entries=keep_entries,
        only=only,
    ):
        reading.check()
        extended = add_axis(frame)
        kept = extended if condition is None else extended.filter(condition)
        if kept.height:
            yield Block(kept, non_finite=reading.non_finite)


class Block:
    """Records of a copy in order of (created_at, id), and the data points in them.

    ``frame`` has the columns ``v:NAME`` (the values of a metric), ``t:NAME`` (the stored texts of all of them, if some
    values render differently) and ``n:NAME`` (the codes of the texts for NaN and infinity). A column without values may
    be absent. A block that was read with ``only`` lacks the ``v:`` or the ``t:`` columns of metrics that have both.
    With ``non_finite``, the texts for NaN and infinity are data points.
    """

    def __init__(self, frame: pl.DataFrame, *, non_finite: bool = False) -> None:
        self.frame = frame
        self.height = frame.height
        self.non_finite = non_finite
        # A dict, because a frame searches all of its columns for a name.
        self.columns = {column.name: column for column in frame.get_columns()}

    def slices(self, rows: int) -> Iterator["Block"]:
        """Yield the block in pieces of ``rows`` records."""
        if rows >= self.height:
            yield self
            return
        for start in range(0, self.height, rows):
            yield Block(self.frame.slice(start, rows), non_finite=self.non_finite)

    @property
    def has_entries(self) -> bool:
        """Whether records also have entries; then their points can only be counted and listed."""
        return REST in self.columns

    @cached_property
    def _entries(self) -> pl.DataFrame:
        """The entries that are data points, with the columns ``row``, ``name``, ``text`` and ``value``."""
        entries = read_rest(self.frame)
        if not self.non_finite:
            return entries.drop_nulls("text")
        codes = pl.col("code")
        texts = codes.replace_strict([1, 2, 3], NON_FINITE_TEXTS, default=None, return_dtype=pl.String)
        values = codes.replace_strict([1, 2, 3], NON_FINITE_VALUES, default=None, return_dtype=pl.Float64)
        return entries.with_columns(
            pl.coalesce("text", texts).alias("text"), pl.coalesce("value", values).alias("value")
        ).drop_nulls("text")

    def list_entries(self, fields: Sequence[str]) -> pl.DataFrame:
        """Return the entries that are data points of ``fields``, as rows of ``list_points`` with text and value."""
        numbered = pl.DataFrame({"name": fields, "field": np.arange(len(fields))}, schema_overrides={"name": pl.String})
        return self._entries.join(numbered, on="name", how="inner").sort("row", "field")

    def count_points(self, fields: FieldIndices) -> dict[str, int]:
        """Return the number of data points of each of ``fields`` that has any, in the order of their indices."""
        here = {name[len(VALUE) :] for name in self.columns if name.startswith((VALUE, TEXT, NON_FINITE))}
        # If the query has thousands of fields, a block usually has few of them.
        wanted = sorted(here & fields.keys(), key=fields.__getitem__) if len(here) < len(fields) else fields
        counts = (
            (field, sum(self.height - each.null_count() for each in self._list_presence_columns(field)))
            for field in wanted
        )
        found = {field: count for field, count in counts if count}
        if not self.has_entries:
            return found
        listed = dict(self._entries["name"].value_counts().iter_rows())
        found |= {name: count for name, count in listed.items() if name in fields}
        return {name: found[name] for name in sorted(found, key=fields.__getitem__)}

    def should_list(self, counts: Mapping[str, int]) -> bool:
        """Return whether the points should be listed: some are entries, or ``counts``, their numbers, are low."""
        points = sum(counts.values())
        return self.has_entries or points <= FEW_POINTS or points * SPARSE < self.height * len(counts)

    def list_pieces(self, counts: Mapping[str, int]) -> Iterator["Block"]:
        """Yield the block in pieces of about LISTED_AT_ONCE points; ``counts`` has their number by field."""
        points = sum(counts.values())
        return self.slices(max(1, self.height * LISTED_AT_ONCE // max(1, points)))

    def drop_records_without_points(self, fields: Sequence[str]) -> "Block":
        """Return the block without the records that have no data point of ``fields``."""
        columns = [pl.col(column.name) for field in fields for column in self._list_presence_columns(field)]
        kept = self.frame.filter(pl.any_horizontal(each.is_not_null() for each in columns))
        return Block(kept, non_finite=self.non_finite)

    def build_text_expression(self, field: str) -> pl.Expr:
        """Return ``read_texts`` as an expression, which polars evaluates in parallel with others."""
        if self.non_finite and NON_FINITE + field in self.columns:
            return pl.lit(self.read_texts(field))
        return pl.col(TEXT + field) if TEXT + field in self.columns else render(pl.col(VALUE + field))

    def _list_presence_columns(self, field: str) -> list[pl.Series]:
        """Return the columns that are not null where a record has a data point of ``field``."""
        number = TEXT + field if TEXT + field in self.columns else VALUE + field
        names = (number, NON_FINITE + field) if self.non_finite else (number,)
        return [self.columns[name] for name in names if name in self.columns]

    def read_texts(self, field: str, records: Indices | None = None) -> pl.Series:
        """Return the JSON texts of the data points of ``field``, null for records without one.

        ``records`` are the indices of the records, None for all.
        """
        stored = self._find(TEXT + field, records)
        texts = render(self._read_values(field, records)) if stored is None else stored
        return self._add_non_finite(texts, field, NON_FINITE_TEXTS, records)

    def read_values(self, field: str, records: Indices | None = None) -> pl.Series:
        """Return the data points of ``field`` as float64, null for records without one, as ``read_texts`` does."""
        values = self._read_values(field, records).cast(pl.Float64)
        return self._add_non_finite(values, field, NON_FINITE_VALUES, records)

    def _find(self, name: str, records: Indices | None) -> pl.Series | None:
        column = self.columns.get(name)
        if column is None or records is None:
            return column
        # With very many fields, usually only one record has a value; a slice is the fastest way to read it.
        return column.slice(int(records[0]), 1) if len(records) == 1 else column[records]

    def _read_values(self, field: str, records: Indices | None) -> pl.Series:
        values = self._find(VALUE + field, records)
        if values is None:
            assert TEXT + field not in self.columns, "the block was read for its texts"  # noqa: S101 - not from outside
            return pl.Series([None], dtype=pl.Float64).new_from_index(
                0, self.height if records is None else len(records)
            )
        return values

    def _add_non_finite(
        self, values: pl.Series, field: str, meanings: Sequence[str] | Sequence[float], records: Indices | None
    ) -> pl.Series:
        codes = self._find(NON_FINITE + field, records) if self.non_finite else None
        if codes is None:
            return values
        others = codes.replace_strict([1, 2, 3], meanings, return_dtype=values.dtype)
        return others.zip_with(codes.is_not_null(), values)

    def has_point(self, field: str) -> NDArray[np.bool_]:
        """Return a mask of the records that have a data point of ``field``."""
        columns = self._list_presence_columns(field)
        if any(not column.has_nulls() for column in columns):
            return np.ones(self.height, np.bool_)
        masks = [column.is_not_null().to_numpy() for column in columns]
        return np.logical_or.reduce(masks) if masks else np.zeros(self.height, np.bool_)

    def find_points(self, fields: Sequence[str]) -> "PointIndex":
        """Return the data points of ``fields``, without entries, by record and then in the order of ``fields``."""
        indices = index_fields(fields)
        present = [field for field in self.count_points(indices) if self._list_presence_columns(field)]
        if not present:
            return PointIndex(np.empty(0, np.int64), np.empty(0, np.int64))
        mask = np.empty((self.height, len(present)), np.bool_)
        for column, field in enumerate(present):
            mask[:, column] = self.has_point(field)
        records, columns = np.nonzero(mask)
        return PointIndex(records, np.array([indices[field] for field in present])[columns])


@dataclass(frozen=True)
class PointIndex:
    """Data points of a block, as the indices of their records and of their fields; both arrays have one length."""

    records: Indices
    fields: Indices

    def gather(self, read: Callable[[int, Indices], pl.Series]) -> pl.Series:
        """Return the value of each point; ``read`` returns those of a field in some records."""
        order = np.argsort(self.fields, kind="stable")
        present, starts = np.unique(self.fields[order], return_index=True)
        groups = np.split(self.records[order], starts[1:])
        values = pl.concat([read(int(field), group) for field, group in zip(present, groups, strict=True)])
        inverse = np.empty_like(order)
        inverse[order] = np.arange(len(order))
        return values[inverse]


def list_points(
    block: Block, fields: Sequence[str], representations: Sequence[Representation] = ("text",)
) -> pl.DataFrame:
    """Return a row for each data point, by record and then in the order of ``fields``.

    The columns are ``row`` (the index of the record in the block), ``field`` (an index into ``fields``), each of
    ``representations``, and those of the record. Without data points, the frame has no columns.
    """
    index = block.find_points(fields)
    read = {each: partial(_read_as, block, fields, each) for each in representations}
    found = {name: index.gather(each) for name, each in read.items()} if len(index.records) else {}
    points = pl.DataFrame({"row": index.records, "field": index.fields} | found)
    if block.has_entries:
        entries = block.list_entries(fields).select("row", "field", *representations)
        points = pl.concat([points, entries]).sort("row", "field") if len(points) else entries
    if points.is_empty():
        return pl.DataFrame()
    rows = points["row"].to_numpy()
    shared = [name for name in block.columns if name in RECORD_COLUMNS or name.startswith("axis")]
    return points.hstack([block.columns[name][rows] for name in shared])


def _read_as(
    block: Block, fields: Sequence[str], representation: Representation, field: int, records: Indices
) -> pl.Series:
    read = block.read_texts if representation == "text" else block.read_values
    # ``find_points`` lists records in ascending order.
    return read(fields[field], None if len(records) == block.height else records)
