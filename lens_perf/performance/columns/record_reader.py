"""From blocks of COPY rows to frames of records with a column for each field; exact whatever the records hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import polars as pl

from lens_perf.performance.columns.field_columns import FIXED, build_field
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.shapes import MOST_SHAPES, SEPARATOR, WIDEST_SHAPE, Shape
from lens_perf.performance.metric_fields import DATA_SOURCES

ROW = {**FIXED, "performance": pl.String()}
# Records of one frame, and the most records times fields of it: what bounds the memory, with sparse records too.
MOST_RECORDS = 16_384
MOST_CELLS = 1_000_000
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
        pieces = -(-len(rows) * len(fields) // MOST_CELLS)
        if pieces > 1 and len(rows) > 1:
            size = -(-len(rows) // pieces)
            for start in range(0, len(rows), size):
                yield from self._read_rows(rows.slice(start, size))
            return
        fixed = rows.select(*FIXED)
        sources = fixed["data_source"]
        columns = []
        for name, texts in fields.items():
            self._check()
            columns += build_field(name, texts, sources)
        yield fixed.hstack(columns)

    def _read_fields(self, objects: pl.Series) -> Mapping[str, pl.Series]:
        """Return the JSON texts of the values of each field, as long as ``objects``."""
        work = pl.DataFrame({"row": np.arange(len(objects), dtype=np.int32), "text": objects})
        work = work.filter(pl.col("text").str.starts_with('{"'))
        work = work.with_columns(count=pl.col("text").str.count_matches(SEPARATOR, literal=True))
        found: list[tuple[Shape, pl.DataFrame]] = []
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
        return self._gather(len(objects), found, slow)

    def _learn(self, text: str) -> Shape | None:
        """Return the shape of an object, and remember it; None where it has too many keys."""
        names = [name for name, _ in read_members(text, self._check)]
        if len(names) > WIDEST_SHAPE:
            return None
        shape = Shape(names)
        if len(self._shapes) < MOST_SHAPES:
            self._shapes.append(shape)
        return shape

    def _apply(self, shape: Shape, work: pl.DataFrame, found: list[tuple[Shape, pl.DataFrame]]) -> pl.DataFrame:
        """Add to ``found`` the records of ``work`` that ``shape`` fits, and return the others."""
        self._check()
        candidates = work.filter(pl.col("count") == shape.separators)
        if not len(candidates):
            return work
        split = shape.split(candidates["text"]).insert_column(0, candidates["row"])
        fits = split["fits"]
        if not fits.any():
            return work
        found.append((shape, split if fits.all() else split.filter(fits)))
        if fits.all() and len(candidates) == len(work):
            return work.clear()
        return work.join(found[-1][1].select("row"), on="row", how="anti", maintain_order="left")

    def _read_slowly(self, work: pl.DataFrame, slow: dict[str, Values]) -> None:
        for row, text in work.select("row", "text").iter_rows():
            for name, value in read_members(text, self._check):
                rows, values = slow.setdefault(name, ([], []))
                rows.append(row)
                values.append(value)

    def _gather(
        self, length: int, found: list[tuple[Shape, pl.DataFrame]], slow: Mapping[str, Values]
    ) -> Mapping[str, pl.Series]:
        """Return the texts of each field in the order of the records."""
        parts: dict[str, list[tuple[pl.Series, pl.Series]]] = {}
        for shape, split in found:
            for index, name in enumerate(shape.names):
                parts.setdefault(name, []).append((split["row"], split[str(index)]))
        for name, (rows, values) in slow.items():
            parts.setdefault(name, []).append((pl.Series(rows, dtype=pl.Int32), pl.Series(values, dtype=pl.String)))
        return {name: self._scatter(length, each) for name, each in parts.items() if self._admits(name)}

    def _scatter(self, length: int, parts: list[tuple[pl.Series, pl.Series]]) -> pl.Series:
        self._check()
        if len(parts) == 1 and len(parts[0][0]) == length:
            return parts[0][1]
        places = np.full(length, -1, dtype=np.int32)
        start = 0
        for rows, _ in parts:
            places[rows.to_numpy()] = np.arange(start, start + len(rows), dtype=np.int32)
            start += len(rows)
        texts = pl.concat([text.alias("") for _, text in parts])
        index = pl.Series(places)
        return texts.gather(index.set(index < 0, None))

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
