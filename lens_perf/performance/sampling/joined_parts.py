"""Joins the samples or the records of several parts, because the cost of an operation is nearly constant."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.blocks import Block, Reading, select_records
from lens_perf.performance.columns.field_columns import join
from lens_perf.performance.columns.times import floor_milliseconds
from lens_perf.performance.sampling.axes import AXES, AXIS
from lens_perf.performance.sampling.selected_part import Sample, SelectedPart

COPIED = ("value", "text", "created_at", "iteration")
GROUP = {"data_source": pl.String(), "serial": pl.Int32()}
COUNTS = {**GROUP, "field": pl.UInt32(), "points": pl.Int64()}
# The values of sampled points on each axis, none of which is null.
AXIS_VALUES: Mapping[str, Callable[[Mapping[str, pl.Series]], pl.Series]] = {
    "iteration": lambda points: points["iteration"].cast(pl.Int64),
    "time": lambda points: floor_milliseconds(points["created_at"]),
}


def join_samples(samples: Sequence[Sample], reading: Reading, axis: str) -> pl.DataFrame:
    """Return the selected points of the samples of consecutive parts, for ``Sampler.add_sample``."""
    parts = [each.part for each in samples]
    points = pl.concat([each.points for each in samples], rechunk=False)
    of_part = np.repeat(np.arange(len(samples)), [each.points.height for each in samples])
    groups = [group for part in parts for group in part.groups]
    group = points["group"].to_numpy() + _number_firsts([len(part.groups) for part in parts])[of_part]
    field = points["field"].to_numpy() + _number_firsts([len(part.field_indices) for part in parts])[of_part]
    row = points["row"].to_numpy() + _number_firsts([part.records for part in parts])[of_part]
    indices = np.concatenate([part.field_indices for part in parts])[field]
    wanted = (indices >= 0) & np.array([each.is_selected for each in groups], np.bool_)[group]
    if not reading.non_finite:
        wanted &= np.isfinite(points["value"].to_numpy())
    rows = np.flatnonzero(wanted)
    # Column by column, because waking up the threads of polars would take longer than gathering a few rows.
    index = pl.Series(rows, dtype=pl.UInt32)
    chosen = {name: points[name][index] for name in COPIED}
    group_index = pl.Series(group[rows], dtype=pl.UInt32)
    of_group = [
        pl.Series("data_source", [each.data_source for each in groups], pl.String)[group_index],
        pl.Series("serial", [each.serial for each in groups], pl.Int32)[group_index],
    ]
    own = pl.Series("row", row[rows]), pl.Series("field", indices[rows].astype(np.uint32))
    return pl.DataFrame([*chosen.values(), *of_group, *own, AXIS_VALUES[axis](chosen).alias(AXIS)])


def _number_firsts(lengths: Sequence[int]) -> NDArray[np.int64]:
    """Return the offset of each of several lists in their concatenation."""
    return np.cumsum([0, *lengths[:-1]], dtype=np.int64)


def join_counts(parts: Sequence[SelectedPart]) -> pl.DataFrame:
    """Return the sums of the ``counts`` of all parts, for ``Sampler.add_sample``."""
    points = Counter[tuple[str | None, int | None, int]]()
    for part in parts:
        for each in part.counts:
            points[each.data_source, each.serial, each.field] += each.points
    return pl.DataFrame([(*key, count) for key, count in points.items()], schema=COUNTS, orient="row")


def join_records(parts: Sequence[SelectedPart], reading: Reading, axis: str) -> Block | None:
    """Return the selected records with their values on the axis, None if there are none.

    With several parts, none of them may have entries instead of columns. Raises DamagedPartError.
    """
    condition = select_records(reading.selection, reading.serials)
    extended = AXES[axis](join([part.read() for part in parts]))
    kept = extended if condition is None else extended.filter(condition)
    return Block(kept, non_finite=reading.non_finite) if kept.height else None
