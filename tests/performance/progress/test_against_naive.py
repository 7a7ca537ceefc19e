"""The facts equal those of a plain Python reading of docs/progress.rst, whatever the records and their blocks."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.performance.progress.frames import facts_of
from tests.performance.progress.naive_progress import Record, compute

SECOND = 1_000_000
EDGES = [-(2**31), 2**31 - 1]
TIMES = st.one_of(
    st.integers(0, 40).map(lambda second: second * SECOND),
    st.integers(0, 400 * SECOND),
    st.sampled_from([None, -(2**63), 2**63 - 1, -211_813_488_000_000_000, 9_224_318_015_999_999_999 - 2**60]),
)
RECORDS = st.lists(
    st.builds(
        Record,
        id=st.integers(1, 10**6),
        time=TIMES,
        iteration=st.one_of(st.integers(0, 30), st.sampled_from([None, *EDGES])),
        serial=st.one_of(st.just(0), st.sampled_from([None, 1, 2, *EDGES])),
        target=st.sampled_from([None, 0, -1, 50, 40, 1.5, 4 * 10**18, 1e300]),
    ),
    max_size=40,
    unique_by=lambda record: record.id,
)


def assert_equal(records: list[Record], block: int) -> None:
    found, naive = asdict(facts_of(records, block)), compute(records)
    # Spans beyond 285 years have more microseconds than a float64 can hold.
    least = max(1e-6, 1e-12 * naive.numbers.get("seconds_wall", 0))
    # The time lost in each step is rounded to microseconds.
    rounding = {"seconds_lost": len(records) * 0.5e-6}
    for name, expected in naive.numbers.items():
        same = found[name] == expected or found[name] == pytest.approx(
            expected, rel=1e-9, abs=least + rounding.get(name, 0)
        )
        assert same, (name, found[name], expected)
    assert list(found["attempts"]) == naive.attempts


@settings(max_examples=120)
@given(records=RECORDS, block=st.integers(1, 50))
def test_any_records(records: list[Record], block: int) -> None:
    assert_equal(records, block)


@st.composite
def lived_workloads(draw: st.DrawFn) -> list[Record]:
    """A workload with restarts, pauses, clock steps both ways, records written again and some written late."""
    records, clock, iteration, serial = [], 0, 1, 0
    for identifier in range(1, draw(st.integers(5, 120))):
        event = draw(st.integers(0, 60))
        clock += draw(st.sampled_from([1, 10, 10, 10, 10])) * SECOND
        iteration += draw(st.sampled_from([0, 1, 1, 1, 1]))
        if event == 0:
            iteration = max(0, iteration - draw(st.integers(1, 30)))
            serial += draw(st.integers(0, 1))
        elif event in {1, 2}:
            clock += draw(st.integers(-400, 400)) * SECOND
        records.append(Record(identifier, clock, iteration, serial or None, 100))
    for number in range(draw(st.integers(0, 3))):
        old = records.pop(draw(st.integers(0, len(records) - 1)))
        records.append(Record(1000 + number, old.time, old.iteration, old.serial, 100))
    return records


@settings(max_examples=120)
@given(records=lived_workloads(), block=st.integers(1, 130))
def test_lived_workloads(records: list[Record], block: int) -> None:
    assert_equal(records, block)
