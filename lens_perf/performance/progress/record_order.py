"""Orders a workload's records: by time, except where the ids show that the clock went back.

docs/progress.rst has the rule with examples. The number of records in memory is bounded.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from lens_perf.performance.progress.record_blocks import Booleans, Integers, Records, concatenate, rank_serials

# Number of records examined before and after a record in doubt, and the maximum held at once.
REACH = 2**16
MOST_HELD = 2**18
# Corrected records within a group are ignored if they are fewer than one in this many.
SET_ASIDE_SHARE = 10


def find_drops(records: Records) -> Booleans:
    """Return for each record but the first whether its serial is lower, or its iteration in the same serial."""
    serials, iterations = rank_serials(records.serials), records.iterations
    same = serials[1:] == serials[:-1]
    falls: Booleans = (serials[1:] < serials[:-1]) | (same & (iterations[1:] < iterations[:-1]))
    return falls


def find_restarts(records: Records) -> Booleans:
    """Return for each record but the first, in order, whether an attempt begins with it."""
    serials, iterations = rank_serials(records.serials), records.iterations
    return (serials[1:] > serials[:-1]) | (iterations[1:] < iterations[:-1])


def order_records(parts: Iterable[Records], *, reach: int = REACH, most_held: int = MOST_HELD) -> Iterator[Records]:
    """Yield the records of ``parts``, which are in order of (time, id), in the order in which they were trained.

    At most ``most_held`` records are held and reordered at once; beyond that, times decide.
    """
    return _untangle(_sort_equal_times(parts, most_held), reach, most_held)


def _sort_equal_times(parts: Iterable[Records], most_held: int) -> Iterator[Records]:
    """Sort records with the same time by serial, iteration and id."""
    held: Records | None = None
    for part in parts:
        joined = part if held is None else concatenate((held, part))
        # The last time may continue in the next part.
        cut = int(np.searchsorted(joined.times, joined.times[-1]))
        if len(joined.ids) - cut > most_held:
            cut = len(joined.ids)
        if cut:
            yield _sort_within_times(joined.take(slice(cut)))
        held = joined.take(slice(cut, None)) if cut < len(joined.ids) else None
    if held is not None:
        yield _sort_within_times(held)


def _sort_within_times(records: Records) -> Records:
    if not np.any(find_drops(records) & (records.times[1:] == records.times[:-1])):
        return records
    keys = (records.ids, records.iterations, rank_serials(records.serials), records.times)
    return records.take(np.lexsort(keys))


def _untangle(parts: Iterable[Records], reach: int, most_held: int) -> Iterator[Records]:
    """Delay records by ``reach``, so that those around a record in doubt can still be reordered."""
    finder = _DoubtFinder()
    held: list[Records] = []
    doubts: list[int] = []
    count = settled = 0
    for part in parts:
        doubts += [place + count for place in finder.find(part)]
        held.append(part)
        count += len(part.ids)
        if doubts and count - doubts[-1] <= reach and count <= most_held:
            continue
        if doubts:
            ordered, settled = _set_right(concatenate(held), settled, doubts, reach)
            held, doubts = [ordered.take(slice(0, -reach)), ordered.take(slice(-reach, None))], []
            count = len(ordered.ids)
        while held and count - len(held[0].ids) >= reach:
            count -= len(held[0].ids)
            settled = max(0, settled - len(held[0].ids))
            yield held.pop(0)
    if held:
        yield _set_right(concatenate(held), settled, doubts, reach)[0]


class _DoubtFinder:
    """Finds the records in doubt: those written before all records since the last drop, and the drop itself."""

    def __init__(self) -> None:
        self._last: Records | None = None
        # The lowest id since the last drop; lower than all ids before the first drop.
        self._lowest = -(2**63)

    def find(self, part: Records) -> list[int]:
        """Return the positions of the records in doubt in ``part``, which follows the previous parts."""
        joined = part if self._last is None else concatenate((self._last, part))
        falls = np.flatnonzero(find_drops(joined)) + 1
        inverted = np.flatnonzero(joined.ids[1:] < joined.ids[:-1]) + 1
        offset = len(joined.ids) - len(part.ids)
        doubts = [
            place - offset
            for start, end in pairwise((0, *falls.tolist(), len(joined.ids)))
            for place in self._find_in_stretch(joined.ids, inverted, start, end)
        ]
        start = int(falls[-1]) if len(falls) else 0
        lowest = int(joined.ids[start:].min())
        self._lowest = lowest if start else min(self._lowest, lowest)
        self._last = part.take(slice(-1, None))
        return doubts

    def _find_in_stretch(self, ids: Integers, inverted: Integers, start: int, end: int) -> list[int]:
        """Return the positions in doubt from ``start``, a drop, to before ``end``, the next drop."""
        places = inverted[slice(*np.searchsorted(inverted, (start, end)))]
        if not len(places):
            return []
        lowest = np.minimum.accumulate(ids[start:end])
        if start == 0:
            lowest = np.minimum(lowest, self._lowest)
        return [
            place for place in places.tolist() if (place == start) or int(lowest[place - 1 - start]) > int(ids[place])
        ]


@dataclass
class _Group:
    """A group of records in doubt, from position ``first`` to ``last``, and the ids around them."""

    first: int
    last: int
    lowest: int
    highest: int


def _set_right(records: Records, settled: int, doubts: list[int], reach: int) -> tuple[Records, int]:
    """Return the records, with groups of ``doubts`` ordered by id where that fits better, and how many are final.

    The first ``settled`` records are final and keep their positions.
    """
    pieces = [records.take(slice(settled))] if settled else []
    done = settled
    for group in _group_doubts(records.ids, doubts, reach):
        for first, last, may_fall in _find_windows(group, records.ids, done, reach):
            ahead = records.take(slice(max(0, first - 1), first))
            if pieces and first == done:
                ahead = pieces[-1].take(slice(-1, None))
            by_id = _order_by_id(records, ahead, first, last, may_fall=may_fall)
            if by_id is not None:
                pieces += [records.take(slice(done, first)), by_id]
                done = last + 1
                break
    if done == settled:
        return records, settled
    return concatenate((*pieces, records.take(slice(done, None)))), sum(len(piece.ids) for piece in pieces)


def _group_doubts(ids: Integers, doubts: list[int], reach: int) -> list[_Group]:
    """Return the groups of doubts whose ids overlap: a later one was written before a record before an earlier one."""
    groups: list[_Group] = []
    for place in doubts:
        group = _Group(place, place, int(ids[place]), int(ids[place - 1]))
        while groups and group.lowest < groups[-1].highest and group.first - groups[-1].last <= reach:
            before = groups.pop()
            group.first = before.first
            group.lowest, group.highest = min(group.lowest, before.lowest), max(group.highest, before.highest)
        groups.append(group)
    return groups


def _find_windows(group: _Group, ids: Integers, done: int, reach: int) -> Iterator[tuple[int, int, bool]]:
    """Yield the first and last position of a window to be reordered, and whether drops are allowed in that order.

    It begins with the preceding records that were written after one of the group, and ends with the following records
    that were written before its last one. If a much later correction makes this too large, it ends with the records
    written before the last but one. Windows beyond ``reach`` are left unchanged.
    """
    ahead = ids[max(done, group.first - reach) : group.first][::-1] < group.lowest
    preceding = int(np.argmax(ahead)) if ahead.any() else len(ahead)
    for highest, may_fall in ((group.highest, False), (int(ids[group.last - 1]), True)):
        behind = ids[group.last + 1 : group.last + 1 + reach] > highest
        following = int(np.argmax(behind)) if behind.any() else len(behind)
        if preceding < reach and following < reach:
            yield group.first - preceding, group.last + following, may_fall


def _order_by_id(records: Records, ahead: Records, first: int, last: int, *, may_fall: bool) -> Records | None:
    """Return the records from ``first`` to ``last`` by id if the rule prefers that, else None."""
    in_time, behind = records.take(slice(first, last + 1)), records.take(slice(last + 1, last + 2))
    by_id = _set_rewritten_aside(in_time, behind)
    by_id = by_id.take(np.argsort(by_id.ids))
    falls, distance = _measure_drops(concatenate((ahead, in_time, behind)))
    falls_by_id, distance_by_id = _measure_drops(concatenate((ahead, by_id, behind)))
    if not falls_by_id:
        return by_id if falls else None
    is_better = may_fall and 2 * falls_by_id < falls and distance_by_id <= distance and _interleaves(by_id)
    return by_id if is_better else None


def _set_rewritten_aside(records: Records, behind: Records) -> Records:
    """Remove the few records whose ids are higher than that of the record after the window: later corrections."""
    if not len(behind.ids):
        return records
    kept = records.ids < behind.ids[0]
    few = np.count_nonzero(~kept) * SET_ASIDE_SHARE < len(kept)
    return records.take(np.flatnonzero(kept)) if few else records


def _measure_drops(records: Records) -> tuple[int, int]:
    """Return the number of drops, and the total number of iterations by which iterations drop within a serial."""
    serials = rank_serials(records.serials)
    distance = np.maximum(0, records.iterations[:-1] - records.iterations[1:])
    return int(np.count_nonzero(find_drops(records))), int(distance[serials[1:] == serials[:-1]].sum())


def _interleaves(by_id: Records) -> bool:
    """Return whether the times of records written before and after a step of the clock overlap."""
    runs = np.concatenate(([0], np.cumsum(by_id.times[1:] < by_id.times[:-1])))
    in_time = runs[np.lexsort((by_id.ids, by_id.times))]
    return int(np.count_nonzero(np.diff(in_time))) > int(runs[-1])
