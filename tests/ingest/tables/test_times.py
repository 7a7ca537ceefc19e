"""Units of times: recognised by size, or given by the user."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.tables.times import SECONDS_PER_UNIT, find_time_rule, parse_duration, parse_time

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


@given(st.integers(631152000, 4102444800), st.sampled_from(list(SECONDS_PER_UNIT)))
def test_units_are_found(seconds: int, unit: str) -> None:
    moment = datetime.fromtimestamp(seconds, UTC)
    value = round(moment.timestamp() / SECONDS_PER_UNIT[unit])
    for written in (value, str(value), float(value)):
        rule = find_time_rule("t", [written] * 3, None, UTC)
        assert rule is not None
        assert (rule.unit, rule.since_start) == (unit, False)
        read = rule.read(written, UTC, None)
        assert read is not None
        assert abs(read - moment) < timedelta(milliseconds=1)


@pytest.mark.parametrize(
    ("values", "unit", "seconds"),
    [([10, 20], None, 20), ([10_000, 20_000], "ms", 20), (["0:00:10", "0:00:20"], None, 20)],
)
def test_times_since_the_start(values: list[object], unit: str | None, seconds: int) -> None:
    rule = find_time_rule("t", values, unit, UTC)
    assert rule is not None
    assert rule.since_start
    assert rule.read(values[1], UTC, NOON) == NOON + timedelta(seconds=seconds)
    assert rule.read(values[1], UTC, None) is None


@pytest.mark.parametrize(
    "text", ["2026-01-31T12:00:00Z", "2026/01/31 12:00:00", "2026-01-31 13:00:00,000+01:00", "20260131T120000"]
)
def test_texts(text: str) -> None:
    assert parse_time(text, UTC) == NOON
    rule = find_time_rule("t", [text], None, UTC)
    assert str(rule) == "t, as texts"


@pytest.mark.parametrize(
    "value", [None, True, "", "soon", 10**400, "9" * 5000, float("nan"), float("inf"), [1], "1e300", -(10**30)]
)
def test_values_that_are_not_times(value: object) -> None:
    for known in (1.7e9, "2026-01-31", "1:00:00", 5):
        rule = find_time_rule("t", [known], None, UTC)
        assert rule is not None
        assert rule.read(value, UTC, NOON) in (None, NOON)
    find_time_rule("t", [value], None, UTC)


@pytest.mark.parametrize(
    ("text", "seconds"), [("0:32:48", 1968), ("9 days, 21:39:23", 855563), ("1 day, 0:00:00.5", 86400.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds
    assert parse_duration(text + "x") is None
