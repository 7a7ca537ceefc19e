"""Downsamples all series of an answer at once, block by block; memory is proportional to the points returned."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.errors import ResultTooLargeError
from lens_perf.performance.blocks import RECORD_COLUMNS, Block, Indices, PointIndex, index_fields, list_points
from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.m4.bucketed_records import BucketedRecords
from lens_perf.performance.m4.buckets import Axis, Buckets, choose_buckets
from lens_perf.performance.m4.choice import choose, find_ends, find_starts
from lens_perf.performance.sampling.axes import AXIS, AXIS_VALUE

# All chosen points are in memory: about 100 bytes each.
MOST_CHOSEN = 300_000
# The minimum number of points added between two reductions.
MOST_GATHERED = 2**17
WRITTEN_AT_ONCE = 2**16
# If fewer than one in this many records has a field, its points are added without choosing among them first.
SPARSE = 8
KEYS = ("data_source", "serial")
KEPT = (AXIS, AXIS_VALUE, *RECORD_COLUMNS)

Mask = NDArray[np.bool_]


class Sampler:
    """Chooses at most ``max_points`` points of each series of ``fields``.

    A series consists of the points of a field in all records, in a data source (``by_source``), in an attempt
    (``by_serial``), or in both.
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
        self._indices = index_fields(fields)
        self.max_points = max_points
        self.by_serial = by_serial
        self._roles = min(max_points, 5 if non_finite else 4)
        # The maximum number of buckets of a series.
        self.most_buckets = max(1, min(max_points, MOST_CHOSEN) // self._roles)
        self._groups = Groups([key for key, wanted in zip(KEYS, (by_source, by_serial), strict=True) if wanted])
        self._range: tuple[float, float] | None = None
        self._buckets = Buckets(0)
        self._counts: Counter[int] = Counter()
        self._chosen: list[pl.DataFrame] = []
        self._held = 0
        self._left = 0
        self._position = 0

    @property
    def exponent(self) -> int | None:
        """The exponent of the width of the buckets, for all points so far; None if there is a single bucket."""
        return self._buckets.exponent

    @property
    def total(self) -> int:
        """The number of points added so far."""
        return self._counts.total()

    @property
    def bucket_width(self) -> float:
        """The width of a bucket on the axis; infinite if there is a single bucket."""
        return self._buckets.width

    def add(self, block: Block) -> None:
        """Add the points of the records of ``block``, which follow those of the previous call and have a column AXIS.

        Raises ResultTooLargeError.
        """
        height = block.height
        if block.columns[AXIS].has_nulls():
            # Positions within the block may shift: only the order counts.
            block = Block(block.frame.filter(pl.col(AXIS).is_not_null()), non_finite=block.non_finite)
        counts = block.count_points(self._indices)
        if block.has_entries:
            for piece in block.list_pieces(counts):
                self._add_list(piece)
            return
        if counts and max(counts.values()) < block.height:
            block = block.drop_records_without_points(list(counts))
        if counts:
            axis, groups = block.columns[AXIS].to_numpy(), self._groups.number(block.frame)
            index = self._choose_records(block, counts, axis, groups)
            self._keep(self._gather(block, index, groups[index.records]))
        self._position += height

    def _add_list(self, block: Block) -> None:
        points = list_points(block, self._fields, ["value", "text"])
        if points.height:
            keys = ["data_source", "serial"] if "serial" in points.columns else ["data_source"]
            counts = points.group_by("field", *keys, maintain_order=True).agg(pl.len().alias("points"))
            self.add_sample(points, counts, block.height)

    def add_sample(self, sample: pl.DataFrame, counts: pl.DataFrame, records: int) -> None:
        """Add the points of ``sample``, which replaces ``records`` records that follow those of the previous call.

        It has a row for each point: ``row`` (the index of its record), ``field``, ``value``, ``text``, AXIS and the
        columns of its record. ``counts`` has the number of ``points`` in all of these records by ``field``,
        ``data_source`` and ``serial``. Raises ResultTooLargeError.
        """
        self._count(self._number_series(counts), counts["points"].to_numpy())
        if sample.height:
            self._widen(sample[AXIS].to_numpy())
            columns = {
                "position": self._position + sample["row"].cast(pl.Int64),
                "field": sample["field"].cast(pl.UInt32),
                "series": self._number_series(sample),
                "value": sample["value"],
                "text": sample["text"],
            }
            self._keep(pl.DataFrame(columns | {name: sample[name] for name in KEPT if name in sample.columns}))
        self._position += records

    def finish(self) -> Iterator[pl.DataFrame]:
        """Yield the chosen points, by record, in frames as ``list_points`` returns, with text and value.

        Raises ResultTooLargeError.
        """
        self._reduce(in_order=True)
        for chosen in self._chosen:
            yield from chosen.iter_slices(WRITTEN_AT_ONCE)

    def _number_series(self, frame: pl.DataFrame) -> Indices:
        fields: Indices = frame["field"].cast(pl.Int64).to_numpy()
        return self._groups.number(frame) * len(self._fields) + fields

    def _choose_records(self, block: Block, counts: Mapping[str, int], axis: Axis, groups: Indices) -> PointIndex:
        """Return the points of a block that may be chosen, and count all of its points."""
        indices = self._indices
        rare = [field for field, count in counts.items() if count * SPARSE < block.height]
        index = block.find_points(rare)
        listed = PointIndex(index.records, np.array([indices[field] for field in rare], np.int64)[index.fields])
        self._widen(axis)
        records = BucketedRecords(axis, groups, self._buckets)
        listed_series = groups[listed.records] * len(self._fields) + listed.fields
        self._count(*np.unique(listed_series, return_counts=True))
        found = [listed]
        for field in counts.keys() - set(rare):
            mask = None if counts[field] == block.height else block.has_point(field)
            values = block.read_values(field).to_numpy()
            chosen = records.choose(values, mask, self._roles)
            chosen = self._add_small(chosen, groups, mask, indices[field])
            found.append(PointIndex(chosen, np.full(len(chosen), indices[field])))
        return PointIndex(
            np.concatenate([each.records for each in found]), np.concatenate([each.fields for each in found])
        )

    def _add_small(self, chosen: Indices, groups: Indices, mask: Mask | None, index: int) -> Indices:
        """Count the points of a field; return ``chosen`` and all points of series that are small so far."""
        series = np.arange(self._groups.count) * len(self._fields) + index
        self._count(series, np.bincount(groups if mask is None else groups[mask], minlength=len(series)))
        small = [group for group, key in enumerate(series.tolist()) if self._counts[key] <= self.max_points]
        if not small:
            return chosen
        of_small = np.isin(groups, small)
        return np.union1d(chosen, np.flatnonzero(of_small if mask is None else of_small & mask))

    def _count(self, series: Indices, counts: Indices) -> None:
        for key, count in zip(series.tolist(), counts.tolist(), strict=True):
            self._counts[key] += count

    def _widen(self, axis: Axis) -> None:
        """Extend the range of the buckets to the values of ``axis``."""
        low, high = axis.min().item(), axis.max().item()
        if self._range is not None:
            low, high = min(low, self._range[0]), max(high, self._range[1])
        if (low, high) != self._range:
            self._range = low, high
            self._buckets = choose_buckets(low, high, self.most_buckets)

    def _gather(self, block: Block, index: PointIndex, groups: Indices) -> pl.DataFrame:
        """Return the points of ``index``; ``groups`` are the group numbers of their records."""
        fields = self._fields
        columns = {
            "position": self._position + index.records,
            "field": index.fields.astype(np.uint32),
            "series": groups * len(fields) + index.fields,
            "value": index.gather(lambda field, records: block.read_values(fields[field], records)),
            "text": index.gather(lambda field, records: block.read_texts(fields[field], records)),
        }
        # Indexing with rows is a single operation for all columns.
        kept = block.frame[[name for name in KEPT if name in block.columns]][index.records]
        return pl.DataFrame(columns).hstack(kept)

    def _keep(self, points: pl.DataFrame) -> None:
        """Keep ``points``, and reduce all kept points if they have become many."""
        self._chosen.append(points)
        self._held += points.height
        if self._held > self._left + max(self._left // 4, MOST_GATHERED):
            self._reduce()

    def _reduce(self, *, in_order: bool = False) -> None:
        """Choose among the kept points of large series; with ``in_order``, sort by record and field.

        Raises ResultTooLargeError if more than MOST_CHOSEN points remain.
        """
        if not self._chosen:
            return
        points = pl.concat(self._chosen)
        series = points["series"].to_numpy()
        large = np.zeros(max(self._counts) + 1, np.bool_)
        large[[key for key, count in self._counts.items() if count > self.max_points]] = True
        is_large = large[series]
        kept = np.arange(len(series))
        if is_large.any():
            axis = points[AXIS].to_numpy()
            rows = np.flatnonzero(is_large)
            buckets = self._buckets.index(axis[rows])
            rows = rows[np.lexsort((points["position"].to_numpy()[rows], buckets, series[rows]))]
            starts = find_starts(series[rows], self._buckets.index(axis[rows]))
            values = points["value"].to_numpy()[rows]
            chosen = rows[choose(find_ends(axis[rows], starts), values, starts, self._roles)]
            kept = np.concatenate([np.flatnonzero(~is_large), chosen])
        if len(kept) > MOST_CHOSEN:
            raise ResultTooLargeError(
                f"The result has more than {MOST_CHOSEN} data points; "
                "limit it with metrics, data_source, or a smaller max_points"
            )
        if in_order:
            kept = kept[np.lexsort([points[key].to_numpy()[kept] for key in ("field", "position")])]
        self._chosen = [points[kept]]
        self._held = self._left = len(kept)
