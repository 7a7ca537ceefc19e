"""Assembling observations into records: merging, restarts, repetitions, constant memory."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest import assembly
from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation, Record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
Item = Observation | Mark


def see(series: str | None, iteration: int | None, created_at: datetime | None = None, **metrics: float) -> Observation:
    return Observation(series, iteration, created_at, metrics)


def put_together(
    *items: Item, repetition: Repetition = Repetition.RESTART, first_serial: int = 0
) -> tuple[list[tuple[int, int | None, int, dict[str, object]]], ReadSummary]:
    summary = ReadSummary()
    records = assemble(items, summary, repetition=repetition, first_serial=first_serial)
    return [(*each.key, dict(each.performance)) for each in records if each is not None], summary


def test_observations_of_an_iteration_become_one_record() -> None:
    records, summary = put_together(see("a", 1, x=1), see("b", 1, NOON, y=2), see("a", 2, x=3), see(None, 1, x=1, z=4))
    assert records == [(0, 1, 0, {"x": 1, "y": 2, "z": 4}), (0, 2, 0, {"x": 3})]
    assert (summary.records, summary.first_iteration, summary.last_iteration, summary.without_time) == (2, 1, 2, 1)
    assert summary.metrics == {"x": 2, "y": 1, "z": 1}


def test_another_value_without_a_restart_is_another_record() -> None:
    records, summary = put_together(
        see("a", 1, x=1), see(None, 1, x=9, z=4), see(None, 1, x=8), see(None, 1, y=2), see("a", 2, x=3)
    )
    assert records == [
        (0, 1, 0, {"x": 1}),
        (0, 1, 1, {"x": 9, "z": 4}),
        (0, 1, 2, {"x": 8, "y": 2}),
        (0, 2, 0, {"x": 3}),
    ]
    assert summary.restarts == 0


def test_a_decreasing_series_is_a_restart_of_all() -> None:
    records, summary = put_together(
        see("a", 5, x=1), see("b", 5, y=1), see("a", 3, x=2), see("b", 3, y=2), see("b", 4, y=3), first_serial=7
    )
    assert [record[:2] for record in records] == [(7, 5), (8, 3), (8, 4)]
    assert summary.restarts == 1


def test_another_series_that_lags_behind_is_not_a_restart() -> None:
    records, summary = put_together(see("a", 5, x=1), see("a", 6, x=1), see("b", 5, y=1))
    assert records == [(0, 5, 0, {"x": 1, "y": 1}), (0, 6, 0, {"x": 1})]
    assert summary.restarts == 0


def test_a_repeated_iteration_is_a_restart_or_another_record() -> None:
    items = [see("a", 1, x=1), see("a", 1, x=2), see("a", 1, x=2), see("a", 2, x=3)]
    records, summary = put_together(*items)
    assert records == [(0, 1, 0, {"x": 1}), (1, 1, 0, {"x": 2}), (1, 2, 0, {"x": 3})]
    assert summary.skipped["lines printed twice"].count == 1
    records, summary = put_together(*items, repetition=Repetition.ANOTHER_RECORD)
    assert records == [(0, 1, 0, {"x": 1}), (0, 1, 1, {"x": 2}), (0, 1, 2, {"x": 2}), (0, 2, 0, {"x": 3})]
    assert summary.restarts == 0


def test_a_session_that_repeats_an_iteration_is_a_restart() -> None:
    items = [see("a", 1, x=1), see("a", 2, x=2), Mark.SESSION, see("a", 2, x=2), see("a", 3, x=3)]
    records, _ = put_together(*items, repetition=Repetition.ANOTHER_RECORD)
    assert [record[:2] for record in records] == [(0, 1), (0, 2), (1, 2), (1, 3)]
    goes_on = [see("a", 1, x=1), Mark.SESSION, see("a", 2, x=2), see("a", 2, x=2)]
    records, summary = put_together(*goes_on, repetition=Repetition.ANOTHER_RECORD)
    assert [record[:3] for record in records] == [(0, 1, 0), (0, 2, 0), (0, 2, 1)]
    assert summary.restarts == 0


def test_observations_without_an_iteration_are_separate_records() -> None:
    records, summary = put_together(see("a", None, x=1), see("b", None, y=1), see("a", None, x=1))
    assert records == [(0, None, 0, {"x": 1}), (0, None, 1, {"y": 1}), (0, None, 2, {"x": 1})]
    assert summary.without_iteration == 3


def test_iterations_beyond_the_column_are_left_out() -> None:
    records, summary = put_together(see("a", 2**31, x=1), see("a", 2**31 - 1, x=2), see("b", -(2**40), x=3))
    assert [record[1] for record in records] == [2**31 - 1]
    assert summary.lost["iterations beyond what the table can hold"].count == 2


def test_a_restart_after_the_largest_serial_is_an_error() -> None:
    items = [see("a", 1, x=1), see("a", 2, x=2), see("a", 1, x=3)]
    records, _ = put_together(*items, first_serial=2**31 - 2)
    assert [record[0] for record in records] == [2**31 - 2, 2**31 - 2, 2**31 - 1]
    with pytest.raises(ImportInputError, match="choose a lower --serial"):
        put_together(*items, first_serial=2**31 - 1)


def test_a_pause_yields_changed_records_and_counts_them_once() -> None:
    summary = ReadSummary()
    items: list[Item] = [see("a", 1, x=1), Mark.PAUSE, see("b", 1, y=2), Mark.PAUSE, Mark.PAUSE, see("b", 1, y=2)]
    assert list(assemble(items, summary)) == [
        Record(1, None, 0, {"x": 1}), None, Record(1, None, 0, {"x": 1, "y": 2}), None, None
    ]  # fmt: skip
    assert summary.records == 1


def test_memory_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "MOST_OPEN_RECORDS", 3)
    taken = 0

    def observe() -> object:
        nonlocal taken
        for taken in range(10):
            yield see("a", taken, x=taken)
        yield see("b", 0, y=0)

    records = assemble(observe(), ReadSummary())  # type: ignore[arg-type]
    assert next(records) == Record(0, None, 0, {"x": 0})
    assert taken == 3
    # A late observation is a separate record, which is later added to the stored one.
    assert list(records)[-1] == Record(0, None, 0, {"y": 0})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5), st.integers(0, 3)), max_size=40))
def test_nothing_is_lost(points: list[tuple[str, int, int]]) -> None:
    items = [see(series, iteration, **{series: value}) for series, iteration, value in points]
    records, _ = put_together(*items, repetition=Repetition.ANOTHER_RECORD)
    for series in "ab":
        reported = sorted((iteration, value) for each, iteration, value in points if each == series)
        kept = sorted((iteration, metrics[series]) for _, iteration, _, metrics in records if series in metrics)
        assert kept == reported
    assert len({record[:3] for record in records}) == len(records)
