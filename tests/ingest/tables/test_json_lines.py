"""JSON lines and arrays: nested, damaged, with colliding names."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest.tables.evidence import find_json_iteration
from tests.ingest.tables.reading import read_json, values

NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.lists(
    st.dictionaries(st.text('ab é損\\"', min_size=1, max_size=5), NUMBERS, min_size=1), min_size=1, max_size=6
)


@given(ROWS, st.sampled_from(["lines", "array", "indented array"]), st.integers(1, 100))
def test_every_number_comes_back(rows: list[dict[str, Any]], form: str, block_size: int) -> None:
    objects = [{"step": step, **row} for step, row in enumerate(rows)]
    content = (
        "".join(json.dumps(each) + "\n" for each in objects)
        if form == "lines"
        else json.dumps(objects, indent=2 if form == "indented array" else None)
    )
    records, summary = read_json(content, block_size)
    assert values(records) == list(enumerate(rows))
    assert summary.is_complete
    assert summary.rounded == 0


def test_what_llama_factory_writes() -> None:
    content = (
        '{"current_steps": 5, "total_steps": 20, "loss": 2.5, "lr": 0.1, "epoch": 0.25, "percentage": 25.0, '
        '"elapsed_time": "0:32:48", "remaining_time": "9 days, 21:39:23"}\n'
        '{"current_steps": 20, "total_steps": 20, "epoch": 1.0, "percentage": 100.0, "elapsed_time": "1:00:00"}\n'
    )
    records, summary = read_json(content)
    assert values(records) == [
        (5, {"loss": 2.5, "learning_rate": 0.1, "epoch": 0.25, "percentage": 25.0, "elapsed_time_s": 1968.0,
             "remaining_time_s": 855563.0, "target_iteration": 20}),
        (20, {"epoch": 1.0, "percentage": 100.0, "elapsed_time_s": 3600.0, "target_iteration": 20}),
    ]  # fmt: skip
    assert summary.is_complete


def test_objects_within_objects() -> None:
    records, summary = read_json('{"step": 1, "train": {"loss": 1, "by": {"x": 2}}, "lr": [0.1, 0.1], "mom": [1, 2]}\n')
    assert values(records) == [(1, {"train.loss": 1, "train.by.x": 2, "lr": 0.1, "mom_0": 1, "mom_1": 2})]
    _, summary = read_json('{"step": 1, "a": {"b": 1}, "a.b": 2, "loss": 1, "loss": 3}\n')
    assert set(summary.lost) == {
        "values whose joined name another value has",
        "values of names that an object has twice",
    }


def test_damage_affects_its_line_only() -> None:
    deep = '{"step": 2, "a": ' + "[" * 100_000 + "]" * 100_000 + "}"
    lines = ['{"step": 1, "loss": 0.5}', '{"step": 2, "loss": ', deep, "[1, 2]", "noise", '{"step": 3, "loss": 0.25}']
    records, summary = read_json("\n".join(lines))
    assert values(records) == [(1, {"loss": 0.5}), (3, {"loss": 0.25})]
    assert [damage.byte for damage in summary.damages] == [25, 46]
    assert summary.skipped["lines that are not JSON objects"].count == 2


def test_a_truncated_array() -> None:
    records, summary = read_json('[{"step": 1, "loss": 0.5}, {"step": 2, "lo', 7)
    assert values(records) == [(1, {"loss": 0.5})]
    ((damage),) = summary.damages
    assert (damage.byte, damage.finding) == (27, "ends inside the array")


def test_rows_without_an_iteration() -> None:
    content = '{"lr": 3}\n{"step": 1, "loss": 0.5}\n{"eval_loss": 0.75}\n'
    content += '{"step": 2.5, "loss": 1}\n{"step": 2, "loss": 2}\n'
    records, summary = read_json(content)
    assert values(records) == [(1, {"loss": 0.5, "eval_loss": 0.75}), (2, {"loss": 2})]
    assert summary.skipped["rows ahead of the first step"].count == 1
    assert summary.lost["rows whose step is not a whole number"].examples == ["step: 2.5"]
    with pytest.raises(ImportInputError, match="--iteration-column"):
        read_json('{"a": 1}\n')
    assert read_json("")[0] == []


def test_an_evaluation_of_an_earlier_iteration_is_not_a_restart() -> None:
    content = (
        '{"step": 10, "loss": 1}\n{"step": 20, "loss": 0.5}\n{"step": 10, "eval/loss": 2}\n{"step": 30, "loss": 0.25}\n'
    )
    records, summary = read_json(content)
    assert summary.restarts == 0
    assert values(records) == [
        (10, {"loss": 1, "eval/loss": 2}), (20, {"loss": 0.5}), (30, {"loss": 0.25})
    ]  # fmt: skip


def test_repeated_rows_are_one_record() -> None:
    records, summary = read_json('{"step": 1, "loss": 1}\n' * 3)
    assert values(records) == [(1, {"loss": 1})]
    assert summary.skipped["rows that repeat the one before"].count == 2


@pytest.mark.parametrize(
    ("head", "iteration"),
    [
        (b'{"step": 1, "loss": 2}\n', "step"),
        (b'{"step": 1, "loss": "2.5"}\n{"step": 2, "lo', "step"),
        (b'[{"global_step": 1, "step": 5, "loss": 2},', "global_step"),
        (b'{"train/global_step": 1, "loss": 2}\n', "train/global_step"),
        (b'{"loss": 2}\n', None),
        (b'{"step": 1, "text": "a"}\n', None),
        (b'noise\n{"step": 1, "loss": 2}\nnoise\n', None),
        (b':::MLLOG {"step": 1, "value": 2}\n', None),
        (b"", None),
        (b"[" * 1000, None),
    ],
)
def test_evidence(head: bytes, iteration: str | None) -> None:
    assert find_json_iteration(head, is_whole=False) == iteration


def test_a_long_line_is_read_and_one_that_is_too_long_is_damage() -> None:
    lines = [
        json.dumps({"step": step, "loss": 1.5, "text": "x" * size}) for step, size in enumerate((5 << 20, 17 << 20, 1))
    ]
    records, summary = read_json("\n".join([*lines, "{"]))
    assert [record.iteration for record in records] == [0, 2]
    sizes = [len(line) + 1 for line in lines]
    assert [(each.byte, each.finding) for each in summary.damages] == [
        (sizes[0], "a line of more than 16 MiB"),
        (sum(sizes), "no JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
    ]
