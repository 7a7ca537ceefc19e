"""The samples of a part: the points that M4 chooses in each bucket.

From a union of buckets, M4 chooses only such points, so a sample can replace all records in queries with wider buckets.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.columns.field_columns import NON_FINITE, TEXT, VALUE, list_fields
from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.columns.number_text import NON_FINITE_TEXTS, NON_FINITE_VALUES, render
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.m4.bucketed_records import BucketedRecords
from lens_perf.performance.m4.buckets import Axis, choose_buckets
from lens_perf.performance.m4.choice import Indices, sort_distinct

# The maximum number of buckets of each sample, and the minimum number of records for a bucket.
BUCKETS = (16, 64)
RECORDS_PER_BUCKET = 64
# With more pairs of data source and serial, a sample would have nearly all points.
MOST_GROUPS = 8
# M4 chooses up to this many finite points in each bucket, and one that is not finite.
ROLES = 4
# A sample with more than one in this many points would save too little.
LEAST_REDUCTION = 4
CHOSEN = {
    "field": pl.UInt32(),
    "row": pl.Int32(),
    "group": pl.UInt8(),
    "created_at": pl.Int64(),
    "iteration": pl.Int32(),
    "value": pl.Float64(),
    "text": pl.String(),
}


class Level(NamedTuple):
    """A sample along ``axis`` with at most ``buckets`` buckets of width 2**exponent; None means a single bucket."""

    axis: str
    buckets: int
    exponent: int | None

    def keeps_all(self, stored: int) -> bool:
        """Return whether the sample has all points of a series with ``stored`` points in the part, finite or not."""
        return stored <= ROLES * self.buckets


class Counts(NamedTuple):
    """The numbers of points of a field in a group: finite numbers, and texts for NaN and infinity."""

    numbers: int
    non_finite: int


@dataclass(frozen=True)
class PartSamples:
    """Describes the samples of a part.

    ``groups`` are the distinct pairs (data source, serial); ``counts`` has the numbers of points of each field in each
    group. ``levels`` are the samples: for each axis, those with fewer buckets are first. There are no samples along an
    axis if a record has no value on it.
    """

    groups: Sequence[tuple[str | None, int | None]] = ()
    counts: Mapping[str, Sequence[Counts]] = field(default_factory=dict)
    levels: Sequence[Level] = ()

    def write(self) -> Any:
        """Return the description as JSON values."""
        return [self.groups, list(self.counts.items()), self.levels]

    @classmethod
    def parse(cls, values: Any) -> "PartSamples":
        """Return the description from the result of ``write``."""
        groups, counts, levels = values
        return cls(
            [(source, serial) for source, serial in groups],
            {field: [Counts(*each) for each in by_group] for field, by_group in counts},
            [Level(*each) for each in levels],
        )


def build_samples(frame: pl.DataFrame, check: Callable[[], None]) -> tuple[PartSamples, Sequence[pl.DataFrame]]:
    """Return the samples of the records of ``frame``, which are in order, and a frame of schema CHOSEN for each level.

    The rows of these frames are sorted by ``field``, an index into ``PartSamples.counts``. ``check`` is called for each
    field; its exceptions propagate.
    """
    if frame.height < BUCKETS[0] * RECORDS_PER_BUCKET:
        return PartSamples(), ()
    numbering = Groups(["data_source", "serial"])
    groups, group_count = numbering.number(frame), numbering.count
    if frame.height < BUCKETS[0] * RECORDS_PER_BUCKET * group_count or group_count > MOST_GROUPS:
        return PartSamples(), ()
    fields = _read_fields(frame, groups, group_count, check)
    if not fields:
        return PartSamples(), ()
    total = sum(sum(counts) for each in fields.values() for counts in each.counts)
    levels, frames = [], []
    for axis, values in _list_axes(frame):
        rows: Sequence[Indices] | None = None
        of_axis = []
        for level, records in _list_levels(axis, values, groups, group_count):
            check()
            candidates = rows or repeat(None, len(fields))
            rows = [field.choose(level, records, own) for field, own in zip(fields.values(), candidates, strict=True)]
            if sum(map(len, rows)) * LEAST_REDUCTION <= total:
                of_axis.append((level, _collect(frame, groups, list(fields.values()), rows)))
        for level, sample in reversed(of_axis):
            levels.append(level)
            frames.append(sample)
    return PartSamples(numbering.keys, {name: each.counts for name, each in fields.items()}, levels), frames


def _read_fields(
    frame: pl.DataFrame, groups: Indices, group_count: int, check: Callable[[], None]
) -> dict[str, "_Field"]:
    """Return the fields that have data points."""
    columns = {series.name: series for series in frame.iter_columns()}
    found = {}
    for name in list_fields(columns):
        check()
        points = _Field(columns, name, groups, group_count)
        if points.has_points:
            found[name] = points
    return found


def _list_axes(frame: pl.DataFrame) -> Iterator[tuple[str, Axis]]:
    """Yield the name of each axis on which all records have values, and the values."""
    axes = {"iteration": frame["iteration"].cast(pl.Int64), "time": frame.select(to_milliseconds()).to_series()}
    for name, values in axes.items():
        if not values.has_nulls():
            yield name, values.to_numpy()


def _list_levels(name: str, axis: Axis, groups: Indices, count: int) -> Iterator[tuple[Level, BucketedRecords]]:
    """Yield the levels of an axis, the one with the most buckets first."""
    for most in sorted(BUCKETS, reverse=True):
        if most == BUCKETS[0] or len(axis) >= most * RECORDS_PER_BUCKET * count:
            buckets = choose_buckets(axis.min().item(), axis.max().item(), most)
            yield Level(name, most, buckets.exponent), BucketedRecords(axis, groups, buckets)


def _collect(
    frame: pl.DataFrame, groups: Indices, fields: Sequence["_Field"], chosen: Sequence[Indices]
) -> pl.DataFrame:
    """Return a frame of schema CHOSEN with the chosen rows of each field."""
    rows = np.concatenate(chosen)
    columns = {
        "field": np.repeat(np.arange(len(fields)), [len(each) for each in chosen]),
        "row": rows,
        "group": groups[rows],
        "created_at": frame["created_at"].gather(rows),
        "iteration": frame["iteration"].gather(rows),
        "value": np.concatenate([field.values[own] for field, own in zip(fields, chosen, strict=True)]),
        "text": pl.concat([field.read_texts(own) for field, own in zip(fields, chosen, strict=True)]),
    }
    return pl.DataFrame(columns, schema=CHOSEN)


class _Field:
    """The points of one field."""

    def __init__(self, columns: Mapping[str, pl.Series], name: str, groups: Indices, group_count: int) -> None:
        numbers, self._texts, self._codes = (columns.get(kind + name) for kind in (VALUE, TEXT, NON_FINITE))
        height = len(groups)
        self._numbers = pl.repeat(None, height, dtype=pl.Float64, eager=True) if numbers is None else numbers
        # Nulls become NaN.
        self.values: NDArray[np.float64] = self._numbers.cast(pl.Float64).to_numpy().copy()
        self._is_number = ~np.isnan(self.values)
        self._is_point = self._is_number
        if self._codes is not None:
            texts = self._codes.is_not_null().to_numpy()
            self._is_point = self._is_number | texts
            self.values[texts] = np.array(NON_FINITE_VALUES)[self._codes.drop_nulls().to_numpy() - 1]
        self._groups = groups
        numbers_by_group = np.bincount(groups[self._is_number], minlength=group_count)
        texts_by_group = np.bincount(groups[self._is_point & ~self._is_number], minlength=group_count)
        self.counts = [Counts(*each) for each in zip(numbers_by_group.tolist(), texts_by_group.tolist(), strict=True)]

    @property
    def has_points(self) -> bool:
        """Whether the field has data points."""
        return bool(self._is_point.any())

    def choose(self, level: Level, records: BucketedRecords, among: Indices | None) -> Indices:
        """Return the rows of the points that belong to the sample, in ascending order.

        The sample has the points that M4 chooses with and without the texts for NaN and infinity. ``among`` are the
        only candidates, the rows of a sample with more buckets along the same axis; None for all rows.
        """
        found = [records.choose(self.values, self._mask(self._is_number, among), ROLES)]
        if self._codes is not None:
            found.append(records.choose(self.values, self._mask(self._is_point, among), ROLES + 1))
        whole = [group for group, counts in enumerate(self.counts) if level.keeps_all(sum(counts))]
        if any(sum(self.counts[group]) for group in whole):
            found.append(np.flatnonzero(self._is_point & np.isin(self._groups, whole)))
        return sort_distinct(np.concatenate(found))

    @staticmethod
    def _mask(mask: NDArray[np.bool_], among: Indices | None) -> NDArray[np.bool_] | None:
        if among is None:
            return None if mask.all() else mask
        candidates = np.zeros(len(mask), np.bool_)
        candidates[among] = mask[among]
        return candidates

    def read_texts(self, rows: Indices) -> pl.Series:
        """Return the JSON texts of the points in ``rows``."""
        texts = render(self._numbers.gather(rows)) if self._texts is None else self._texts.gather(rows)
        if self._codes is None:
            return texts.alias(TEXT)
        codes = self._codes.gather(rows)
        others = codes.replace_strict([1, 2, 3], NON_FINITE_TEXTS, return_dtype=pl.String)
        return others.zip_with(codes.is_not_null(), texts).alias(TEXT)
