"""A part of a copy as a query selects its records, and which of its samples stands for these."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.blocks import RECORD_COLUMNS, Reading, index_fields
from lens_perf.performance.columns.times import floor_milliseconds
from lens_perf.performance.copy_interface import CopyPart

Bounds = tuple[int, int]


class SeriesCount(NamedTuple):
    """How many ``points`` a part has of a field, by its place among those of the query, in a data source and attempt.

    ``stored`` counts the texts for NaN and infinity, too, whether or not they are points of the query.
    """

    data_source: str | None
    serial: int | None
    field: int
    points: int
    stored: int


class Group(NamedTuple):
    """The data source and the attempt of some records, and whether the query selects them."""

    data_source: str | None
    serial: int | None
    is_selected: bool


class SelectedPart:
    """The records that ``reading`` selects of ``part``, with ``fields``, along ``axis``, one of AXES."""

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
        asked = {"iteration": reading.selection.iteration_range, "time": reading.selection.time_range}
        self._asked = {name: limits for name, limits in asked.items() if limits is not None}
        self.records = part.records

    @property
    def has_records(self) -> bool:
        """Return whether any of the records can be in the ranges asked for."""
        return all(
            bounds is not None and bounds[0] <= last and first <= bounds[1]
            for bounds, (first, last) in ((self._bounds[name], limits) for name, limits in self._asked.items())
        )

    @property
    def bounds(self) -> Bounds | None:
        """Where on the axis the records are, at most; None where they have no place on it."""
        bounds = self._bounds[self._axis]
        if bounds is None or self._axis not in self._asked:
            return bounds
        first, last = self._asked[self._axis]
        return max(bounds[0], first), min(bounds[1], last)

    @cached_property
    def is_whole(self) -> bool:
        """Return whether the ranges select all of its records, all have a place on the axis, and there are samples."""
        # A part has samples along an axis only if all records have a place on it.
        sampled = {level.axis for level in self._part.samples.levels}
        if self.has_entries:
            return False
        return sampled >= {self._axis, *self._asked} and all(
            bounds is not None and first <= bounds[0] and bounds[1] <= last
            for bounds, (first, last) in ((self._bounds[name], limits) for name, limits in self._asked.items())
        )

    @cached_property
    def counts(self) -> Sequence[SeriesCount]:
        """The numbers of points of each series that has any, if the part is whole."""
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
        """Return the number and the exponent of the coarsest sample that stands for the records; None if none does.

        Its buckets are no wider than 2**``widest``, and series with up to ``most_stored`` values are whole in it.
        """
        if self.is_whole:
            for number, level in enumerate(self._part.samples.levels):
                exponent = as_number(level.exponent)
                if level.axis == self._axis and exponent <= widest and level.keeps_all(most_stored):
                    return number, exponent
        return None

    def read_sample(self, number: int) -> "Sample":
        """Return a sample, from the points of the first to those of the last of the fields."""
        sample = self._part.read_sample(number)
        wanted = np.flatnonzero(self.field_indices >= 0)
        if not len(wanted):
            return Sample(self, sample.clear())
        first, last = wanted[0], wanted[-1]
        fields = sample["field"].to_numpy()
        start, end = np.searchsorted(fields, first), np.searchsorted(fields, last, side="right")
        return Sample(self, sample.slice(int(start), int(end - start)))

    @cached_property
    def field_indices(self) -> NDArray[np.int64]:
        """The place among the query's fields of each field of the samples, -1 for others."""
        indices = index_fields(self._fields)
        return np.array([indices.get(name, -1) for name in self._part.samples.counts], np.int64)

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The groups of the samples, in their order."""
        return [Group(*each, self._selects(*each)) for each in self._part.samples.groups]

    @property
    def width(self) -> int:
        """The number of fields that are read."""
        return len(self._fields)

    @property
    def has_entries(self) -> bool:
        """Return whether any of the fields may have entries instead of columns."""
        return self._part.has_entries(self._fields)

    def read(self) -> pl.DataFrame:
        """Return its records, selected or not."""
        return self._part.read(self._fields, RECORD_COLUMNS)


class Sample(NamedTuple):
    """The ``points`` of a sample of ``part``: a frame of CHOSEN."""

    part: SelectedPart
    points: pl.DataFrame


def as_number(exponent: int | None) -> float:
    """Return the exponent of the width of buckets, infinite for the one bucket that holds all."""
    return inf if exponent is None else exponent
