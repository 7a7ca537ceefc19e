"""Builds the samples of a part: for each axis and number of buckets, the points that M4 chooses."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.columns.field_columns import NON_FINITE, TEXT, VALUE, list_fields
from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.columns.number_text import NON_FINITE_TEXTS, NON_FINITE_VALUES, render
from lens_perf.performance.columns.part_samples import CHOSEN, ROLES, Counts, Level, PartSamples
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.m4.bucketed_records import BucketedRecords
from lens_perf.performance.m4.buckets import Axis, choose_buckets
from lens_perf.performance.m4.choice import Indices, sort_distinct

# The maximum number of buckets of each sample, and the minimum number of records for a bucket.
BUCKETS = (16, 64)
RECORDS_PER_BUCKET = 64
# With more pairs of data source and serial, a sample would have nearly all points.
MOST_GROUPS = 8
# A sample with more than one in this many points would save too little.
LEAST_REDUCTION = 4


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
    levels, frames = [], []
    for name, axis in _list_axes(frame):
        for level, points in _choose_levels(list(fields.values()), groups, name, axis, check):
            levels.append(level)
            frames.append(_collect(frame, groups, points))
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


def _choose_levels(
    fields: Sequence["_Field"], groups: Indices, name: str, axis: Axis, check: Callable[[], None]
) -> Iterator[tuple[Level, "_Points"]]:
    """Yield the samples along an axis that save enough, the one with the fewest buckets first."""
    group_count = len(fields[0].counts)
    found = []
    points = None
    for most in reversed(BUCKETS):
        if most > BUCKETS[0] and len(axis) < most * RECORDS_PER_BUCKET * group_count:
            continue
        check()
        buckets = choose_buckets(axis.min().item(), axis.max().item(), most)
        level = Level(name, most, buckets.exponent)
        if points is None:
            points = _choose_points(fields, BucketedRecords(axis, groups, buckets), groups, level.complete_up_to)
        else:
            points = points.choose(BucketedRecords(axis[points.rows], points.series, buckets), level.complete_up_to)
        if len(points.rows) * LEAST_REDUCTION <= points.stored.sum():
            found.append((level, points))
    yield from reversed(found)


def _choose_points(fields: Sequence["_Field"], records: BucketedRecords, groups: Indices, few: int) -> "_Points":
    """Return the points of all fields that belong to a sample; see ``_Field.choose``."""
    chosen = [field.choose(records, few) for field in fields]
    rows = np.concatenate(chosen)
    numbers = np.repeat(np.arange(len(fields)), [len(each) for each in chosen])
    values = np.concatenate([field.values[own] for field, own in zip(fields, chosen, strict=True)])
    texts = pl.concat([field.read_texts(own) for field, own in zip(fields, chosen, strict=True)])
    stored = np.array([[sum(counts) for counts in field.counts] for field in fields])
    return _Points(numbers, rows, values, texts, numbers * stored.shape[1] + groups[rows], stored.ravel())


def _collect(frame: pl.DataFrame, groups: Indices, points: "_Points") -> pl.DataFrame:
    """Return a frame of schema CHOSEN with the points."""
    columns = {
        "field": points.fields,
        "row": points.rows,
        "group": groups[points.rows],
        "created_at": frame["created_at"][points.rows],
        "iteration": frame["iteration"][points.rows],
        "value": points.values,
        "text": points.texts,
    }
    return pl.DataFrame(columns, schema=CHOSEN)


@dataclass(frozen=True)
class _Points:
    """Points of all fields, sorted by the index of the field and the row of the record.

    ``series`` has the index of each point's series into ``stored``, the numbers of points of all series in the part.
    """

    fields: Indices
    rows: Indices
    values: NDArray[np.float64]
    texts: pl.Series
    series: Indices
    stored: Indices

    def choose(self, records: BucketedRecords, few: int) -> Self:
        """Return the points that belong to a sample with fewer buckets; ``records`` are the records of the points."""
        is_number = np.isfinite(self.values)
        found = [np.flatnonzero((self.stored <= few)[self.series])]
        if is_number.all():
            found.append(records.choose(self.values, None, ROLES))
        else:
            found.append(records.choose(self.values, is_number, ROLES))
            found.append(records.choose(self.values, None, ROLES + 1))
        chosen = sort_distinct(np.concatenate(found))
        return replace(
            self,
            fields=self.fields[chosen],
            rows=self.rows[chosen],
            values=self.values[chosen],
            texts=self.texts[chosen],
            series=self.series[chosen],
        )


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

    def choose(self, records: BucketedRecords, few: int) -> Indices:
        """Return the rows of the points that belong to a sample, in ascending order.

        They are the points that M4 chooses with and without the texts for NaN and infinity, and all points of groups
        with up to ``few`` points.
        """
        found = [records.choose(self.values, None if self._is_number.all() else self._is_number, ROLES)]
        if self._codes is not None:
            found.append(records.choose(self.values, self._is_point, ROLES + 1))
        whole = [group for group, counts in enumerate(self.counts) if 0 < sum(counts) <= few]
        if whole:
            found.append(np.flatnonzero(self._is_point & np.isin(self._groups, whole)))
        return sort_distinct(np.concatenate(found))

    def read_texts(self, rows: Indices) -> pl.Series:
        """Return the JSON texts of the points in ``rows``."""
        texts = render(self._numbers[rows]) if self._texts is None else self._texts[rows]
        if self._codes is None:
            return texts.alias(TEXT)
        codes = self._codes[rows]
        others = codes.replace_strict([1, 2, 3], NON_FINITE_TEXTS, return_dtype=pl.String)
        return others.zip_with(codes.is_not_null(), texts).alias(TEXT)
