"""The iteration, restarts and phases of MLPerf logging."""

import json

import pytest

from tests.ingest.logs.reading import read


def event(key: str, value: object = None, **metadata: float) -> str:
    return f":::MLLOG {json.dumps({'key': key, 'value': value, 'time_ms': 1758707298059, 'metadata': metadata})}"


def test_steps_are_converted_as_soon_as_the_ratio_is_known() -> None:
    steps = [event("train_loss", 5.0 - step, step=step) for step in (1, 2, 3)]
    evaluation = event("eval_accuracy", 0.5, samples_count=192)
    records, _ = read(*steps, evaluation, event("train_loss", 1.0, step=4.0))
    assert [(each.iteration, each.performance.get("train_loss")) for each in records] == [
        (64, 4.0), (128, 3.0), (192, 2.0), (256, 1.0)
    ]  # fmt: skip
    assert records[2].performance["eval_accuracy"] == 0.5
    # Without a count, the step is the iteration. If both are equal, nothing is converted.
    assert [each.iteration for each in read(*steps)[0]] == [1, 2, 3]
    records, _ = read(*steps, event("block_stop", samples_count=3), event("eval_accuracy", 0.5, samples_count=2))
    assert [each.iteration for each in records] == [1, 2, 3]
    # Steps that start at 0, with counts.
    both = event("train_loss", 1.0, step=31.0, samples_count=2048.0)
    records, _ = read(event("lr", 0.1, step=15), both)
    assert [each.iteration for each in records] == [15 * 64, 2048]


@pytest.mark.parametrize(
    "ahead", ["", " 10%|#    | 1/10\r", "2026-05-22T20:09:00Z {a: 1} ", " 10%|#    | 1/10\r[rank0]: {b} "]
)
def test_text_before_an_event(ahead: str) -> None:
    records, summary = read(*(ahead + event("train_loss", 5.0, samples_count=64 * step) for step in (1, 2, 3)))
    assert [each.iteration for each in records] == [64, 128, 192]
    assert summary.is_complete


def test_a_restart_in_mlperf_logging_is_another_run() -> None:
    first = [event("train_loss", 5.0 - step, samples_count=step) for step in (64, 128)]
    again = [event("train_loss", 5.5 - step, samples_count=step) for step in (64, 128)]
    behind = event("eval_accuracy", 0.5, samples_count=32)
    records, summary = read(*first, behind, event("run_start"), *again)
    assert [(each.serial, each.iteration) for each in records] == [(0, 64), (0, 128), (0, 32), (1, 64), (1, 128)]
    assert summary.restarts == 1
    assert read(*first, behind, *first)[1].restarts == 0


def test_marks_of_phases_are_not_metrics() -> None:
    mark = event("epoch_start", 3, step=64).replace('"time_ms"', '"event_type": "INTERVAL_START", "time_ms"')
    records, _ = read(mark, event("train_loss", 1.5, step=64))
    assert [(each.iteration, each.performance) for each in records] == [(64, {"train_loss": 1.5})]
