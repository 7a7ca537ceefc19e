"""Orders the records of a workload: by time, except where the ids show that the clock went back.

docs/progress.rst has the rule with examples. The number of records in memory is limited.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from lens_perf.performance.progress.record_blocks import Integers, Records, concatenate, find_drops, rank_serials
from lens_perf.performance.progress.reordering import reorder_doubts

# The number of records examined before and after a record in doubt, and the maximum number held at once.
REACH = 2**16
MOST_HELD = 2**18
# Lower than any id.
LOWEST = -(2**63)


class CannotContinueError(Exception):
    """The state after the first records does not suffice to continue with the others."""


class Resume(NamedTuple):
    """A state from which ordering can continue, unless one of the next ``reach`` records is in doubt.

    ``parts`` parts were read. Their records with the latest time, ``held``, have not been ordered yet. ``last`` is the
    record before these, ``lowest`` the lowest id since the last drop.
    """

    parts: int = 0
    held: Records | None = None
    last: Records | None = None
    lowest: int = LOWEST


BEGINNING = Resume()


class Ordered(NamedTuple):
    """Records in order, and the state to continue from after them, None if that is not possible."""

    records: Records
    resume: Resume | None


def order_records(
    parts: Iterable[Records], resume: Resume = BEGINNING, *, reach: int = REACH, most_held: int = MOST_HELD
) -> Iterator[Ordered]:
    """Yield the records of ``parts``, which are in order of (time, id), in the order in which they were trained.

    At most ``most_held`` records are held and reordered at once; a larger group keeps the order of its times. With
    ``resume``, ``parts`` are those after the first ``resume.parts``. Raises CannotContinueError.
    """
    return _untangle(_sort_equal_times(parts, resume, most_held), resume, reach, most_held)


def _sort_equal_times(parts: Iterable[Records], resume: Resume, most_held: int) -> Iterator[tuple[Records, Resume]]:
    """Yield the records, with those of the same time sorted by serial, iteration and id, and the state after them."""
    held = resume.held
    number = resume.parts
    for number, part in enumerate(parts, resume.parts + 1):
        joined = part if held is None else concatenate((held, part))
        if not len(joined.ids):
            continue
        # The last time may continue in the next part.
        cut = int(np.searchsorted(joined.times, joined.times[-1]))
        if len(joined.ids) - cut > most_held:
            cut = len(joined.ids)
        held = joined.take(np.arange(cut, len(joined.ids))) if cut < len(joined.ids) else None
        if cut:
            yield _sort_within_times(joined.take(slice(cut))), Resume(number, held)
    if held is not None:
        yield _sort_within_times(held), Resume(number)


def _sort_within_times(records: Records) -> Records:
    if not np.any(find_drops(records) & (records.times[1:] == records.times[:-1])):
        return records
    keys = (records.ids, records.iterations, rank_serials(records.serials), records.times)
    return records.take(np.lexsort(keys))


def _untangle(parts: Iterable[tuple[Records, Resume]], resume: Resume, reach: int, most_held: int) -> Iterator[Ordered]:
    """Delay records by ``reach`` records, so that those around a record in doubt can still be reordered."""
    finder = _DoubtFinder(resume)
    held: list[Ordered] = []
    doubts: list[int] = []
    count = settled = 0
    # Records before ``resume`` can no longer be reordered.
    too_early = reach if resume.parts else -1
    for part, read in parts:
        doubts += [position + count for position in finder.find(part)]
        if doubts and doubts[0] <= too_early:
            raise CannotContinueError
        held.append(Ordered(part, read._replace(last=finder.last, lowest=finder.lowest)))
        count += len(part.ids)
        if doubts and count - doubts[-1] <= reach and count <= most_held:
            continue
        if doubts:
            ordered, settled = reorder_doubts(concatenate(each.records for each in held), settled, doubts, reach)
            doubts, count = [], len(ordered.ids)
            held = [Ordered(ordered.take(rows), None) for rows in (slice(0, -reach), slice(-reach, None))]
        while held and count - len(held[0].records.ids) >= reach:
            size = len(held[0].records.ids)
            count -= size
            too_early = max(-1, too_early - size)
            settled = max(0, settled - size)
            yield held.pop(0)
    if held:
        yield Ordered(reorder_doubts(concatenate(each.records for each in held), settled, doubts, reach)[0], None)


class _DoubtFinder:
    """Finds records in doubt: those written before all records since the last drop, including the drop."""

    def __init__(self, resume: Resume) -> None:
        self.last = resume.last
        # The lowest id since the last drop; lower than all ids before the first drop.
        self.lowest = resume.lowest

    def find(self, part: Records) -> list[int]:
        """Return the positions in ``part`` of the records in doubt. ``part`` follows the previous parts."""
        joined = part if self.last is None else concatenate((self.last, part))
        drops = np.flatnonzero(find_drops(joined)) + 1
        inverted = np.flatnonzero(joined.ids[1:] < joined.ids[:-1]) + 1
        offset = len(joined.ids) - len(part.ids)
        doubts = [
            position - offset
            for start, end in pairwise((0, *drops.tolist(), len(joined.ids)))
            for position in self._find_in_stretch(joined.ids, inverted, start, end)
        ]
        start = int(drops[-1]) if len(drops) else 0
        lowest = int(joined.ids[start:].min())
        self.lowest = lowest if start else min(self.lowest, lowest)
        self.last = part.take(np.array([-1]))  # a copy: a view would keep the part
        return doubts

    def _find_in_stretch(self, ids: Integers, inverted: Integers, start: int, end: int) -> list[int]:
        """Return the positions of records in doubt from ``start``, a drop, to before ``end``, the next drop."""
        positions = inverted[slice(*np.searchsorted(inverted, (start, end)))]
        if not len(positions):
            return []
        lowest = np.minimum.accumulate(ids[start:end])
        if start == 0:
            lowest = np.minimum(lowest, self.lowest)
        return [
            position
            for position in positions.tolist()
            if (position == start) or int(lowest[position - 1 - start]) > int(ids[position])
        ]
