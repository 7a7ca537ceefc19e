"""The records of a part that a query selects, and the choice of a sample that can replace them."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.blocks import RECORD_COLUMNS, Reading, index_fields
from lens_perf.performance.columns.part_samples import CHOSEN
from lens_perf.performance.columns.times import floor_milliseconds
from lens_perf.performance.copy_interface import CopyPart

Bounds = tuple[int, int]


class SeriesCount(NamedTuple):
    """The number of ``points`` of a series in a part; ``field`` is an index into the fields of the query.

    ``stored`` also counts texts for NaN and infinity that are not points of the query.
    """

    data_source: str | None
    serial: int | None
    field: int
    points: int
    stored: int


class Group(NamedTuple):
    """A data source and a serial, and whether the query selects their records."""

    data_source: str | None
    serial: int | None
    is_selected: bool


class SelectedPart:
    """The records of ``part`` that ``reading`` selects, with ``fields``, along ``axis``, one of AXES."""

    def __init__(self, part: CopyPart, fields: Sequence[str], reading: Reading, axis: str) -> None:
        self._part = part
        self._fields = fields
        self._reading = reading
        self._axis = axis
        times = part.times
        self._bounds = {
            "iteration": part.iterations,
            "time": times and (floor_milliseconds(times[0]), floor_milliseconds(times[1])),
        }
        ranges = {"iteration": reading.selection.iteration_range, "time": reading.selection.time_range}
        self._ranges = {name: limits for name, limits in ranges.items() if limits is not None}
        self.records = part.records

    @property
    def has_records(self) -> bool:
        """Whether any record may be in the selected ranges."""
        return all(
            bounds is not None and bounds[0] <= last and first <= bounds[1]
            for bounds, (first, last) in ((self._bounds[name], limits) for name, limits in self._ranges.items())
        )

    @property
    def bounds(self) -> Bounds | None:
        """Bounds of the selected records on the axis, inclusive; None if the records have no values on it."""
        bounds = self._bounds[self._axis]
        if bounds is None or self._axis not in self._ranges:
            return bounds
        first, last = self._ranges[self._axis]
        return max(bounds[0], first), min(bounds[1], last)

    @cached_property
    def is_whole(self) -> bool:
        """Whether all records are in the ranges and have a value on the axis, and there are samples."""
        # A part has samples along an axis only if all of its records have a value on it.
        sampled = {level.axis for level in self._part.samples.levels}
        if self.has_entries:
            return False
        return sampled >= {self._axis, *self._ranges} and all(
            bounds is not None and first <= bounds[0] and bounds[1] <= last
            for bounds, (first, last) in ((self._bounds[name], limits) for name, limits in self._ranges.items())
        )

    @cached_property
    def counts(self) -> Sequence[SeriesCount]:
        """The number of points of each series that has any, if the part is whole."""
        return list(self._count())

    def _count(self) -> Iterator[SeriesCount]:
        counts = self._part.samples.counts
        for index, field in enumerate(self._fields):
            for (source, serial), found in zip(self._part.samples.groups, counts.get(field, ()), strict=False):
                points = found.numbers + (found.non_finite if self._reading.non_finite else 0)
                if points and self._selects(source, serial):
                    yield SeriesCount(source, serial, index, points, sum(found))

    def _selects(self, source: str | None, serial: int | None) -> bool:
        wanted = self._reading.selection.data_source
        return wanted in {None, source} and (not self._reading.serials or serial in self._reading.serials)

    def find_level(self, widest: float, most_stored: int) -> tuple[int, float] | None:
        """Return the number and the exponent of the coarsest sample that can replace the records, None without one.

        The width of its buckets is at most 2**``widest``, and series of up to ``most_stored`` values are complete.
        """
        if self.is_whole:
            for number, level in enumerate(self._part.samples.levels):
                exponent = as_number(level.exponent)
                if level.axis == self._axis and exponent <= widest and most_stored <= level.complete_up_to:
                    return number, exponent
        return None

    def read_sample(self, number: int) -> "Sample":
        """Return the rows of a sample from the first to the last field of the query. Raises DamagedPartError."""
        wanted = np.flatnonzero(self.field_indices >= 0).tolist()
        if not wanted:
            return Sample(self, pl.DataFrame(schema=CHOSEN))
        first, last = wanted[0], wanted[-1]
        sample = self._part.read_sample(number, first, last)
        fields = sample["field"].to_numpy()
        start, end = np.searchsorted(fields, first), np.searchsorted(fields, last, side="right")
        return Sample(self, sample.slice(int(start), int(end - start)))

    @cached_property
    def field_indices(self) -> NDArray[np.int64]:
        """The index into the query's fields of each field of the samples, -1 for other fields."""
        indices = index_fields(self._fields)
        return np.array([indices.get(name, -1) for name in self._part.samples.counts], np.int64)

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The groups of the samples, in order of their numbers."""
        return [Group(*each, self._selects(*each)) for each in self._part.samples.groups]

    @property
    def width(self) -> int:
        """The number of fields of the query."""
        return len(self._fields)

    @property
    def has_entries(self) -> bool:
        """Whether any field may have entries instead of columns."""
        return self._part.has_entries(self._fields)

    def read(self) -> pl.DataFrame:
        """Return all records, selected or not. Raises DamagedPartError."""
        return self._part.read(self._fields, RECORD_COLUMNS)


class Sample(NamedTuple):
    """The ``points`` of a sample of ``part``: a frame of CHOSEN."""

    part: SelectedPart
    points: pl.DataFrame


def as_number(exponent: int | None) -> float:
    """Return the exponent of the width of buckets, infinite for a single bucket."""
    return inf if exponent is None else exponent
