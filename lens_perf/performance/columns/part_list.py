"""Removes records from the parts of a copy and inserts others in order, rewriting as few parts as possible."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from lens_perf.performance.columns.field_columns import join, list_fields
from lens_perf.performance.columns.manifest import Part, SortKey
from lens_perf.performance.columns.part_files import PartFile
from lens_perf.performance.columns.part_statistics import (
    Statistics,
    compute_statistics,
    merge_complete,
    read_statistics,
)
from lens_perf.performance.columns.part_writer import (
    MOST_CELLS,
    drop_empty_columns,
    fits_part,
    get_bounds,
    get_sort_key,
    split,
    write_part,
)
from lens_perf.performance.columns.rest import merge_rest
from lens_perf.performance.columns.stores import Store
from lens_perf.performance.freshness.pairs import Pairs, Range

Ids = npt.NDArray[np.int64]
# A new part is merged with the previous part unless that has more than TIER times its records. So there are few parts,
# and a record is rewritten only O(log n) times while n records are appended.
TIER = 2


class PartList:
    """The parts, in order of their records.

    ``appended`` are the statistics of records added at the end, None after any other change. ``written`` are the names
    of the parts written and not replaced since, and ``rewritten`` is the number of those replaced. ``check`` is called
    regularly. Methods raise its exceptions, DamagedPartError if they read parts, and OSError and ResultTooLargeError if
    they write some.
    """

    def __init__(self, store: Store, parts: Sequence[Part], check: Callable[[], None]) -> None:
        self._store = store
        self._check = check
        self.parts = list(parts)
        self.appended: list[Statistics] | None = []
        self.written: set[str] = set()
        self.rewritten = 0

    def find(self, ids: Ids) -> Iterator[tuple[Part, Ids]]:
        """Yield each part with any of the sorted ``ids``, and those that it has."""
        for part in list(self.parts):
            start, end = np.searchsorted(ids, [part.least_id, part.greatest_id + 1])
            if start < end:
                self._check()
                own = self.open(part).read(["id"])["id"].to_numpy()
                found = own[np.isin(own, ids[start:end])]
                if len(found):
                    yield part, found

    def list_missing(self, ids: Ids) -> Ids:
        """Return the sorted ids of the records that are not among the sorted ``ids``."""
        missing = [np.empty(0, dtype=np.int64)]
        for part in self.parts:
            self._check()
            own = self.open(part).read(["id"])["id"].to_numpy()
            positions = np.minimum(np.searchsorted(ids, own), max(0, len(ids) - 1))
            missing.append(own[ids[positions] != own] if len(ids) else own)
        return np.sort(np.concatenate(missing))

    def list_of_pairs(self, pairs: Pairs) -> Ids:
        """Return the sorted ids of the records whose (data source, iteration) is one of ``pairs``."""
        bounds = [bound for ranges in pairs.ranges.values() for bound in (ranges[0][0], ranges[-1][1])]
        found = [np.empty(0, dtype=np.int64)]
        for part in self.parts if bounds else ():
            if part.iterations is None or part.iterations[1] < min(bounds) or part.iterations[0] > max(bounds):
                continue
            self._check()
            rows = self.open(part).read(["id", "data_source", "iteration"])
            in_pairs = pl.any_horizontal(_is_in_ranges(source, each) for source, each in pairs.ranges.items())
            found.append(rows.filter(in_pairs)["id"].to_numpy())
        return np.sort(np.concatenate(found))

    def open(self, part: Part) -> PartFile:
        """Open a part. Raises DamagedPartError."""
        return self._store.open_part(part)

    def remove(self, ids: Ids) -> bool:
        """Remove the records with the sorted ``ids``; return whether there were any."""
        has_any = False
        for part, found in self.find(ids):
            has_any = True
            frame = self.open(part).read()
            kept = drop_empty_columns(frame.filter(~np.isin(frame["id"].to_numpy(), found)))
            self._replace(part, split(kept) if len(kept) else ())
        return has_any

    def insert(self, frame: pl.DataFrame, *, merge_before: bool = True) -> None:
        """Insert the records of ``frame``, which are in order and whose ids are not in any part.

        New parts are merged with small ones before them, but not without ``merge_before``: a build inserts large
        frames. If only some of the records have a time, they are merged all the same.
        """
        if frame["created_at"].null_count() in {0, len(frame)}:
            self._insert(frame, merge_before=merge_before)
            return
        timed = frame["created_at"].is_not_null()
        for mask in (timed, ~timed):
            self._insert(drop_empty_columns(frame.filter(mask)))

    def _insert(self, frame: pl.DataFrame, *, merge_before: bool = True) -> None:
        """Insert records of which all or none have a time."""
        is_untimed = get_sort_key(frame, 0)[0]
        for part in [part for part in self.parts if part.last[0] == is_untimed]:
            if not len(frame) or part.last < get_sort_key(frame, 0):
                continue
            earlier, frame = cut(frame, part.last)
            if not len(earlier):
                continue
            is_apart = get_bounds(earlier)[1] < part.first
            if is_apart and not fits_part(part.records + len(earlier), part.fields, 0):
                self._insert_at(self.parts.index(part), earlier, merge_before=merge_before)
            else:
                self._check()
                self._replace(part, merge(self.open(part).read(), earlier))
        if len(frame):
            end = len(self.parts) if is_untimed else sum(not part.last[0] for part in self.parts)
            self._insert_at(end, frame, merge_before=merge_before)

    def _replace(self, part: Part, frames: Iterable[pl.DataFrame]) -> None:
        self.appended = None
        index = self.parts.index(part)
        self._put(index, index + 1, frames)

    def _insert_at(self, index: int, frame: pl.DataFrame, *, merge_before: bool) -> None:
        """Insert records that are between the parts ``index`` - 1 and ``index``."""
        if index < len(self.parts):
            self.appended = None
        start = self._find_mergeable(index, frame) if merge_before else index
        before = [self.open(part) for part in self.parts[start:index]]
        frames = list(split(join([*(file.read() for file in before), frame])))
        added = [compute_statistics(merge_rest(frame), self._check)] if before else []
        known = merge_complete([*map(read_statistics, before), *added]) if before and len(frames) == 1 else None
        written = self._put(start, index, frames, known)
        if self.appended is not None:
            self.appended += added or written

    def _find_mergeable(self, index: int, frame: pl.DataFrame) -> int:
        """Return the index of the first part before ``index`` that should be merged with the records of ``frame``."""
        is_untimed = get_sort_key(frame, 0)[0]
        records, fields = len(frame), len(list_fields(frame.columns))
        while index:
            part = self.parts[index - 1]
            if part.last[0] != is_untimed or not is_mergeable(part, records, fields):
                break
            index -= 1
            records += part.records
            fields = max(fields, part.fields)
        return index

    def _put(
        self, start: int, end: int, frames: Iterable[pl.DataFrame], known: Statistics | None = None
    ) -> list[Statistics]:
        """Replace the parts from ``start`` to before ``end`` by parts with the records of ``frames``.

        ``known`` are the statistics of a single frame, if they are known.
        """
        written = [self._write(frame, known) for frame in frames]
        replaced = self.written & {part.name for part in self.parts[start:end]}
        self.parts[start:end] = [part for part, _ in written]
        self._store.discard(replaced)
        self.written -= replaced
        self.rewritten += len(replaced)
        return [statistics for _, statistics in written]

    def _write(self, frame: pl.DataFrame, known: Statistics | None) -> tuple[Part, Statistics]:
        self._check()
        written = write_part(self._store, frame, self._check, known)
        self.written.add(written[0].name)
        return written


def _is_in_ranges(source: str | None, ranges: Sequence[Range]) -> pl.Expr:
    is_source = pl.col("data_source").eq_missing(pl.lit(source, pl.String))
    return is_source & pl.any_horizontal(pl.col("iteration").is_between(first, last) for first, last in ranges)


def is_mergeable(part: Part, records: int, fields: int) -> bool:
    """Return whether ``part`` should be merged with ``records`` records after it, which have ``fields`` fields."""
    together = part.records + records
    return (
        part.records <= TIER * records
        and fits_part(together, max(part.fields, fields), 0)
        and together * (part.fields + fields) <= 2 * MOST_CELLS
    )


def cut(frame: pl.DataFrame, last: SortKey) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the records up to the sort key ``last``, and those after it; as in ``last``, all or none have a time."""
    is_untimed, created_us, id_ = last
    created, ids = pl.col("created_at"), pl.col("id")
    is_earlier = ids <= id_ if is_untimed else (created < created_us) | ((created == created_us) & (ids <= id_))
    count = frame.select(is_earlier.sum()).item()
    if count in {0, len(frame)}:
        return frame.slice(0, count), frame.slice(count)
    return drop_empty_columns(frame.slice(0, count)), drop_empty_columns(frame.slice(count))


def merge(one: pl.DataFrame, other: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the records of both frames in order, in frames that are small enough for a part."""
    if not len(one) or not len(other):
        yield from split(one if len(one) else other)
        return
    fields = len({*list_fields(one.columns), *list_fields(other.columns)})
    records = len(one) + len(other)
    if records * fields <= 2 * MOST_CELLS or records == 2:  # noqa: PLR2004 - one each
        yield from split(join([one, other]).sort("created_at", "id"))
        return
    larger = max(one, other, key=len)
    middle = get_sort_key(larger, len(larger) // 2 - 1)
    for halves in zip(cut(one, middle), cut(other, middle), strict=True):
        yield from merge(*halves)
