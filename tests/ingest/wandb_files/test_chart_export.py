"""CSV files that the W&B page exports, and similar files."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Observation
from lens_perf.ingest.wandb_files.chart_export import looks_like_chart_export, read_chart_export


def read(*lines: str) -> tuple[list[Observation], ReadSummary]:
    summary = ReadSummary()
    return list(read_chart_export(lines, summary, "chart.csv")), summary


@pytest.mark.parametrize(
    ("line", "is_one"),
    [
        ('"Step","run - loss","run - loss__MIN","run - loss__MAX"', True),
        ("\ufeffStep,run - loss\r\n", True),
        ('"trainer/global_step","run - a - loss","run - a - loss__MIN"', True),
        ('"Wall Time","run - loss"', True),
        ("Step,loss", False), ("epoch,run - loss", False), ("Step", False), ("", False), ("{}", False),
        ("iteration 1/ 10 | lm loss: 1 |", False),
    ],
)  # fmt: skip
def test_what_looks_like_one(line: str, is_one: bool) -> None:
    assert looks_like_chart_export(line) is is_one


def test_one_run() -> None:
    observations, summary = read(
        "trainer/global_step,a - b - loss,a - b - loss__MIN,a - b - _step,a - b - _step__MIN,a - b - _runtime",
        "10.0,1.5,NaN,7,7,3", "20,-Infinity,,8,8,", "30,,,9,9,", "40,12 GB,1e-7,,,12345678901234567890123",
    )  # fmt: skip
    assert [(each.iteration, each.performance) for each in observations] == [
        (10, {"loss": 1.5, "loss__MIN": "NaN", "_runtime": 3}),
        (20, {"loss": "-Infinity"}),
        (40, {"loss__MIN": 1e-7, "_runtime": 12345678901234567890123}),
    ]
    assert type(observations[0].iteration) is int
    assert {reason: skipped.count for reason, skipped in summary.skipped.items()} == {
        "columns of W&B's own": 2,
        "fields that are not numbers": 1,
    }
    assert summary.notes == ["the iteration is trainer/global_step, the chart's x axis"]


@pytest.mark.parametrize(
    "lines", [["Step,a - loss,b - loss", "1,1,2"], ['"Step","a - loss","b - loss"', "1,1,2", '1,,""']]
)
def test_several_runs(lines: list[str]) -> None:
    observations, summary = read(*lines)
    assert observations[0].performance == {"a - loss": 1, "b - loss": 2}
    assert not summary.damages


@pytest.mark.parametrize("header", ["Relative Time (Process)", "Wall Time", "epoch"])
def test_axes_that_are_not_iterations(header: str) -> None:
    with pytest.raises(ImportInputError, match=rf"its x axis .*'{re.escape(header)}'"):
        read(f'"{header}","a - loss"', "0.5,1", "1.5,1")


@given(st.integers(0, 80))
def test_truncation_is_reported_with_its_offset(cut: int) -> None:
    lines = ['"Step","ä - loss","ä - accuracy"', '"1","2.5","3.5"', '"2","4.5","5.5"', '"3","6.5","7.5"']
    content = "\r\n".join(lines).encode()
    starts = [0, *(place + 1 for place, byte in enumerate(content) if byte == 10)]
    kept = content[starts[3] : starts[3] + min(cut, len(lines[3]))]
    text = (content[: starts[3]] + kept).decode()
    observations, summary = read(*io.StringIO(text, newline="\n"))
    whole = len(kept) == len(lines[3])
    assert [each.iteration for each in observations] == [1, 2, 3][: 2 + whole]
    assert [damage.byte for damage in summary.damages] == ([] if whole or not kept else [starts[3]])


@given(st.lists(st.text(max_size=30), max_size=4))
def test_no_row_is_too_strange(cells: list[str]) -> None:
    row = io.StringIO()
    csv.writer(row).writerow(cells)
    strange = [line for line in (row.getvalue(), "".join(cells)) if line[:1] not in '0123456789.-+"']
    observations, _ = read("Step,a - loss\n", "1,1\n", *strange, "2,2\n")
    assert observations[0].performance == {"loss": 1}


def test_columns_with_the_same_name_are_distinguished() -> None:
    lines = ['"Step","a - loss","a - loss"\n', '"1","2","3"\n']
    summary = ReadSummary()
    ((observation),) = read_chart_export(lines, summary, "chart.csv")
    assert observation.performance == {"loss": 2, "loss_2": 3}
    assert "there are several columns a - loss: the next is loss_2" in summary.notes
