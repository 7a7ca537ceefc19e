"""Downsamples all series of an answer at once, block by block: what is kept is bounded by what is returned."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.errors import ResultTooLargeError
from lens_perf.performance.blocks import RECORD_COLUMNS, Block, Indices, PointIndex, number_fields
from lens_perf.performance.sampling.axes import AXIS, AXIS_VALUE
from lens_perf.performance.sampling.buckets import Axis, Buckets, choose_buckets
from lens_perf.performance.sampling.groups import Groups
from lens_perf.performance.sampling.m4 import choose, find_ends, find_starts

# What is chosen is in memory, about 100 bytes a point.
MOST_CHOSEN = 300_000
# Points beyond what was left last time that are gathered before they are chosen among.
MOST_GATHERED = 2**17
WRITTEN_AT_ONCE = 2**16
# A field with fewer points than one in so many records has its points gathered at once.
SPARSE = 8
KEYS = ("data_source", "serial")
KEPT = (AXIS, AXIS_VALUE, *RECORD_COLUMNS)

Mask = NDArray[np.bool_]


class Sampler:
    """Chooses at most ``max_points`` points of each series of ``fields``.

    A series is a field of a data source (``by_source``), of an attempt (``by_serial``), of both, or of all records.
    """

    def __init__(
        self,
        fields: Sequence[str],
        max_points: int,
        *,
        non_finite: bool = False,
        by_source: bool = True,
        by_serial: bool = False,
    ) -> None:
        self._fields = fields
        self._places = number_fields(fields)
        self._max_points = max_points
        self._roles = min(max_points, 5 if non_finite else 4)
        self._most_buckets = max(1, min(max_points, MOST_CHOSEN) // self._roles)
        self._groups = Groups([key for key, wanted in zip(KEYS, (by_source, by_serial), strict=True) if wanted])
        self._range: tuple[float, float] | None = None
        self._buckets = Buckets(0)
        self._counts: Counter[int] = Counter()
        self._chosen: list[pl.DataFrame] = []
        self._held = 0
        self._left = 0
        self._position = 0

    @property
    def total(self) -> int:
        """The number of points that were taken."""
        return self._counts.total()

    @property
    def bucket_width(self) -> float:
        """The width of a bucket on the axis; infinite for the single bucket for all."""
        return self._buckets.width

    def take(self, block: Block) -> None:
        """Take the points of records that follow those of the calls before; they have the column AXIS."""
        height = block.height
        if block.columns[AXIS].has_nulls():
            # The order within what is left is all that counts.
            block = Block(block.frame.filter(pl.col(AXIS).is_not_null()), non_finite=block.non_finite)
        counts = block.count_points(self._places)
        if counts and max(counts.values()) < block.height:
            block = block.having_points(list(counts))
        if counts:
            records = _Records(block.columns[AXIS].to_numpy(), self._groups.number(block.frame))
            index = self._choose_records(block, counts, records)
            self._keep(block, index, records.groups[index.records])
        self._position += height

    def finish(self) -> Iterator[pl.DataFrame]:
        """Yield the points chosen, record by record, in frames as of ``list_points``, with ``value``, too."""
        self._reduce()
        for chosen in self._chosen:
            yield from chosen.sort("position", "field").iter_slices(WRITTEN_AT_ONCE)

    def _choose_records(self, block: Block, counts: Mapping[str, int], records: "_Records") -> PointIndex:
        """Return the points of a block that may be chosen, and count them all."""
        places = self._places
        rare = [field for field, count in counts.items() if count * SPARSE < block.height]
        index = block.find_points(rare)
        listed = PointIndex(index.records, np.array([places[field] for field in rare], np.int64)[index.fields])
        self._widen(records.axis)
        records.sort_into(self._buckets)
        self._count(records.groups[listed.records] * len(self._fields) + listed.fields)
        found = [listed]
        for field in counts.keys() - set(rare):
            mask = None if counts[field] == block.height else block.has_point(field)
            chosen = self._choose_field(records, places[field], mask, block.read_values(field).to_numpy())
            found.append(PointIndex(chosen, np.full(len(chosen), places[field])))
        return PointIndex(
            np.concatenate([each.records for each in found]), np.concatenate([each.fields for each in found])
        )

    def _choose_field(self, records: "_Records", place: int, mask: Mask | None, values: NDArray[np.float64]) -> Indices:
        groups = records.groups if mask is None else records.groups[mask]
        self._count_groups(np.bincount(groups), place)
        small = [
            group for group in range(self._groups.count) if self._counts[self._series(group, place)] <= self._max_points
        ]
        chosen = records.choose(values, mask, self._roles)
        if small:
            of_small = np.isin(records.groups, small)
            chosen = np.union1d(chosen, np.flatnonzero(of_small if mask is None else of_small & mask))
        return chosen

    def _series(self, group: int, place: int) -> int:
        return group * len(self._fields) + place

    def _count(self, series: Indices) -> None:
        self._counts.update(dict(zip(*(each.tolist() for each in np.unique(series, return_counts=True)), strict=True)))

    def _count_groups(self, counts: Indices, place: int) -> None:
        self._counts.update({self._series(group, place): count for group, count in enumerate(counts.tolist()) if count})

    def _widen(self, axis: Axis) -> None:
        """Let the buckets hold ``axis``, too."""
        low, high = axis.min().item(), axis.max().item()
        if self._range is not None:
            low, high = min(low, self._range[0]), max(high, self._range[1])
        if (low, high) != self._range:
            self._range = low, high
            self._buckets = choose_buckets(low, high, self._most_buckets)

    def _keep(self, block: Block, index: PointIndex, groups: Indices) -> None:
        """Keep the points of ``index``, and choose among all that are kept when they have become many."""
        fields = self._fields
        columns = {
            "position": self._position + index.records,
            "field": index.fields.astype(np.uint32),
            "series": groups * len(fields) + index.fields,
            "value": index.gather(lambda field, records: block.read_values(fields[field], records)),
            "text": index.gather(lambda field, records: block.read_texts(fields[field], records)),
        }
        kept = {name: block.columns[name].gather(index.records) for name in KEPT if name in block.columns}
        points = pl.DataFrame(columns | kept)
        self._chosen.append(points)
        self._held += points.height
        if self._held > self._left + max(self._left // 4, MOST_GATHERED):
            self._reduce()

    def _reduce(self) -> None:
        """Choose among the points that are kept. Raises ResultTooLargeError where too many are left."""
        if not self._chosen:
            return
        points = pl.concat(self._chosen)
        series = points["series"].to_numpy()
        large = np.array([key for key, count in self._counts.items() if count > self._max_points], np.int64)
        is_large = np.isin(series, large)
        if is_large.any():
            axis = points[AXIS].to_numpy()
            places = np.flatnonzero(is_large)
            buckets = self._buckets.index(axis[places])
            places = places[np.lexsort((points["position"].to_numpy()[places], buckets, series[places]))]
            starts = find_starts(series[places], self._buckets.index(axis[places]))
            values = points["value"].to_numpy()[places]
            chosen = places[choose(find_ends(axis[places], starts), values, starts, self._roles)]
            points = points[np.concatenate([np.flatnonzero(~is_large), chosen])]
        self._chosen = [points]
        self._held = self._left = points.height
        if self._left > MOST_CHOSEN:
            raise ResultTooLargeError(
                f"The result has more than {MOST_CHOSEN} data points; "
                "ask for fewer with metrics, data_source, or a smaller max_points"
            )


class _Records:
    """The records of a block, sorted by group and bucket for all fields."""

    def __init__(self, axis: Axis, groups: Indices) -> None:
        self.axis = axis
        self.groups = groups

    def sort_into(self, buckets: Buckets) -> None:
        """Sort the records by group, then by bucket, else as they are."""
        numbers = buckets.index(self.axis)
        numbers = (numbers - numbers.min()).astype(np.int64)
        keys = self.groups * (numbers.max() + 1) + numbers
        # Numpy sorts small integers in linear time.
        keys = keys.astype(np.uint16) if keys.max() < 2**16 else keys
        self._order = np.arange(len(keys)) if (keys[1:] >= keys[:-1]).all() else np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._starts = find_starts(self._keys)
        self._ends = find_ends(self.axis[self._order], self._starts)

    def choose(self, values: NDArray[np.float64], mask: Mask | None, roles: int) -> Indices:
        """Return the records whose points of a field are chosen; ``mask`` is which records have one, None for all."""
        order, starts, ends = self._order, self._starts, self._ends
        if mask is not None:
            present = mask[order]
            order = order[present]
            starts = find_starts(self._keys[present])
            ends = find_ends(self.axis[order], starts)
        return order[choose(ends, values[order], starts, roles)]
