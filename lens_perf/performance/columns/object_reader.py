"""Reads columns of JSONB objects: objects of common shapes with vector operations, others member by member."""

from collections import Counter
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import polars as pl

from lens_perf.performance.columns.field_columns import TEXT, VALUE, list_fields
from lens_perf.performance.columns.members import read_members
from lens_perf.performance.columns.shapes import MOST_SHAPES, SEPARATOR, WIDEST_SHAPE, Shape

# The beginning of an object that has fields.
FIRST_KEY = '{"'
# With more than FEW_FIELDS fields, a field is rare if fewer than one in SPARSE objects have it, or if there are
# MOST_COLUMNS more frequent ones.
SPARSE = 16
FEW_FIELDS = 256
MOST_COLUMNS = 1_024
# After FUTILE_TRIES shapes that fewer than FUTILE_OBJECTS objects have, the objects of a block have no common shapes.
FUTILE_TRIES = 8
FUTILE_OBJECTS = 16
# Up to this number, reading objects member by member takes less time than starting vector operations.
FEW_OBJECTS = 64

RARE = {"row": pl.Int64(), "name": pl.String(), "text": pl.String()}

Check = Callable[[], None]


@dataclass
class Objects:
    """The values of ``length`` objects.

    ``frames`` have the columns ``row``, ``t:`` and ``v:`` of objects with common shapes. ``members`` has the rows and
    the JSON texts of each field of other objects. ``rare`` are frames of values without columns of their own, with
    their ``row``, ``name`` and ``text``.
    """

    length: int
    frames: list[pl.DataFrame]
    members: dict[str, tuple[list[int], list[str]]]
    rare: list[pl.DataFrame] = field(default_factory=list)

    def move_rare(self) -> None:
        """Move the values of rare fields to ``rare``."""
        counts = Counter({name: len(rows) for name, (rows, _) in self.members.items()})
        for frame in self.frames:
            counts.update(dict.fromkeys(list_fields(frame.columns[1:]), len(frame)))
        if len(counts) <= FEW_FIELDS:
            return
        common = [name for name, count in counts.items() if count * SPARSE >= self.length]
        if len(common) > MOST_COLUMNS:
            common = sorted(common, key=lambda name: (-counts[name], len(name), name))[:MOST_COLUMNS]
        self._move(counts.keys() - common)

    def _move(self, names: Set[str]) -> None:
        rows, moved, texts = list[int](), list[str](), list[str]()
        for name in names & self.members.keys():
            own, values = self.members.pop(name)
            rows += own
            moved += [name] * len(own)
            texts += values
        self.rare.append(pl.DataFrame({"row": rows, "name": moved, "text": texts}, schema=RARE))
        for number, frame in enumerate(self.frames):
            own_names = [name for name in list_fields(frame.columns[1:]) if name in names]
            if own_names:
                columns = [TEXT + name for name in own_names]
                listed = frame.unpivot(columns, index="row", variable_name="name", value_name="text")
                self.rare.append(listed.with_columns(pl.col("name").str.slice(len(TEXT))).cast(pl.Schema(RARE)))
                self.frames[number] = frame.drop([*columns, *(VALUE + name for name in own_names)])

    def collect_rare(self) -> pl.DataFrame:
        """Return the values of rare fields, in order of the objects."""
        return pl.concat(self.rare).drop_nulls("text").sort("row", "name")

    @property
    def names(self) -> set[str]:
        """The fields with columns of their own."""
        return {name for frame in self.frames for name in list_fields(frame.columns[1:])} | set(self.members)

    def arrange(self, check: Check) -> pl.DataFrame:
        """Return the columns ``t:`` and ``v:`` of each field in order of the objects, null where an object lacks it."""
        frames = [*self.frames, *([self._collect(check)] if self.members else [])]
        if not frames:
            return pl.DataFrame(height=self.length)
        # Gathering from one chunk takes half as long, even with the copy.
        fields = frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal", rechunk=True)
        if not self.frames and len(fields) == self.length:
            return pl.DataFrame(fields.get_columns()[1:])
        # Gathering is needed even if the order is right: the results do not keep the text of the rows in memory.
        positions = np.full(self.length, -1, dtype=np.int32)
        positions[fields["row"].to_numpy()] = np.arange(len(fields), dtype=np.int32)
        return fields.drop("row").select(pl.all().gather(_make_index(positions)))

    def _collect(self, check: Check) -> pl.DataFrame:
        """Return a frame of ``members``, with a row for each object that has any."""
        rows = sorted({row for own, _ in self.members.values() for row in own})
        positions = {row: position for position, row in enumerate(rows)}
        columns = [pl.Series("row", rows, dtype=pl.Int32)]
        for name, (own, values) in self.members.items():
            check()
            texts: list[str | None] = [None] * len(rows)
            for row, value in zip(own, values, strict=True):
                texts[positions[row]] = value
            columns.append(pl.Series(TEXT + name, texts, dtype=pl.String))
        numbers = [
            each.cast(pl.Float64, strict=False).alias(VALUE + each.name.removeprefix(TEXT)) for each in columns[1:]
        ]
        return pl.DataFrame([*columns, *numbers])


