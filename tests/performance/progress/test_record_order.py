"""The rule of restarts: what the clock, corrections and late imports do to a workload's records makes none."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lens_perf.performance.progress.record_blocks import Records
from lens_perf.performance.progress.record_order import order_records
from tests.performance.progress.frames import facts_of, reader, to_frames
from tests.performance.progress.naive_progress import Record, put_in_order

SECOND = 1_000_000


def attempt(first: int, last: int, start: int, *, pace: int = 10, serial: int | None = None) -> list[Record]:
    """Records of iterations ``first`` to ``last``, from second ``start``; ids are given when they are written."""
    return [
        Record(0, (start + pace * (iteration - first)) * SECOND, iteration, serial)
        for iteration in range(first, last + 1)
    ]


def write(*groups: Sequence[Record], first_id: int = 1) -> list[Record]:
    """Give the records ids in the order in which they are written."""
    rows = [each for group in groups for each in group]
    return [replace(each, id=number) for number, each in enumerate(rows, first_id)]


def correct(records: list[Record], chosen: Sequence[int]) -> list[Record]:
    """Write the records at the positions ``chosen`` again, in this order: with new ids and their old times."""
    again = [records[position] for position in chosen]
    kept = [each for each in records if each not in again]
    return kept + write(again, first_id=max(each.id for each in records) + 1)


def restarts(records: list[Record]) -> tuple[int, int]:
    facts = facts_of(records)
    return facts.restarts, facts.iterations_repeated


STEPPED_BACK = write(attempt(1, 100, 0), attempt(101, 200, 500))
ON_ANOTHER_NODE = attempt(1, 100, 0), attempt(51, 150, 610)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        (STEPPED_BACK, (0, 0)),
        (correct(STEPPED_BACK, [9]), (0, 0)),
        (correct(STEPPED_BACK, [70, 110, 111]), (0, 0)),
        (write(attempt(1, 30, 10**6), attempt(31, 60, 0)), (0, 0)),
        (write(attempt(1, 100, 0), attempt(101, 101, 975), attempt(102, 120, 985)), (0, 0)),
        (write(attempt(1, 100, 0), attempt(96, 200, 1100)), (1, 5)),
        (write(*ON_ANOTHER_NODE), (1, 50)),
        (write(attempt(1, 100, 0, serial=0), attempt(51, 150, 510, serial=1)), (1, 50)),
        (write(attempt(1, 100, 0, serial=0), attempt(101, 150, 510, serial=1)), (1, 0)),
        (correct(write(attempt(1, 100, 0)), [99, 4, 50, 3]), (0, 0)),
        (correct(write(attempt(1, 100, 0), attempt(51, 150, 1100)), [99, 4, 120]), (1, 50)),
        (correct(write(attempt(1, 100, 0), attempt(51, 150, 1100)), range(100)), (1, 50)),
        (correct(write(attempt(1, 100, 0), attempt(99, 150, 1100)), [99]), (1, 2)),
        (correct(write(attempt(1, 100, 0), attempt(99, 150, 1100)), [99, 101]), (0, 0)),
        (write(attempt(101, 200, 1000), attempt(1, 100, 0)), (0, 0)),
        (write(attempt(51, 150, 1100), attempt(1, 100, 0)), (1, 50)),
        (write(attempt(1, 100, 0), attempt(140, 200, 3000), attempt(51, 150, 1100)), (2, 61)),
        # Iterations of one second, written together: their order is that of the iterations.
        (write(attempt(4, 6, 0, pace=0), attempt(1, 3, 0, pace=0), attempt(7, 9, 1, pace=0)), (0, 0)),
        (correct(write(attempt(1, 9, 0, pace=0), attempt(10, 19, 1, pace=0)), [3]), (0, 0)),
    ],
    ids=[
        "clock back by 500 s",
        "and an early record written again",
        "and records of the overlap written again",
        "clock back beyond the beginning",
        "clock back by 15 s",
        "restart",
        "restart on a node whose clock is behind",
        "likewise with serials",
        "likewise going on where it was",
        "corrections",
        "corrections and a restart",
        "all of an attempt written again",
        "a correction before a restart",
        "corrections before and after a restart look like a clock set back",
        "late import of the beginning",
        "late import of the first attempt",
        "late import between",
        "one time",
        "one time, and a correction",
    ],
)
def test_by_hand(records: list[Record], expected: tuple[int, int]) -> None:
    assert restarts(records) == expected


def ids_in_time(records: list[Record]) -> list[int]:
    return [each.id for each in sorted(records, key=lambda each: (each.time, each.id))]


def test_the_examples_of_the_documentation() -> None:
    back = write(attempt(1, 9, 0, pace=100), attempt(10, 20, 350, pace=100))
    assert ids_in_time(back)[:10] == [1, 2, 3, 4, 10, 5, 11, 6, 12, 7]
    assert restarts(back) == (0, 0)
    corrected = correct(write(attempt(1, 10, 0), attempt(6, 15, 200)), [2])
    assert ids_in_time(corrected) == [1, 2, 21, *range(4, 21)]
    assert restarts(corrected) == (1, 5)
    late = write(attempt(6, 15, 200), attempt(1, 10, 0))
    assert ids_in_time(late) == [*range(11, 21), *range(1, 11)]
    assert restarts(late) == (1, 5)


@st.composite
def attempts(draw: st.DrawFn, most: int = 4) -> list[list[Record]]:
    """Attempts that follow each other in time, each from an iteration that the one before it reached."""
    found, start, first = [], 0, 1
    for _ in range(draw(st.integers(1, most))):
        length, pace = draw(st.integers(3, 40)), draw(st.integers(1, 20))
        found.append(attempt(first, first + length - 1, start, pace=pace))
        start += pace * length + draw(st.integers(1, 1000))
        first = max(1, first + length - 1 - draw(st.integers(1, 20)))
    return found


@settings(max_examples=80)
@given(
    length=st.integers(10, 100),
    pace=st.integers(1, 30),
    steps=st.lists(st.tuples(st.integers(0, 100), st.integers(-1000, 1000)), max_size=4),
)
def test_no_steps_of_the_clock_are_restarts(length: int, pace: int, steps: list[tuple[int, int]]) -> None:
    moved = [
        replace(each, time=each.time + SECOND * sum(by for position, by in steps if position <= number))
        for number, each in enumerate(attempt(1, length, 0, pace=pace))
    ]
    assert restarts(write(moved)) == (0, 0)


@settings(max_examples=80)
@given(groups=attempts(), data=st.data())
def test_corrections_change_nothing(groups: list[list[Record]], data: st.DataObject) -> None:
    """Except those of the last record before a restart: its new id may also mean that the clock went back."""
    records = write(*groups)
    before_restarts = list(accumulate(map(len, groups[:-1])))
    positions = [position for position in range(len(records)) if position + 1 not in before_restarts]
    chosen = data.draw(st.lists(st.sampled_from(positions), unique=True))
    assert_same(correct(records, chosen), records)


@settings(max_examples=80)
@given(groups=attempts(), data=st.data())
def test_the_order_of_imports_changes_nothing(groups: list[list[Record]], data: st.DataObject) -> None:
    assert_same(write(*data.draw(st.permutations(groups))), write(*groups))


@settings(max_examples=80)
@given(groups=attempts(most=2), behind=st.integers(1, 600))
def test_a_numbered_restart_on_a_node_whose_clock_is_behind_is_one(groups: list[list[Record]], behind: int) -> None:
    assume(len(groups) == 2)
    assume(len(groups) == 2)
    numbered = [[replace(each, serial=serial) for each in group] for serial, group in enumerate(groups)]
    moved = [replace(each, time=each.time - behind * SECOND) for each in numbered[1]]
    assert restarts(write(numbered[0], moved)) == restarts(write(*groups))


@settings(max_examples=80)
@given(
    groups=attempts(most=3),
    step=st.integers(0, 400),
    chosen=st.lists(st.integers(0, 100), max_size=4),
    reach=st.integers(3, 30),
    part=st.integers(1, 20),
)
def test_a_bounded_reach_orders_as_documented(
    groups: list[list[Record]], step: int, chosen: list[int], reach: int, part: int
) -> None:
    """However short the reach and the blocks: the order is that of the plain reading of the rule."""
    written = write(
        *(
            [replace(each, time=each.time - step * SECOND * position) for each in group]
            for position, group in enumerate(groups)
        )
    )
    records = correct(written, [position for position in set(chosen) if position < len(written)])
    blocks = [block.records for block in reader(to_frames(records, part))(0)]
    ordered = [identifier for each in order_records(blocks, reach=reach) for identifier in each.records.ids.tolist()]
    assert ordered == [each.id for each in put_in_order(records, reach)]


def test_few_records_are_held_whatever_the_doubts() -> None:
    """Two clocks an hour apart write in turn for ever: every other record is in doubt."""
    count, held = 2_000, 300
    times = [(number // 2 + (number % 2) * 3_600) * SECOND for number in range(count)]
    records = [Record(count - number, time, count - number) for number, time in enumerate(times)]
    blocks = [block.records for block in reader(to_frames(records, 50))(0)]
    given_out, longest = 0, 0

    def count_held() -> Iterator[Records]:
        nonlocal longest
        for number, block in enumerate(blocks):
            longest = max(longest, 50 * number - given_out)
            yield block

    for part in order_records(count_held(), reach=100, most_held=held):
        given_out += len(part.records.ids)
    assert given_out == count
    assert longest <= held + 100 + 2 * 50


def assert_same(changed: list[Record], records: list[Record]) -> None:
    assert facts_of(changed) == facts_of(records)
    assert len(facts_of(records).attempts) == facts_of(records).restarts + 1
