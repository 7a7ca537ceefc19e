"""Reads records from blocks of a columnar copy as arrays, for the computation of progress."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.columns.groups import Groups
from lens_perf.performance.columns.times import INFINITIES
from lens_perf.performance.metric_fields import TARGET_ITERATION

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Booleans = NDArray[np.bool_]

COLUMNS = ("id", "created_at", "iteration", "serial")
SOURCE = "data_source"
# Marks a record without a serial; real serials are int32.
NO_SERIAL = -(2**40)
WHOLE_NUMBER = r"^[0-9]+(\.0*)?$"
LARGEST_FLOAT_TARGET = 2.0**63


class Records(NamedTuple):
    """Records of one data source that have an iteration and a finite time; all arrays have the same length.

    ``times`` are in microseconds since 2000-01-01 UTC; ``serials`` are NO_SERIAL for records without one.
    """

    ids: Integers
    times: Integers
    iterations: Integers
    serials: Integers

    def take(self, rows: slice | Integers) -> "Records":
        """Return the records at ``rows``."""
        return Records(*(column[rows] for column in self))


_NONE = np.empty(0, np.int64)
NO_RECORDS = Records(_NONE, _NONE, _NONE, _NONE)


class Target(NamedTuple):
    """A target and the iteration of its record, both None without one."""

    iteration: int | None = None
    value: int | None = None

    def follow(self, later: "Target") -> "Target":
        """Return the target with the higher iteration, ``later`` if both iterations are equal."""
        if later.iteration is None or (self.iteration is not None and later.iteration < self.iteration):
            return self
        return later


class RecordBlock(NamedTuple):
    """Records in order of (time, id), and the last target of the highest iteration with a target."""

    records: Records
    target: Target = Target()


def concatenate(parts: Iterable[Records]) -> Records:
    """Return the records of all ``parts``, in order."""
    parts = tuple(parts)
    return parts[0] if len(parts) == 1 else Records(*map(np.concatenate, zip(*parts, strict=True)))


def rank_serials(serials: Integers) -> Integers:
    """Return the serials for comparisons, 0 for a missing one."""
    return np.where(serials == NO_SERIAL, 0, serials)


def find_drops(records: Records) -> Booleans:
    """Return for each record but the first whether its serial is lower, or its iteration within the same serial."""
    serials, iterations = rank_serials(records.serials), records.iterations
    same = serials[1:] == serials[:-1]
    drops: Booleans = (serials[1:] < serials[:-1]) | (same & (iterations[1:] < iterations[:-1]))
    return drops


def find_restarts(records: Records) -> Booleans:
    """Return for each record but the first whether an attempt begins with it. The records are in order."""
    serials, iterations = rank_serials(records.serials), records.iterations
    return (serials[1:] > serials[:-1]) | (iterations[1:] < iterations[:-1])


def read_record_blocks(frames: Iterable[pl.DataFrame], source: str | None) -> Iterator[RecordBlock]:
    """Yield the records of one data source that have an iteration and a finite time, block by block.

    ``frames`` are in order of (time, id). They have COLUMNS, ``v:target_iteration`` and ``t:target_iteration`` if they
    have targets, and SOURCE. For frames of a single data source, ``source`` is None, and SOURCE is not needed.
    """
    for frame in frames:
        kept = _select_counted(frame, source)
        if kept.height:
            records = Records(
                kept["id"].to_numpy(),
                kept["created_at"].to_numpy(),
                kept["iteration"].to_numpy().astype(np.int64),
                _fill(kept["serial"], NO_SERIAL),
            )
            yield RecordBlock(records, _find_target(kept))


def _select_counted(frame: pl.DataFrame, source: str | None) -> pl.DataFrame:
    """Return the rows of a source with an iteration and a finite time. If these are all rows, nothing is copied."""
    if source is not None:
        frame = frame.filter(frame[SOURCE] == source)
    times = frame["created_at"]
    if times.null_count() or frame["iteration"].null_count():
        frame = frame.filter(times.is_not_null() & frame["iteration"].is_not_null())
        times = frame["created_at"]
    if frame.height and (times[0] == INFINITIES[0] or times[-1] == INFINITIES[1]):
        frame = frame.filter(~times.is_in(INFINITIES))
    return frame


def _find_target(frame: pl.DataFrame) -> Target:
    """Return the last target of the highest iteration with one; a target is a positive whole number below 2**63."""
    if f"v:{TARGET_ITERATION}" not in frame.columns:
        return Target()
    targets = _whole_targets(frame)
    rows = np.flatnonzero(targets > 0)
    if not len(rows):
        return Target()
    iterations = frame["iteration"].to_numpy()[rows]
    row = rows[len(rows) - 1 - int(np.argmax(iterations[::-1]))]
    return Target(int(frame["iteration"][int(row)]), int(targets[row]))


def _whole_targets(frame: pl.DataFrame) -> Integers:
    """Return the targets as int64, exactly as stored, 0 for one that is not a whole number or too large."""
    if f"t:{TARGET_ITERATION}" in frame.columns:
        text = frame[f"t:{TARGET_ITERATION}"]
        whole = text.set(~text.str.contains(WHOLE_NUMBER), None)
        return _fill(whole.str.replace(r"\..*$", "").cast(pl.Int64, strict=False), 0)
    target = frame[f"v:{TARGET_ITERATION}"]
    if target.dtype.is_integer():
        return _fill(target, 0)
    floats = target.fill_null(0.0).to_numpy()
    fits = (floats == np.floor(floats)) & (floats < LARGEST_FLOAT_TARGET) & (floats > 0)
    return np.where(fits, floats, 0.0).astype(np.int64)


def _fill(numbers: pl.Series, replacement: int) -> Integers:
    """Return ``numbers`` as int64, with ``replacement`` for null."""
    if numbers.null_count():
        numbers = numbers.cast(pl.Int64).fill_null(replacement)
    return numbers.to_numpy().astype(np.int64)


def join_blocks(blocks: Iterable[RecordBlock]) -> RecordBlock:
    """Return consecutive blocks as one."""
    parts: list[Records] = [NO_RECORDS]
    target = Target()
    for block in blocks:
        parts.append(block.records)
        target = target.follow(block.target)
    return RecordBlock(concatenate(parts[1:] or parts), target)


class SourceCount(NamedTuple):
    """The number of records of a data source with an iteration, and of those without."""

    with_iteration: int
    without_iteration: int


def count_by_source(frames: Iterable[pl.DataFrame]) -> dict[str, SourceCount]:
    """Return the numbers of records by data source. Records without a source are not counted."""
    counts: dict[str, SourceCount] = {}
    for frame in frames:
        groups = Groups(["data_source"])
        numbers = groups.number(frame)
        others = np.bincount(numbers[frame["iteration"].is_null().to_numpy()], minlength=groups.count)
        for (source,), total, missing in zip(groups.keys, np.bincount(numbers), others, strict=True):
            if source is not None:
                before = counts.get(source, SourceCount(0, 0))
                counts[source] = SourceCount(
                    before.with_iteration + int(total - missing), before.without_iteration + int(missing)
                )
    return counts


def choose_source(records: Mapping[str | None, int], counts: Iterable[Mapping[str, SourceCount]]) -> str | None:
    """Return the data source with the most records that have an iteration, the first by name of several, or None.

    ``records`` are the numbers of all records. No more ``counts`` are read than needed to know the source.
    """
    most = {source: count for source, count in records.items() if source is not None}
    counted = dict.fromkeys(most, 0)
    for each in counts if counted else ():
        for source, count in each.items():
            counted[source] += count.with_iteration
            most[source] -= count.without_iteration
        best = max(counted, key=lambda source: counted[source])
        if counted[best] > max((count for source, count in most.items() if source != best), default=0):
            return best
    return min(filter(counted.get, counted), key=lambda source: (-counted[source], source), default=None)
