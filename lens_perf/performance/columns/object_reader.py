"""Reads columns of JSONB objects: by their shapes as far as they have common ones, the others member by member."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from lens_perf.performance.columns.field_columns import TEXT, VALUE, list_fields
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.shapes import MOST_SHAPES, SEPARATOR, WIDEST_SHAPE, Shape

# With so many tries that explain fewer than so many objects each, the objects of a block have no common shapes.
FUTILE_TRIES = 8
FUTILE_OBJECTS = 16

Check = Callable[[], None]


@dataclass
class Objects:
    """What was read of ``length`` objects: frames with ``row``, ``t:`` and ``v:`` columns, and the members of others.

    ``members`` has the rows and the JSON texts of each field.
    """

    length: int
    frames: list[pl.DataFrame]
    members: dict[str, tuple[list[int], list[str]]]

    @property
    def names(self) -> set[str]:
        """The fields."""
        return {name for frame in self.frames for name in list_fields(frame.columns[1:])} | set(self.members)

    def arrange(self, check: Check) -> pl.DataFrame:
        """Return the ``t:`` and ``v:`` of each field in the order of the objects, null where one has no such field."""
        frames = [*self.frames, *([self._collect(check)] if self.members else [])]
        if not frames:
            return pl.DataFrame(height=self.length)
        fields = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")
        if not self.frames and len(fields) == self.length:
            return fields.drop("row")
        # Also where the order is right already: what is gathered no longer keeps the whole text of the rows in memory.
        places = np.full(self.length, -1, dtype=np.int32)
        places[fields["row"].to_numpy()] = np.arange(len(fields), dtype=np.int32)
        return fields.drop("row").select(pl.all().gather(_make_index(places)))

    def _collect(self, check: Check) -> pl.DataFrame:
        """Return the frame of ``members``, with the rows that have any."""
        rows = sorted({row for own, _ in self.members.values() for row in own})
        places = {row: place for place, row in enumerate(rows)}
        columns = [pl.Series("row", rows, dtype=pl.Int32)]
        for name, (own, values) in self.members.items():
            check()
            texts: list[str | None] = [None] * len(rows)
            for row, value in zip(own, values, strict=True):
                texts[places[row]] = value
            columns.append(pl.Series(TEXT + name, texts, dtype=pl.String))
        frame = pl.DataFrame(columns)
        numbers = frame.select(pl.exclude("row").cast(pl.Float64, strict=False))
        return frame.hstack([each.alias(VALUE + each.name[len(TEXT) :]) for each in numbers.iter_columns()])


class ObjectReader:
    """Reads objects as JSONB writes them; remembers their shapes. ``admits`` says which fields are wanted."""

    def __init__(self, check: Check, admits: Callable[[str], bool]) -> None:
        self._check = check
        self._admits = admits
        self._shapes: list[Shape] = []

    def read(self, texts: pl.Series, *, learn: bool) -> Objects:
        """Return what ``texts`` hold, in which only objects have fields; with ``learn`` new shapes are looked for."""
        rows = pl.DataFrame({"row": np.arange(len(texts), dtype=np.int32), "text": texts}).lazy()
        rows = rows.filter(pl.col("text").str.starts_with('{"'))
        work = rows.with_columns(separators=pl.col("text").str.count_matches(SEPARATOR, literal=True)).collect()
        found = Objects(len(texts), [], {})
        for shape in self._shapes:
            work = self._apply(shape, work, found)
        tries = 0 if learn else FUTILE_TRIES
        while len(work) and tries < FUTILE_TRIES:
            before = len(work)
            work = self._learn(work, found)
            tries += before - len(work) < FUTILE_OBJECTS
        self._read_members(work, found)
        return found

    def _learn(self, work: pl.DataFrame, found: Objects) -> pl.DataFrame:
        """Read all objects with the shape of the first one, and return the others; remember a common shape."""
        names = [name for name, _ in read_members(work["text"][0], self._check)]
        rest = work
        if len(names) <= WIDEST_SHAPE:
            shape = Shape(names)
            rest = self._apply(shape, work, found)
            if len(work) - len(rest) >= FUTILE_OBJECTS and len(self._shapes) < MOST_SHAPES:
                self._shapes.append(shape)
        if len(rest) < len(work):
            return rest
        self._read_members(work.head(1), found)
        return work.slice(1)

    def _apply(self, shape: Shape, work: pl.DataFrame, found: Objects) -> pl.DataFrame:
        """Read the objects of ``work`` that have the shape, and return the others."""
        self._check()
        candidates = work.filter(pl.col("separators") == shape.separators)
        read = shape.read(candidates) if len(candidates) else candidates
        if not len(read):
            return work
        left_out = [name for name in list_fields(read.columns[1:]) if not self._admits(name)]
        found.frames.append(read.drop([kind + name for name in left_out for kind in (TEXT, VALUE)]))
        if len(read) == len(work):
            return work.clear()
        return work.join(read.select("row"), on="row", how="anti", maintain_order="left")

    def _read_members(self, work: pl.DataFrame, found: Objects) -> None:
        for row, text in work.select("row", "text").iter_rows():
            for name, value in read_members(text, self._check):
                if self._admits(name):
                    rows, values = found.members.setdefault(name, ([], []))
                    rows.append(row)
                    values.append(value)


def _make_index(places: npt.NDArray[np.int32]) -> pl.Series:
    """Return ``places`` for gathering, where -1 gathers a null."""
    index = pl.Series(places)
    return index.set(index < 0, None) if index.min() == -1 else index
