"""The dictionaries that the Trainer of Hugging Face prints: their iterations, and those that are not reports."""

import pytest

from lens_perf.ingest.logs.options import LogOptions
from tests.ingest.logs.reading import read


def test_counted_iterations() -> None:
    lines = ["{'loss': 3, 'epoch': 0.1}", "{'loss': 2, 'epoch': 0.2}", "{'eval_loss': 1, 'epoch': 0.2}"]
    records, _ = read(*lines, options=LogOptions(logging_steps=50))
    assert [(each.iteration, each.performance) for each in records] == [
        (50, {"loss": 3, "epoch": 0.1}),
        (100, {"loss": 2, "epoch": 0.2, "eval_loss": 1}),
    ]


def test_several_dictionaries_in_one_line() -> None:
    records, summary = read(
        "{'loss': 3, 'epoch': 0.1}{'loss': 2, 'epoch': 0.2} Saving model", "{'loss': 1, 'epoch': 0.3}"
    )
    assert [each.performance["loss"] for each in records] == [3, 2, 1]
    assert summary.is_complete


def test_the_final_dictionaries_of_several_ranks_are_one() -> None:
    final = [f"{{'train_runtime': {100 + rank}.5, 'train_loss': 1.5, 'epoch': 1.0}}" for rank in range(16)]
    lines = ["{'loss': 3, 'epoch': 0.5}", "{'loss': 2, 'epoch': 1.0}", *final]
    for options, iterations in ((None, [None, None, None]), (LogOptions(logging_steps=50), [50, 100])):
        records, summary = read(*lines, options=options)
        assert [each.iteration for each in records] == iterations
        assert summary.metrics["train_runtime"] == 1
        reason = "evaluations and final summaries that are printed again, as by other ranks"
        assert summary.skipped[reason].count == 15


@pytest.mark.parametrize(
    "configuration",
    [
        "{'model': 'base', 'loss': 'mse', 'lr': 0.1, 'epoch': 3, 'shuffle': True, 'layers': [1, 2]}",
        "{'lr': 0.1, 'epoch': 3, 'train_batch_size': 8, 'eval_steps': 100, 'loss_weight': 0.5}",
        "{'loss': 'mse', 'optimizer': 'adam', 'schedule': 'cosine', 'epoch': 3, 'lr': 0.1}",
    ],
)
def test_a_configuration_is_not_a_report(configuration: str) -> None:
    records, summary = read(configuration, "{'loss': 3, 'epoch': 0.5}", options=LogOptions(logging_steps=10))
    assert [(each.iteration, each.performance) for each in records] == [(10, {"loss": 3, "epoch": 0.5})]
    assert summary.skipped["dictionaries that are not reports, such as a configuration"].count == 1


def test_a_report_may_lack_a_value() -> None:
    records, summary = read("{'loss': 3, 'grad_norm': None, 'learning_rate': 1e-05, 'epoch': 0.5}")
    assert [each.performance for each in records] == [{"loss": 3, "learning_rate": 1e-05, "epoch": 0.5}]
    assert summary.is_complete


def test_a_first_step_that_is_reported_does_not_shift_the_others() -> None:
    lines = [f"{{'loss': {5 - number}, 'epoch': {epoch}}}" for number, epoch in enumerate((0.01, 0.1, 0.2))]
    records, _ = read(*lines, options=LogOptions(logging_steps=10))
    assert [each.iteration for each in records] == [1, 10, 20]
    records, _ = read(*lines[1:], options=LogOptions(logging_steps=10))
    assert [each.iteration for each in records] == [10, 20]
