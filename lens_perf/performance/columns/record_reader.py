"""Reads blocks of COPY rows into frames of records, with a column for each field and all values as stored."""

from collections.abc import Callable, Iterable, Iterator
from math import isqrt

import polars as pl

from lens_perf.performance.columns.binary_rows import read_rows
from lens_perf.performance.columns.field_columns import FIXED, build_columns, copy_long_texts
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.object_reader import ObjectReader
from lens_perf.performance.columns.rest import build_rest
from lens_perf.performance.columns.row_blocks import LONGEST_ROW
from lens_perf.performance.metric_fields import TARGET_ITERATION, encode_name

# The maximum number of records of a frame, and of records times fields: sparse records can have very many fields.
MOST_RECORDS = 16_384
MOST_CELLS = 500_000
Check = Callable[[], None]


class RecordReader:
    """Reads the records of one workload.

    ``check`` is called regularly; its exceptions end the reading. At most ``most_fields`` fields are read, including
    ``known_fields``, and TARGET_ITERATION; the names of others are in ``left_out``.
    """

    def __init__(self, check: Check, most_fields: int, known_fields: Iterable[str] = ()) -> None:
        self._check = check
        self._most_fields = most_fields
        self._objects = ObjectReader(check, self._admits)
        self._fields = set(known_fields)
        self.left_out: set[str] = set()

    def read(self, block: list[bytes]) -> Iterator[pl.DataFrame]:
        """Yield the records of ``block``, rows of the COPY, in frames of up to MOST_RECORDS. Empties ``block``."""
        rows = read_rows(block)
        block.clear()
        if len(rows) == 1:
            rows = rows.with_columns(performance=self._shorten(rows["performance"]))
        for start in range(0, len(rows), MOST_RECORDS):
            yield from self._read_rows(rows.slice(start, MOST_RECORDS), learn=True)

    def _shorten(self, row: pl.Series) -> pl.Series:
        """Return a single object. If it is very long, replace values that are not data points by short ones."""
        text = row[0]
        if text is None or len(text) <= LONGEST_ROW or not text.startswith("{"):
            return row
        members = (f"{encode_name(name)}: {value}" for name, value in read_members(text, self._check))
        return pl.Series([f"{{{', '.join(members)}}}"])

    def _read_rows(self, rows: pl.DataFrame, *, learn: bool) -> Iterator[pl.DataFrame]:
        objects = self._objects.read(rows["performance"], learn=learn)
        objects.move_rare()
        cells = len(rows) * len(objects.names)
        if cells > MOST_CELLS and len(rows) > 1:
            # If fields are rare, fewer records have fewer of them.
            size = -(-len(rows) // max(2, isqrt(cells // MOST_CELLS)))
            del objects
            for start in range(0, len(rows), size):
                yield from self._read_rows(rows.slice(start, size), learn=False)
            return
        fields = objects.arrange(self._check)
        records = pl.DataFrame([rows[name] for name in FIXED])
        if fields.width:
            columns = build_columns(fields, records["data_source"])
            records = records.hstack(copy_long_texts(columns) if objects.frames else columns)
        if objects.rare:
            rest = build_rest(objects.collect_rare(), records["data_source"])
            records = records.with_columns(rest) if rest.null_count() < len(rest) else records
        yield records

    def _admits(self, name: str) -> bool:
        if name in self._fields or name == TARGET_ITERATION:
            return True
        if len(self._fields) >= self._most_fields:
            self.left_out.add(name)
            return False
        self._fields.add(name)
        return True
