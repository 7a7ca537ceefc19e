"""Reads blocks of COPY rows into frames of records with a column for each field, without changing any value."""

from collections.abc import Callable, Iterable, Iterator
from math import isqrt

import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, build_columns
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.object_reader import ObjectReader
from lens_perf.performance.columns.rest import build_rest
from lens_perf.performance.columns.row_blocks import LONGEST_ROW
from lens_perf.performance.metric_fields import DATA_SOURCES, encode_name

ROW = {**FIXED, "performance": pl.String()}
# Records of one frame, and the most records times fields of it: what bounds the memory, with sparse records too.
MOST_RECORDS = 16_384
MOST_CELLS = 500_000
Check = Callable[[], None]


class RecordReader:
    """Reads the records of one workload.

    ``check`` is called again and again; what it raises ends the reading. Fields beyond ``most_fields`` are left out,
    and named in ``left_out``.
    """

    def __init__(self, check: Check, most_fields: int, known_fields: Iterable[str] = ()) -> None:
        self._check = check
        self._most_fields = most_fields
        self._objects = ObjectReader(check, self._admits)
        self._fields = set(known_fields)
        self.left_out: set[str] = set()

    def read(self, block: bytes) -> Iterator[pl.DataFrame]:
        """Yield the records of ``block``, whole rows of the COPY, in frames of at most MOST_RECORDS."""
        if len(block) > LONGEST_ROW and block.index(b"\n") == len(block) - 1:
            block = self._shorten(block)
        rows = pl.read_csv(block, separator="\t", quote_char=None, has_header=False, schema=ROW)
        rows = rows.with_columns(_read_sources(rows["data_source"]))
        for start in range(0, len(rows), MOST_RECORDS):
            yield from self._read_rows(rows.slice(start, MOST_RECORDS), learn=True)

    def _shorten(self, row: bytes) -> bytes:
        """Return the row without the values that are no data points, which make it long."""
        *fixed, text = row.decode().rstrip("\n").split("\t", len(FIXED))
        if text.startswith("{"):
            members = (f"{encode_name(name)}: {value}" for name, value in read_members(text, self._check))
            text = "{" + ", ".join(members) + "}"
        return ("\t".join([*fixed, text]) + "\n").encode()

    def _read_rows(self, rows: pl.DataFrame, *, learn: bool) -> Iterator[pl.DataFrame]:
        objects = self._objects.read(rows["performance"], learn=learn)
        objects.move_rare()
        cells = len(rows) * len(objects.names)
        if cells > MOST_CELLS and len(rows) > 1:
            # Fewer records have fewer fields, if these are rare.
            size = -(-len(rows) // max(2, isqrt(cells // MOST_CELLS)))
            del objects
            for start in range(0, len(rows), size):
                yield from self._read_rows(rows.slice(start, size), learn=False)
            return
        fields = objects.arrange(self._check)
        records = rows.select(*FIXED)
        if fields.width:
            records = records.hstack(build_columns(fields, records["data_source"]))
        if objects.rare:
            rest = build_rest(objects.collect_rare(), records["data_source"])
            records = records.with_columns(rest) if rest.null_count() < len(rest) else records
        yield records

    def _admits(self, name: str) -> bool:
        if name in self._fields:
            return True
        if len(self._fields) >= self._most_fields:
            self.left_out.add(name)
            return False
        self._fields.add(name)
        return True


def _read_sources(texts: pl.Series) -> pl.Series:
    """Return the data sources from their JSON texts."""
    known = {f'"{name}"': name for name in DATA_SOURCES} | {"null": None}
    others = [text for text in texts.unique().drop_nulls() if text not in known]
    known |= {text: pl.Series([text]).str.json_decode(pl.String)[0] for text in others}
    return texts.replace_strict(known, default=None, return_dtype=pl.String)
