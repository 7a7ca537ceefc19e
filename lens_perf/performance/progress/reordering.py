"""Orders groups of records in doubt by id if their ids are more plausible than their times."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lens_perf.performance.progress.record_blocks import Integers, Records, concatenate, find_drops, rank_serials

# Corrected records in a window are left out if they are fewer than one in this many.
CORRECTIONS_SHARE = 10


@dataclass
class _Group:
    """Records in doubt from position ``first`` to ``last``.

    ``lowest`` is their lowest id, ``highest`` the highest id of a record directly before one of them.
    """

    first: int
    last: int
    lowest: int
    highest: int


def reorder_doubts(records: Records, settled: int, doubts: list[int], reach: int) -> tuple[Records, int]:
    """Return the records, with groups of ``doubts`` ordered by id if that is better, and the number of final records.

    The first ``settled`` records are final and keep their positions.
    """
    pieces = [records.take(slice(settled))] if settled else []
    done = settled
    for group in _group_doubts(records.ids, doubts, reach):
        for first, last, allow_drops in _find_windows(group, records.ids, done, reach):
            ahead = records.take(slice(max(0, first - 1), first))
            if pieces and first == done:
                ahead = pieces[-1].take(slice(-1, None))
            by_id = _order_by_id(records, ahead, first, last, allow_drops=allow_drops)
            if by_id is not None:
                pieces += [records.take(slice(done, first)), by_id]
                done = last + 1
                break
    if done == settled:
        return records, settled
    return concatenate((*pieces, records.take(slice(done, None)))), sum(len(piece.ids) for piece in pieces)


def _group_doubts(ids: Integers, doubts: list[int], reach: int) -> list[_Group]:
    """Return groups of doubts whose ids overlap and that are at most ``reach`` records apart."""
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
    """Yield the first and last position of a window to be reordered, and whether drops are allowed in the new order.

    It includes the preceding records with ids above ``group.lowest`` and the following ones with ids up to
    ``group.highest``. The second window ignores the last doubt of the group, because a much later correction can make
    the first window too large. Windows that extend beyond ``reach`` are left out.
    """
    ahead = ids[max(done, group.first - reach) : group.first][::-1] < group.lowest
    preceding = int(np.argmax(ahead)) if ahead.any() else len(ahead)
    for highest, allow_drops in ((group.highest, False), (int(ids[group.last - 1]), True)):
        behind = ids[group.last + 1 : group.last + 1 + reach] > highest
        following = int(np.argmax(behind)) if behind.any() else len(behind)
        if preceding < reach and following < reach:
            yield group.first - preceding, group.last + following, allow_drops


def _order_by_id(records: Records, ahead: Records, first: int, last: int, *, allow_drops: bool) -> Records | None:
    """Return the records from ``first`` to ``last`` ordered by id if the rule prefers that, else None."""
    in_time, behind = records.take(slice(first, last + 1)), records.take(slice(last + 1, last + 2))
    by_id = _drop_corrections(in_time, behind)
    by_id = by_id.take(np.argsort(by_id.ids))
    drops, distance = _measure_drops(concatenate((ahead, in_time, behind)))
    drops_by_id, distance_by_id = _measure_drops(concatenate((ahead, by_id, behind)))
    if not drops_by_id:
        return by_id if drops else None
    is_better = allow_drops and 2 * drops_by_id < drops and distance_by_id <= distance and _interleaves(by_id)
    return by_id if is_better else None


def _drop_corrections(records: Records, behind: Records) -> Records:
    """Return the records without later corrections, if these are few: their ids are above that of the next record."""
    if not len(behind.ids):
        return records
    kept = records.ids < behind.ids[0]
    few = np.count_nonzero(~kept) * CORRECTIONS_SHARE < len(kept)
    return records.take(np.flatnonzero(kept)) if few else records


def _measure_drops(records: Records) -> tuple[int, int]:
    """Return the number of drops, and the sum of the iterations by which records drop within a serial."""
    serials = rank_serials(records.serials)
    distance = np.maximum(0, records.iterations[:-1] - records.iterations[1:])
    return int(np.count_nonzero(find_drops(records))), int(distance[serials[1:] == serials[:-1]].sum())


def _interleaves(by_id: Records) -> bool:
    """Return whether the times before and after a step of the clock overlap, for records in order of ids."""
    runs = np.concatenate(([0], np.cumsum(by_id.times[1:] < by_id.times[:-1])))
    in_time = runs[np.lexsort((by_id.ids, by_id.times))]
    return int(np.count_nonzero(np.diff(in_time))) > int(runs[-1])
