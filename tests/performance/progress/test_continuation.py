"""The facts of a workload that grows are those of reading all of its records again."""

from bisect import insort
from collections.abc import Iterator
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from lens_perf.performance.progress import fold, usual_pace
from lens_perf.performance.progress.compute import Prefix, compute_facts
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.record_blocks import RecordBlock
from lens_perf.performance.progress.usual_pace import RankedValues
from tests.performance.progress.frames import reader, to_frames
from tests.performance.progress.naive_progress import Record

SECOND = 1_000_000


class Growth:
    """A workload whose parts change as those of a copy do: late records change a part, others are a part at the end."""

    def __init__(self, reach: int) -> None:
        self.reach = reach
        self.parts: list[list[Record]] = []
        self.known: tuple[list[list[Record]], Prefix] | None = None
        self.parts_read: list[int] = []

    def add(self, records: list[Record], *, merge: bool) -> None:
        end = max((part[-1].time for part in self.parts), default=-1)
        for record in records:
            if record.time < end:
                self._insert(record)
        if later := [record for record in records if record.time >= end]:
            self.parts.append(sorted(later, key=sort_key))
        if merge and len(self.parts) > 1:
            self.parts[-2:] = [sorted(self.parts[-2] + self.parts[-1], key=sort_key)]

    def _insert(self, record: Record) -> None:
        number = next(number for number, part in enumerate(self.parts) if sort_key(part[-1]) > sort_key(record))
        self.parts[number] = [*self.parts[number]]
        insort(self.parts[number], record, key=sort_key)

    def _read(self, start: int) -> Iterator[RecordBlock]:
        self.parts_read.append(start)
        return reader([to_frames(part)[0] for part in self.parts])(start)

    def compute(self) -> ProgressFacts:
        """Compute the facts from what is known of parts that are still there."""
        known = self.known
        is_there = known and all(one is other for one, other in zip(known[0], self.parts, strict=False))
        facts, prefix = compute_facts(self._read, prefix=known[1] if known and is_there else None, reach=self.reach)
        self.known = None if prefix is None else (self.parts[: prefix.order.parts], prefix)
        return facts

    def compute_all(self) -> ProgressFacts:
        return compute_facts(self._read, reach=self.reach)[0]


def sort_key(record: Record) -> tuple[int, int]:
    return record.time or 0, record.id


@st.composite
def batches(draw: st.DrawFn) -> list[list[Record]]:
    """Batches of records: restarts, pauses, changes of pace, clock steps and records written late."""
    found, clock, iteration, serial, identifier = [], 0, 1, 0, 0
    for _ in range(draw(st.integers(1, 12))):
        pace = draw(st.sampled_from([1, 2, 10, 10, 40, 300]))
        records = []
        for _ in range(draw(st.integers(1, 30))):
            identifier += 1
            happening = draw(st.integers(0, 60))
            clock += pace * SECOND + draw(st.integers(-3, 3)) * SECOND // 10
            iteration += draw(st.sampled_from([0, 1, 1, 1, 1, 70_000]))
            if happening == 0:
                iteration = max(0, iteration - draw(st.integers(1, 30)))
                serial += draw(st.integers(0, 1))
            elif happening == 1:
                clock += draw(st.integers(-400, 400)) * SECOND
            late = draw(st.integers(1, 200)) if happening == 2 else 0
            records.append(Record(identifier, max(0, clock - late * SECOND), iteration, serial or None, 100))
        found.append(records)
    return found


@settings(max_examples=80)
@given(
    batches=batches(),
    reach=st.integers(2, 20),
    spread=st.integers(0, 8),
    most=st.sampled_from([4, 40, 10_000]),
    merges=st.lists(st.booleans(), max_size=12),
)
def test_any_growth(batches: list[list[Record]], reach: int, spread: int, most: int, merges: list[bool]) -> None:
    growth = Growth(reach)
    with (
        patch.object(usual_pace, "SPREAD", spread),
        patch.object(usual_pace, "MOST_HELD", most),
        patch.object(usual_pace, "SAMPLE", 4),
        patch.object(fold, "MOST_OPEN", 5),
    ):
        for number, batch in enumerate(batches):
            growth.add(batch, merge=number < len(merges) and merges[number])
            growth.parts_read.clear()
            found = growth.compute()
            event(f"parts not read again: {growth.parts_read[-1] > 0}")
            with patch.object(usual_pace, "MOST_HELD", 10_000):
                assert found == growth.compute_all()


def steady(first: int, last: int, pace: int = 10) -> list[Record]:
    return [Record(number, number * pace * SECOND, number, None, 10_000) for number in range(first, last)]


@pytest.fixture
def grown() -> Growth:
    """A workload of 40 parts of 50 records, of which the first are known."""
    growth = Growth(reach=100)
    for start in range(0, 2000, 50):
        growth.add(steady(start, start + 50), merge=False)
    growth.compute()
    growth.parts_read.clear()
    return growth


