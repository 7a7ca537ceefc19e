"""Answers from the samples of parts have the same bytes as answers from all records."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_perf.performance.columns import part_files, part_writer, sample_builder
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.columns.workload_copy import CopyPart, WorkloadCopy
from lens_perf.performance.points.query import PointQuery, Sampling
from lens_perf.performance.sampling import copy_sampling
from lens_perf.performance.selection import Selection
from lens_perf.settings import ColumnSettings
from tests.performance.columns.fake_source import FakeSource
from tests.performance.columns.fake_source import Record as Row
from tests.performance.columns.test_copies import make_entries
from tests.performance.points.copies import TO_2000, MemoryCopy, Record
from tests.performance.points.test_answers import read_answer

NUMBERS = [*map(str, range(-9, 10)), "0.50", "0.25", "9007199254740993", "1" + "0" * 30]
VALUES = st.sampled_from(NUMBERS) | st.sampled_from(['"NaN"', '"Infinity"', "null", '"text"', "1" + "0" * 400])
FIELDS = st.fixed_dictionaries({}, optional={"loss": VALUES, "lr": VALUES, "rare": VALUES})


@st.composite
def workloads(draw: st.DrawFn) -> list[Record]:
    """Records as training writes them, some after a restart, a few without a value on an axis."""
    restart = draw(st.integers(0, 90))
    numbers = st.sampled_from(NUMBERS[:5])
    fields = st.one_of(FIELDS, st.builds(lambda loss: {"loss": loss}, numbers))
    has_gaps = draw(st.booleans())
    records = []
    for number, values in enumerate(draw(st.lists(fields, min_size=20, max_size=90))):
        serial = int(number >= restart)
        is_gap = has_gaps and number % 31 == 7
        iteration = None if is_gap else number - (restart // 2 if serial else 0)
        created_us = None if is_gap and number % 2 else number * 1_000_000 + draw(st.integers(0, 2_500_000))
        source = "wandb" if number % 4 == 3 else "log"
        records.append(Record(number, created_us, iteration, serial, source, values))
    return records


RANGES = st.none() | st.tuples(st.integers(0, 40), st.integers(20, 100))
TIME_RANGES = RANGES.map(lambda limits: limits and (limits[0] * 1000 + TO_2000, limits[1] * 1000 + TO_2000))
QUERIES = st.builds(
    PointQuery,
    st.none(),
    st.builds(
        Selection,
        st.just("w"),
        st.sampled_from([None, None, "log"]),
        iteration_range=st.none() | RANGES,
        time_range=st.none() | TIME_RANGES,
    ),
    metrics=st.sampled_from([None, ("loss", "lr"), ("rare",), ("lr", "no such")]),
    non_finite=st.booleans(),
    serials=st.sampled_from([(), (), (), (0,), (1, 2)]),
    by_serial=st.booleans(),
    sampling=st.builds(
        Sampling, st.sampled_from([1, 2, 3, 4, 5, 8, 9, 12, 20, 64]), st.sampled_from(["iteration", "time"])
    ),
)


@contextmanager
def store(records: Sequence[Record]) -> Iterator[WorkloadCopy]:
    source = FakeSource()
    source.change(
        [Row(each.id, each.created_us, each.iteration, each.serial, each.source, each.values) for each in records]
    )
    key = CopyKey("alpha", "w", "a database")
    with Columns(ColumnSettings(enabled=False)).open(key, source, time.monotonic() + 30) as copy:
        yield copy


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make parts and samples of a few records."""
    monkeypatch.setattr(part_writer, "MOST_RECORDS", 24)
    monkeypatch.setattr(sample_builder, "BUCKETS", (1, 2, 4))
    monkeypatch.setattr(sample_builder, "RECORDS_PER_BUCKET", 1)
    monkeypatch.setattr(sample_builder, "LEAST_REDUCTION", 0)
    monkeypatch.setattr(part_files, "SAMPLE_POINTS", 1)


@pytest.mark.usefixtures("tiny")
@given(records=workloads(), query=QUERIES, has_entries=st.booleans(), most_joined=st.sampled_from([1, 30, 100, 2**16]))
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_samples_change_no_byte(records: list[Record], query: PointQuery, has_entries: bool, most_joined: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copy_sampling, "MOST_JOINED", most_joined)
        if has_entries:
            make_entries(patch)
        with store(records) as copy:
            found = read_answer(copy, query)
    assert found == read_answer(MemoryCopy(records, 100), query)


def build_workload(count: int = 8_000) -> list[Record]:
    """A metric of all records, one that begins late, and one of few records; a second attempt of 90 records."""
    return [
        Record(
            number,
            number * 1_000_000,
            number,
            int(number >= count - 90),
            "log",
            {"loss": f"{number * 7919 % 10007 / 100:.2f}"}
            | ({"late": str(number % 13)} if number >= count - 400 else {})
            | ({"rare": str(number)} if number % 100 == 0 else {}),
        )
        for number in range(count)
    ]


@pytest.fixture(scope="module")
def workload() -> Iterator[tuple[WorkloadCopy, MemoryCopy]]:
    records = build_workload()
    with store(records) as copy:
        yield copy, MemoryCopy(records, 1_000)


def refuse(*_arguments: Any) -> pl.DataFrame:
    raise AssertionError("the records were read")


def sampled(metrics: tuple[str, ...], max_points: int, axis: Any = "iteration") -> PointQuery:
    return PointQuery(None, Selection("w"), metrics=metrics, sampling=Sampling(max_points, axis))


@pytest.mark.parametrize("axis", ["iteration", "time"])
@pytest.mark.parametrize("metrics", [("loss",), ("loss", "rare")])
def test_samples_replace_the_records(
    workload: tuple[WorkloadCopy, MemoryCopy], monkeypatch: pytest.MonkeyPatch, axis: Any, metrics: tuple[str, ...]
) -> None:
    copy, memory = workload
    query = sampled(metrics, 60, axis)
    monkeypatch.setattr(CopyPart, "read", refuse)
    assert read_answer(copy, query) == read_answer(memory, query)


@pytest.mark.parametrize(
    "query",
    [
        sampled(("late",), 40),  # Narrower buckets than the bounds of the parts suggest.
        sampled(("rare",), 79),  # One point fewer than there are.
        sampled(("rare",), 80),
        sampled(("loss",), 4_000),  # Narrower buckets than any sample has.
        replace(sampled(("loss",), 40), selection=Selection("w", iteration_range=(500, 700))),
        replace(sampled(("loss",), 95), by_serial=True),  # The second attempt is whole.
    ],
    ids=["late", "cut", "whole", "fine", "zoomed", "split"],
)
def test_samples_that_cannot_replace_the_records(workload: tuple[WorkloadCopy, MemoryCopy], query: PointQuery) -> None:
    copy, memory = workload
    assert read_answer(copy, query) == read_answer(memory, query)


def test_parts_outside_the_range_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_writer, "MOST_RECORDS", 1_000)
    records = build_workload(4_000)
    read: list[int] = []
    original = CopyPart.read

    def note(part: CopyPart, *arguments: Any) -> pl.DataFrame:
        assert part.iterations is not None
        read.append(part.iterations[0])
        return original(part, *arguments)

    with store(records) as copy:
        monkeypatch.setattr(CopyPart, "read", note)
        query = replace(sampled(("loss",), 100), selection=Selection("w", iteration_range=(1_500, 1_700)))
        assert read_answer(copy, query) == read_answer(MemoryCopy(records), query)
    assert read == [1_000]
