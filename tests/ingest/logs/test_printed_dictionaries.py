"""The dictionaries that the Trainer of Hugging Face prints: their iterations, and those that are not reports."""

import pytest

from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark
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


def bar(done: int, total: int = 8) -> str:
    return f"\r {100 * done // total}%|#2        | {done}/{total} [00:00<00:01,  5.1it/s]"


CLEAR = f"\r{' ' * 40}\r"


def report(name: str, value: float) -> str:
    return f"{{'{name}': {value}, 'epoch': 0.1}}"


def read_losses(*lines: str, options: LogOptions | None = None) -> list[tuple[int | None, object, object]]:
    records, summary = read(*lines, options=options)
    assert summary.is_complete
    assert {record.serial for record in records} == {0}
    return [(each.iteration, each.performance.get("loss"), each.performance.get("eval_loss")) for each in records]


def test_the_bar_drawn_again_has_the_iteration() -> None:
    lines = [
        bar(0) + CLEAR + report("loss", 2.9),
        bar(1) + CLEAR + report("loss", 2.8),
        bar(2) + bar(3) + CLEAR + report("loss", 2.7),
    ]
    assert read_losses(*lines) == [(1, 2.9, None), (2, 2.8, None), (3, 2.7, None)]
    assert read_losses(*lines, bar(4) + bar(5)) == [(1, 2.9, None), (2, 2.8, None), (4, 2.7, None)]


def test_a_report_waits_for_its_bar_while_the_log_grows() -> None:
    first, second = (f"{bar(done)}{CLEAR}{report('loss', done)}\n".encode() for done in (1, 2))
    items = list(read_log([first, None, second, None], ReadSummary()))
    assert [item if isinstance(item, Mark) else item.iteration for item in items] == [Mark.PAUSE, 2, Mark.PAUSE, None]


def test_an_evaluation_has_the_iteration_of_the_bar_of_training() -> None:
    evaluates = [bar(4), *(f"{bar(done, 20)}\x1b[A" for done in (0, 10, 20))]
    lines = [
        bar(1) + CLEAR + report("loss", 2.9),
        bar(2) + CLEAR + report("loss", 2.8),
        *evaluates,
        f"{CLEAR}\x1b[A{CLEAR}" + report("eval_loss", 2.5),
        bar(5),
        f"{bar(20, 20)}\x1b[A{CLEAR}\x1b[A{CLEAR}" + report("loss", 2.7),
        bar(7) + CLEAR + report("eval_loss", 2.4),
        f"{bar(20, 20)}\x1b[A" + bar(8),
    ]
    assert read_losses(*lines) == [(2, 2.9, None), (4, 2.8, None), (5, None, 2.5), (7, 2.7, None), (8, None, 2.4)]


def test_a_dictionary_behind_a_bar_belongs_to_it() -> None:
    lines = [bar(1) + bar(2) + report("loss", 2.9), bar(3) + bar(4) + report("loss", 2.8), bar(5)]
    assert read_losses(*lines) == [(2, 2.9, None), (4, 2.8, None)]


def test_bars_around_buffered_dictionaries_are_of_other_iterations() -> None:
    buffered = [report("loss", value) for value in (2.9, 2.8, 2.7)]
    lines = [bar(1) + bar(6) + CLEAR + buffered[0], *buffered[1:], bar(6) + bar(8)]
    assert read_losses(*lines) == [(None, 2.9, None), (None, 2.8, None), (None, 2.7, None)]
    counted = [(2, 2.9, None), (4, 2.8, None), (6, 2.7, None)]
    assert read_losses(*lines, options=LogOptions(logging_steps=2)) == counted


def test_logging_steps_correct_a_bar_of_a_moment_before() -> None:
    lines = [f"{bar(done, 100)}{report('loss', 5 - done / 100)}" for done in (9, 10, 28)]
    expected = [(10, 4.91, None), (20, 4.9, None), (30, 4.72, None)]
    assert [each[0] for each in read_losses(*lines)] == [9, 10, 28]
    lines = [line.replace("0.1}", f"{0.1 * number:.1f}}}") for number, line in enumerate(lines, 1)]
    assert read_losses(*lines, options=LogOptions(logging_steps=10)) == expected


def test_progress_bars_alone_are_no_dialect() -> None:
    records, summary = read(bar(1), bar(2))
    assert not records
    assert not summary.notes
    assert summary.skipped["lines that report no iteration"].count == 2


def test_a_report_right_after_an_evaluation_has_no_bar_in_its_line() -> None:
    lines = [
        bar(1) + CLEAR + report("loss", 2.9),
        bar(2) + bar(20, 20) + CLEAR + report("eval_loss", 2.5),
        f"{bar(20, 20)}\x1b[A{bar(3)}",
        f"{bar(20, 20)}\x1b[A",
        f"{CLEAR}\x1b[A{CLEAR}" + report("loss", 2.8),
        bar(4),
    ]
    assert read_losses(*lines) == [(2, 2.9, None), (3, None, 2.5), (4, 2.8, None)]
