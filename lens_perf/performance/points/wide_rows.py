"""Makes the rows of wide tables: of all records of a copy, and of iteration times."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import polars as pl

from lens_perf.performance.blocks import RECORD_COLUMNS, Block, Reading, select_records
from lens_perf.performance.columns.field_columns import NON_FINITE, VALUE, Representation
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.points.by_iteration import LowestLater, order_by_iteration
from lens_perf.performance.points.iteration_times import TARGET, read_iteration_times
from lens_perf.performance.points.point_count import PointCount

# Maximum number of cells processed at once: about 10 MB of text.
CELLS = 2**18
LEAST_ROWS = 64


class WideRows(Protocol):
    """The rows of a wide table with the columns ``fields``."""

    @property
    def fields(self) -> Sequence[str]:
        """The names of the fields."""

    def find_types(self) -> Mapping[str, Any]:
        """Return the type of each field: Int64 if all of its data points are integers that fit, else Float64.

        The type of a field without data points is None.
        """

    def read(self, types: Mapping[str, Any], /) -> Iterator[pl.DataFrame]:
        """Yield the rows, with the fields in these types as columns ``0``, ``1`` and so on.

        The columns before them are ``iteration``, ``timestamp``, ``data_source`` and those of EXTRA that the table has.
        """


def choose_rows_at_once(fields: int) -> int:
    """Return how many rows with this number of fields are processed at once."""
    return max(LEAST_ROWS, CELLS // (fields + 1))


class RecordRows:
    """A row for each iteration and data source, and with ``by_serial`` for each attempt.

    A row has the latest data point of each of ``fields``, by (created_at, id), and the latest time. A record without an
    iteration is a separate row at the end. With ``is_sample``, rows without data points are left out, and types are
    those of the rows. The maximum number of cells is checked with ``count`` before they are read.
    """

    def __init__(
        self,
        copy: Copy,
        reading: Reading,
        fields: Sequence[str],
        count: PointCount,
        *,
        by_serial: bool,
        is_sample: bool = False,
    ) -> None:
        self.fields = fields
        self._copy = copy
        self._reading = reading
        self._count = count
        self._rows = choose_rows_at_once(len(fields))
        self._keys = ["iteration", "data_source", *(["serial"] if by_serial else [])]
        self._is_sample = is_sample

    def find_types(self) -> Mapping[str, Any]:
        """Return the type of each field in all records, selected or not. Raises as ``read`` does."""
        if not self._is_sample:
            return _find_types(self._copy, self._reading, self.fields)
        found: dict[str, Any] = dict.fromkeys(self.fields)
        for frame in self.read(dict.fromkeys(self.fields, pl.String)):
            for index, field in enumerate(self.fields):
                texts = frame[str(index)].drop_nulls()
                if len(texts) and found[field] != pl.Float64:
                    found[field] = pl.Float64 if texts.cast(pl.Int64, strict=False).has_nulls() else pl.Int64
        return found

    def read(self, types: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
        """Yield the rows by iteration, data source and serial. Raises ResultTooLargeError and DamagedPartError."""
        later = LowestLater(self._copy, self._reading, self._rows)
        self._count.expect(later.records * len(self.fields))
        records = self._list_records(types, pl.col("iteration").is_not_null())
        for frame in order_by_iteration(records, later, partial(_keep_latest, keys=self._keys)):
            yield self._arrange(frame)
        for _end, frame in self._list_records(types, pl.col("iteration").is_null()) if later.has_null else ():
            yield self._arrange(frame)

    def _arrange(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return the columns of the rows in order, and of a sample only the rows with data points."""
        values = list(map(str, range(len(self.fields))))
        rows = frame.select("iteration", "timestamp", *self._keys[1:], *values)
        return rows.filter(pl.any_horizontal(pl.col(values).is_not_null())) if self._is_sample else rows

    def _list_records(self, types: Mapping[str, Any], wanted: pl.Expr) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield the ``wanted`` records, with numbered fields, and the number of all records up to their end."""
        reading = self._reading
        condition = select_records(reading.selection, reading.serials)
        known = self._copy.names
        records = 0
        only: Representation | None = "text" if pl.String in types.values() else "value"
        if self._is_sample:
            only = None  # integers of the rows may be among other numbers in the copy
        for frame in self._copy.blocks([field for field in types if field in known], columns=RECORD_COLUMNS, only=only):
            reading.check()
            for piece in frame.iter_slices(self._rows):
                records += piece.height
                kept = piece.filter(wanted if condition is None else wanted & condition)
                block = Block(kept, non_finite=reading.non_finite)
                values = [
                    _read(block, field, dtype).alias(str(index)) for index, (field, dtype) in enumerate(types.items())
                ]
                yield records, kept.select(*self._keys, to_milliseconds().alias("timestamp")).with_columns(values)


class TimeRows:
    """A row for the earliest record of each iteration, and with ``by_serial`` of each attempt, with its target.

    Both are those of ``read_iteration_times``; ``extra`` are additional columns of the record.
    """

    fields = (TARGET,)

    def __init__(self, copy: Copy, reading: Reading, extra: Sequence[str], *, by_serial: bool) -> None:
        self._copy = copy
        self._reading = reading
        self._extra = extra
        self._by_serial = by_serial

    def find_types(self) -> Mapping[str, Any]:
        """Return the type of the target. Raises DamagedPartError."""
        return _find_types(self._copy, self._reading, self.fields)

    def read(self, types: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
        """Yield the rows by iteration, data source and serial. Raises DamagedPartError."""
        keys = ["iteration", "data_source", "serial"]
        for block in read_iteration_times(self._copy, self._reading, by_serial=self._by_serial):
            time = to_milliseconds().alias("timestamp")
            target = block.read_texts(TARGET).cast(types[TARGET]).alias("0")
            rows = block.frame.select("iteration", time, "data_source", *self._extra).hstack([target])
            yield rows.sort(keys, nulls_last=True, maintain_order=True) if self._by_serial else rows


def _keep_latest(frame: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """Return a row for each value of ``keys``, with the last value of each other column, sorted by ``keys``."""
    if frame.select(keys).is_unique().all():
        return frame.sort(keys, nulls_last=True, maintain_order=True)
    latest = pl.exclude(keys).drop_nulls().last()
    return frame.group_by(keys).agg(latest).select(frame.columns).sort(keys, nulls_last=True)


def _find_types(copy: Copy, reading: Reading, fields: Sequence[str]) -> Mapping[str, Any]:
    """Return the type of each field: Int64 if it is Int64 in every part of the copy, else Float64; None if in none."""
    found: dict[str, set[Any]] = {field: set() for field in fields}
    for frame in copy.blocks([field for field in fields if field in copy.names], columns=RECORD_COLUMNS, only="value"):
        reading.check()
        for name, dtype in frame.schema.items():
            if name.startswith(VALUE) or (reading.non_finite and name.startswith(NON_FINITE)):
                found[name[2:]].add(dtype)
    return {
        field: (pl.Int64 if types == {pl.Int64} else pl.Float64) if types else None for field, types in found.items()
    }


def _read(block: Block, field: str, dtype: Any) -> pl.Series:
    if dtype == pl.String:
        return block.read_texts(field)
    values = block.columns.get(VALUE + field)
    if dtype != pl.Int64 or values is None:
        return block.read_values(field).cast(dtype)
    return values if values.dtype == pl.Int64 else block.read_texts(field).cast(pl.Int64, strict=False)
