"""The choice of the metric that is the iteration, and the iterations of rows."""

from typing import Any

import pytest

from lens_perf.errors import ImportInputError
from tests.ingest.wandb_files.reading import HF, put_together, rows
from tests.ingest.wandb_files.run_files import frame, history, metric

KERAS = [
    metric("batch/batch_step"), metric(glob="batch/*", step_metric="batch/batch_step"),
    metric("epoch/epoch"), metric(glob="epoch/*", index=3),
]  # fmt: skip


@pytest.mark.parametrize(
    ("rules", "logged", "note"),
    [
        (HF, {"train/loss": 1, "train/global_step": 5}, "train/global_step, named by the run's define_metric"),
        (KERAS, {"batch/a": 1, "batch/b": 2, "batch/batch_step": 5, "epoch/c": 1, "epoch/epoch": 0},
         "batch/batch_step, named by the run's define_metric"),
        (KERAS, {"epoch/c": 1, "epoch/epoch": 5}, "epoch/epoch, named by the run's define_metric"),
        ([metric("loss", step_metric="seen"), metric(glob="lo*", step_metric="other")],
         {"loss": 1, "seen": 5, "other": 7}, "seen, named by the run's define_metric"),
        ([metric(glob="val/*", step_metric="epoch")], {"a": 1, "b": 2, "_step": 5, "val/a": 1, "epoch": 0},
         "_step, which counts log calls: most values have no other by define_metric"),
        ([metric("loss", step_metric="absent")], {"loss": 1, "_step": 5},
         "_step, which counts log calls: no other was found"),
        ([], {"loss": 1, "trainer/global_step": 5.0}, "trainer/global_step, a well-known name"),
        ([], {"loss": 1, "global_step": 5}, "global_step, a well-known name"),
        ([], {"loss": 1, "my_global_step": 9, "step": 9, "_step": 5},
         "_step, which counts log calls: no other was found"),
    ],
)  # fmt: skip
def test_which_metric_is_the_iteration(rules: list[bytes], logged: dict[str, Any], note: str) -> None:
    ((record,), summary) = put_together(frame([*rules, history({"_step": 0, **logged})]))
    assert summary.notes == [f"the iteration is {note}"]
    assert record.iteration == 5
    assert type(record.iteration) is int


def test_the_requested_metric() -> None:
    content = frame([*HF, *rows({"loss": 1}, {"loss": 2, "iter": 10, "train/global_step": 1}, {"loss": 3})])
    records, summary = put_together(content, step_metric="iter")
    # The first row was logged before any iteration, and has none. The last row has the latest iteration.
    assert [(record.iteration, record.performance["loss"]) for record in records] == [(None, 1), (10, 2), (10, 3)]
    assert [record.ordinal for record in records] == [0, 0, 1]
    assert summary.notes == ["the iteration is iter, named by --step-metric"]
    with pytest.raises(ImportInputError, match=r"3 history rows has 'it'; they have _step, iter, loss, train/global"):
        put_together(content, step_metric="it")


def test_the_choice_is_made_once() -> None:
    early, late = [{"loss": 1.0}] * 199, [{"loss": 2.0, "global_step": 5}] * 2
    assert put_together(frame(rows(*early, *late)))[1].notes[0].startswith("the iteration is global_step")
    records, summary = put_together(frame(rows({"loss": 3.0}, *early, *late)))
    assert summary.notes == ["the iteration is _step, which counts log calls: no other was found"]
    assert [record.iteration for record in records] == list(range(202))


def test_iterations_that_are_no_integers() -> None:
    logged = [{"global_step": value, "a": 1} for value in (1, 2.5, float("nan"), 1e400, 3.0)]
    records, summary = put_together(frame(rows(*logged)))
    assert [record.iteration for record in records] == [1, 3]
    assert summary.lost["history rows whose global_step is not an integer"].count == 3