def test_only_the_latest_parts_are_read_again(grown: Growth) -> None:
    grown.add(steady(2000, 2001), merge=False)
    facts = grown.compute()
    assert grown.parts_read == [38]
    assert facts == grown.compute_all()
    assert (facts.records, facts.current_iteration) == (2001, 2000)


def test_a_record_in_doubt_near_the_known_ones_is_reason_to_read_everything(grown: Growth) -> None:
    # Iterations 1860 and later were written with new ids, out of order.
    known = len(grown.known[0]) * 50
    late = [Record(5_000 - number, (known + number) * 10 * SECOND + 1, 20 - number, None) for number in range(10)]
    grown.add(late, merge=False)
    facts = grown.compute()
    assert grown.parts_read == [38, 0]
    assert facts == grown.compute_all()


@pytest.mark.parametrize(("pace", "is_known"), [(9, True), (1, False), (100, True)])
def test_a_new_usual_pace(grown: Growth, pace: int, is_known: bool) -> None:
    """The known records are read again only if the usual pace is so low that other steps would be pauses."""
    start = 2000 * 10 * SECOND
    records = [Record(2000 + number, start + number * pace * SECOND, 2000 + number) for number in range(2500)]
    with patch.object(usual_pace, "SPREAD", 10_000):
        grown.known = None
        grown.compute()
        grown.parts_read.clear()
        grown.add(records, merge=False)
        facts = grown.compute()
    assert grown.parts_read[:2] == ([38] if is_known else [38, 0])
    assert facts == grown.compute_all()


def test_a_median_beyond_the_values_kept_is_reason_to_read_everything(grown: Growth) -> None:
    start = 2000 * 10 * SECOND
    with patch.object(usual_pace, "SPREAD", 10):
        grown.known = None
        grown.compute()
        grown.parts_read.clear()
        grown.add([Record(2000 + each, start + each * 12 * SECOND, 2000 + each) for each in range(2500)], merge=False)
        facts = grown.compute()
    assert grown.parts_read == [38, 0]
    assert facts == grown.compute_all()


@pytest.mark.parametrize(("pace", "reads"), [(10, [0]), (40, [0, 0])])
def test_a_long_workload_is_not_held_as_a_whole(pace: int, reads: list[int]) -> None:
    """Unless its later intervals move the median out of the range of those that are held."""
    growth = Growth(reach=100)
    growth.add(steady(0, 200), merge=False)
    start = 200 * 10 * SECOND
    for first in range(0, 1000, 50):
        later = [Record(200 + each, start + each * pace * SECOND, 200 + each) for each in range(first, first + 50)]
        growth.add(later, merge=False)
    with patch.object(usual_pace, "MOST_HELD", 100):
        facts = growth.compute()
        assert growth.known is not None
        assert growth.known[1].fold.intervals.paces.kept <= 100 or len(reads) > 1
    assert growth.parts_read == reads
    assert facts == growth.compute_all()


def test_steps_of_a_slow_workload_are_not_all_kept() -> None:
    growth = Growth(reach=100)
    with patch.object(fold, "MOST_OPEN", 60):
        for start in range(0, 2000, 50):
            growth.add(steady(start, start + 50, pace=30), merge=False)
        facts = growth.compute()
        assert growth.known is not None
        assert len(growth.known[1].fold.open.positions) == 0
    assert facts == growth.compute_all()


def test_a_workload_that_becomes_much_faster_has_the_pauses_of_its_final_pace() -> None:
    """The first steps are found to be no pauses; at the pace of all others they are."""
    growth = Growth(reach=100)
    slow = steady(0, 200, pace=60)
    fast = [Record(200 + each, slow[-1].time + (1 + each) * SECOND, 200 + each) for each in range(600)]
    growth.add(slow, merge=False)
    growth.add(fast, merge=False)
    with patch.object(fold, "MOST_OPEN", 60):
        facts = growth.compute()
    assert growth.parts_read == [0, 0]
    assert facts == growth.compute_all()
    assert facts.seconds_paused == 199 * 59


@given(
    st.lists(st.lists(st.integers(-50, 50).map(float), min_size=1, max_size=200), min_size=1, max_size=5),
    st.lists(st.integers(-60, 60).map(float), max_size=100),
    st.integers(0, 50),
    st.data(),
)
def test_ranked_values(blocks: list[list[float]], later: list[float], spread: int, data: st.DataObject) -> None:
    values = RankedValues()
    for block in blocks:
        values = values.add(np.array(block))
    rank = data.draw(st.integers(0, values.count - 1))
    with patch.object(usual_pace, "SPREAD", spread), patch.object(usual_pace, "SAMPLE", 4):
        narrowed = values.narrow(rank)
        grown = narrowed.add(np.array(later))
        expected = sorted([*(value for block in blocks for value in block), *later])
        assert narrowed.kept <= 2 * spread + 1
        assert grown.count == len(expected)
        for each in range(grown.count):
            found = grown.find(each, each)
            assert (found is None) == (not grown.below <= each < grown.below + grown.kept)
            assert found is None or found.tolist() == [expected[each]]
