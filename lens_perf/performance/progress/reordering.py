"""Orders groups of records in doubt by id where that fits better than their times."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lens_perf.performance.progress.record_blocks import Integers, Records, concatenate, find_drops, rank_serials

# Corrected records within a group are ignored if they are fewer than one in this many.
SET_ASIDE_SHARE = 10


@dataclass
class _Group:
    """A group of records in doubt, from position ``first`` to ``last``, and the ids around them."""

    first: int
    last: int
    lowest: int
    highest: int


def set_right(records: Records, settled: int, doubts: list[int], reach: int) -> tuple[Records, int]:
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
    for position in doubts:
        group = _Group(position, position, int(ids[position]), int(ids[position - 1]))
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
