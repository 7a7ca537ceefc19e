"""Numbers from text: exact if a float can represent them, otherwise counted."""

import json
import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.numbers import OUT_OF_RANGE, JsonError, NumberReader, parse_whole
from lens_perf.ingest.read_summary import ReadSummary


def parse(text: str) -> tuple[object, ReadSummary]:
    summary = ReadSummary()
    return NumberReader(summary).parse_text(text, "loss"), summary


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**1023), 2**1023))
def test_numbers_written_by_python_are_read_back(number: float) -> None:
    value, summary = parse(repr(number))
    assert (value, type(value)) == (number, type(number))
    assert summary.rounded == 0
    assert json.loads(json.dumps(NumberReader(summary).load_json(repr(number)))) == number
    assert summary.rounded == 0


@given(st.decimals(allow_nan=False, allow_infinity=False, places=25, min_value=-(10**6), max_value=10**6))
def test_a_decimal_is_rounded_to_the_nearest_and_counted(decimal: Decimal) -> None:
    value, summary = parse(f"{decimal:f}")
    assert value == float(decimal)
    assert summary.rounded == (Decimal(repr(value)) != decimal)


@pytest.mark.parametrize("text", ["1e400", "-1e400", "9" * 309, "-" + "1" * 5000, "1e" + "9" * 100])
def test_numbers_out_of_range_are_lost(text: str) -> None:
    value, summary = parse(text)
    assert value is None
    assert summary.lost[OUT_OF_RANGE].examples == ["loss"]


@pytest.mark.parametrize(("text", "value"), [("NaN", "NaN"), ("-inf", "-Infinity"), ("Infinity", "Infinity")])
def test_values_that_are_not_finite(text: str, value: str) -> None:
    assert parse(text)[0] == value


@pytest.mark.parametrize("text", ["1_000", "٣", "0x10", "1e", ".", "--1", "1 2", "True"])
def test_texts_that_are_not_numbers(text: str) -> None:
    value, summary = parse(text)
    assert value is None
    assert summary.texts == {"loss": 1}


def test_missing_values_are_not_lost() -> None:
    summary = ReadSummary()
    assert NumberReader(summary).check(None, "loss") is None
    assert NumberReader(summary).check("", "loss") is None
    assert not summary.texts


@given(st.integers(-(10**18), 10**18))
def test_whole_numbers(number: int) -> None:
    assert parse_whole(number) == parse_whole(str(number)) == parse_whole(f"{number}.0") == number
    assert parse_whole(number + 0.5) in (None, int(number + 0.5))


def test_texts_that_are_not_whole_numbers() -> None:
    for value in (True, None, 0.5, math.nan, math.inf, "", "1.5", "9" * 5000, "1e3", [1]):
        assert parse_whole(value) is None


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "", "{", "[1,]"])
def test_texts_that_are_not_json(text: str) -> None:
    with pytest.raises(JsonError):
        NumberReader(ReadSummary()).load_json(text)