class ObjectReader:
    """Reads the texts of JSONB objects, and remembers their shapes. ``admits`` returns whether a field is wanted."""

    def __init__(self, check: Check, admits: Callable[[str], bool]) -> None:
        self._check = check
        self._admits = admits
        self._shapes: list[Shape] = []

    def read(self, texts: pl.Series, *, learn: bool) -> Objects:
        """Return the values of the objects in ``texts``; other JSON values have no fields. ``learn`` finds new shapes.

        ``check`` is called regularly; its exceptions propagate.
        """
        found = Objects(len(texts), [], {})
        if len(texts) <= FEW_OBJECTS:
            self._read_members(enumerate(texts), found)
        else:
            rest = self._read_shapes(texts, found, learn=learn)
            self._read_members(rest.select("row", "text").iter_rows(), found)
        return found

    def _read_shapes(self, texts: pl.Series, found: Objects, *, learn: bool) -> pl.DataFrame:
        """Read the objects of common shapes, and return the others."""
        rows = pl.DataFrame({"row": np.arange(len(texts), dtype=np.int32), "text": texts}).lazy()
        rows = rows.filter(pl.col("text").str.starts_with(FIRST_KEY))
        work = rows.with_columns(separators=pl.col("text").str.count_matches(SEPARATOR, literal=True)).collect()
        for shape in self._shapes:
            work = self._apply(shape, work, found)
        tries = 0 if learn else FUTILE_TRIES
        while len(work) and tries < FUTILE_TRIES:
            before = len(work)
            work = self._learn(work, found)
            tries += before - len(work) < FUTILE_OBJECTS
        return work

    def _learn(self, work: pl.DataFrame, found: Objects) -> pl.DataFrame:
        """Read all objects with the shape of the first one, and return the others. Remember a common shape."""
        members = list(read_members(work["text"][0], self._check))
        rest = work
        if len(members) <= WIDEST_SHAPE:
            shape = Shape([name for name, _ in members])
            rest = self._apply(shape, work, found)
            if len(work) - len(rest) >= FUTILE_OBJECTS and len(self._shapes) < MOST_SHAPES:
                self._shapes.append(shape)
        if len(rest) < len(work):
            return rest
        self._take_members(work["row"][0], members, found)
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

    def _read_members(self, objects: Iterable[tuple[int, str | None]], found: Objects) -> None:
        for row, text in objects:
            if text is not None and text.startswith(FIRST_KEY):
                self._take_members(row, read_members(text, self._check), found)

    def _take_members(self, row: int, members: Iterable[tuple[str, str]], found: Objects) -> None:
        for name, value in members:
            if self._admits(name):
                rows, values = found.members.setdefault(name, ([], []))
                rows.append(row)
                values.append(value)


def _make_index(positions: npt.NDArray[np.int32]) -> pl.Series:
    """Return ``positions`` as an index for gathering, with null for -1."""
    index = pl.Series(positions)
    return index.set(index < 0, None) if index.min() == -1 else index
