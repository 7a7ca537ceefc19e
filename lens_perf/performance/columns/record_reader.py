"""From blocks of COPY rows to frames of records with a column for each field; exact whatever the records hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, TEXT, VALUE, build_columns, list_fields
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.shapes import MOST_SHAPES, SEPARATOR, WIDEST_SHAPE, Shape
from lens_perf.performance.metric_fields import DATA_SOURCES

ROW = {**FIXED, "performance": pl.String()}
# Records of one frame, and the most records times fields of it: what bounds the memory, with sparse records too.
MOST_RECORDS = 16_384
MOST_CELLS = 500_000
# With so many tries that explain fewer than so many records each, the records of a block have no common shapes.
FUTILE_TRIES = 8
FUTILE_RECORDS = 16

Check = Callable[[], None]
# The values of one field: the numbers of the records that have it, and their JSON texts.
Values = tuple[list[int], list[str]]


class RecordReader:
    """Reads the records of one workload.

    ``check`` is called again and again; what it raises ends the reading. Fields beyond ``most_fields`` are left out,
    and named in ``left_out``.
    """

    def __init__(self, check: Check, most_fields: int, known_fields: Iterable[str] = ()) -> None:
        self._check = check
        self._most_fields = most_fields
        self._shapes: list[Shape] = []
        self._fields = set(known_fields)
        self.left_out: set[str] = set()

    def read(self, block: bytes) -> Iterator[pl.DataFrame]:
        """Yield the records of ``block``, whole rows of the COPY, in frames of at most MOST_RECORDS."""
        if not block:
            return
        rows = pl.read_csv(block, separator="\t", quote_char=None, has_header=False, schema=ROW)
        rows = rows.with_columns(_read_sources(rows["data_source"]))
        for start in range(0, len(rows), MOST_RECORDS):
            yield from self._read_rows(rows.slice(start, MOST_RECORDS))

    def _read_rows(self, rows: pl.DataFrame) -> Iterator[pl.DataFrame]:
        self._check()
        fields = self._read_fields(rows["performance"])
        pieces = -(-len(rows) * fields.width // 2 // MOST_CELLS)
        if pieces > 1 and len(rows) > 1:
            size = -(-len(rows) // pieces)
            for start in range(0, len(rows), size):
                yield from self._read_rows(rows.slice(start, size))
            return
        fixed = rows.select(*FIXED)
        yield fixed.hstack(build_columns(fields, fixed["data_source"])) if fields.width else fixed

    def _read_fields(self, objects: pl.Series) -> pl.DataFrame:
        """Return the JSON text and the number of the value of each field, as long as ``objects``."""
        rows = pl.DataFrame({"row": np.arange(len(objects), dtype=np.int32), "text": objects}).lazy()
        rows = rows.filter(pl.col("text").str.starts_with('{"'))
        work = rows.with_columns(separators=pl.col("text").str.count_matches(SEPARATOR, literal=True)).collect()
        found: list[pl.DataFrame] = []
        for shape in list(self._shapes):
            work = self._apply(shape, work, found)
        slow: dict[str, Values] = {}
        tries = 0
        while len(work) and tries < FUTILE_TRIES:
            learnt = self._learn(work["text"][0])
            before = len(work)
            if learnt is not None:
                work = self._apply(learnt, work, found)
            if len(work) == before:
                self._read_slowly(work.head(1), slow)
                work = work.slice(1)
            tries += before - len(work) < FUTILE_RECORDS
        self._read_slowly(work, slow)
        if slow:
            found.append(self._collect(slow))
        return self._arrange(len(objects), found)

    def _learn(self, text: str) -> Shape | None:
        """Return the shape of an object, and remember it; None where it has too many keys."""
        names = [name for name, _ in read_members(text, self._check)]
        if len(names) > WIDEST_SHAPE:
            return None
        shape = Shape(names)
        if len(self._shapes) < MOST_SHAPES:
            self._shapes.append(shape)
        return shape

    def _apply(self, shape: Shape, work: pl.DataFrame, found: list[pl.DataFrame]) -> pl.DataFrame:
        """Add to ``found`` the records of ``work`` that have the shape, and return the others."""
        self._check()
        candidates = work.filter(pl.col("separators") == shape.separators)
        read = shape.read(candidates) if len(candidates) else candidates
        if not len(read):
            return work
        found.append(read)
        if len(read) == len(work):
            return work.clear()
        return work.join(read.select("row"), on="row", how="anti", maintain_order="left")

    def _read_slowly(self, work: pl.DataFrame, slow: dict[str, Values]) -> None:
        for row, text in work.select("row", "text").iter_rows():
            for name, value in read_members(text, self._check):
                rows, values = slow.setdefault(name, ([], []))
                rows.append(row)
                values.append(value)

    def _collect(self, slow: Mapping[str, Values]) -> pl.DataFrame:
        """Return the texts and numbers of the fields in ``slow``, with the rows that have any."""
        rows = np.unique(np.concatenate([np.array(each, dtype=np.int32) for each, _ in slow.values()]))
        columns = [pl.Series("row", rows)]
        for name, (own, values) in slow.items():
            self._check()
            texts = pl.Series(TEXT + name, values, dtype=pl.String)
            if len(own) < len(rows):
                places = np.full(len(rows), -1, dtype=np.int32)
                places[np.searchsorted(rows, own)] = np.arange(len(own), dtype=np.int32)
                texts = texts.gather(_make_index(places))
            columns += [texts, texts.cast(pl.Float64, strict=False).alias(VALUE + name)]
        return pl.DataFrame(columns)

    def _arrange(self, length: int, found: list[pl.DataFrame]) -> pl.DataFrame:
        """Return the fields of all rows in their order, without those beyond the limit."""
        if not found:
            return pl.DataFrame(height=length)
        fields = found[0] if len(found) == 1 else pl.concat(found, how="diagonal")
        # Also where the order is right already: what is gathered no longer keeps the whole text of the rows in memory.
        places = np.full(length, -1, dtype=np.int32)
        places[fields["row"].to_numpy()] = np.arange(len(fields), dtype=np.int32)
        fields = fields.select(pl.all().gather(_make_index(places)))
        left_out = [name for name in list_fields(fields.columns[1:]) if not self._admits(name)]
        return fields.drop("row", *[kind + name for name in left_out for kind in (TEXT, VALUE)])

    def _admits(self, name: str) -> bool:
        if name in self._fields:
            return True
        if len(self._fields) >= self._most_fields:
            self.left_out.add(name)
            return False
        self._fields.add(name)
        return True


def _make_index(places: npt.NDArray[np.int32]) -> pl.Series:
    """Return ``places`` for gathering, where -1 gathers a null."""
    index = pl.Series(places)
    return index.set(index < 0, None) if index.min() == -1 else index


def _read_sources(texts: pl.Series) -> pl.Series:
    """Return the data sources from their JSON texts."""
    known = {f'"{name}"': name for name in DATA_SOURCES} | {"null": None}
    others = [text for text in texts.unique().drop_nulls() if text not in known]
    known |= {text: pl.Series([text]).str.json_decode(pl.String)[0] for text in others}
    return texts.replace_strict(known, default=None, return_dtype=pl.String)
