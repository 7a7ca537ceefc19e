"""Names of metrics whose fields have several names in one input."""

import pytest

from lens_perf.ingest.records import MetricValue
from tests.ingest.logs.reading import line, read


def read_metrics(*fields: str) -> list[dict[str, MetricValue]]:
    """Return the metrics of reports with these fields, one iteration for each."""
    records, _ = read(*(line(iteration, text) for iteration, text in enumerate(fields, 1)))
    metrics = [dict(record.performance) for record in records]
    assert [each.pop("target_iteration") for each in metrics] == [100] * len(fields)
    return metrics


def print_memory(rank: int, used: float, share: float) -> str:
    return f"rank-{rank} rocm max mem usage/usage_ratio: {used}GB/{share}%"


@pytest.mark.parametrize("ranks", [(1, 4, 4), (4, 1, 4), (0, 1, 10), (7, 7, 7)])
def test_a_rank_in_a_name_is_a_value(ranks: tuple[int, ...]) -> None:
    assert read_metrics(*(print_memory(rank, 248.5 + rank, 86.25) for rank in ranks)) == [
        {"rocm_max_mem_rank": rank, "rocm_max_mem_usage_gb": 248.5 + rank, "rocm_max_mem_usage_percent": 86.25}
        for rank in ranks
    ]


def test_lists_of_two_ranks_in_a_report_are_kept_apart() -> None:
    lists = [f"{print_memory(1, 10.5, 20.5)} | {print_memory(4, 30.5, 40.5)} |", print_memory(4, 50.5, 60.5)]
    assert read_metrics(*lists) == [
        {
            "rocm_max_mem_rank": 1, "rocm_max_mem_usage_gb": 10.5, "rocm_max_mem_usage_percent": 20.5,
            "rocm_max_mem_rank_2": 4, "rocm_max_mem_usage_gb_2": 30.5, "rocm_max_mem_usage_percent_2": 40.5,
        },
        {"rocm_max_mem_rank": 4, "rocm_max_mem_usage_gb": 50.5, "rocm_max_mem_usage_percent": 60.5},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "metric"),
    [
        ("lm loss", "lm_loss", "lm_loss"), ("grad_norm", "grad norm", "grad_norm"),
        ("Loss  Scale", "loss_scale", "loss_scale"), ("learning rate", "learning_rate", "learning_rate"),
        ("learning_rate", "lr", "learning_rate"),
    ],
)  # fmt: skip
def test_spaces_and_underscores_are_one_name(first: str, second: str, metric: str) -> None:
    assert read_metrics(f"{first}: 1", f"{second}: 2", f"{first}: 3", f"{second}: 4") == [
        {metric: number} for number in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    ("first", "second", "other"), [("lm loss", "lm_loss", "lm_loss_2"), ("lm_loss", "lm loss", "lm loss")]
)
def test_two_spellings_in_a_record_are_kept_apart(first: str, second: str, other: str) -> None:
    both = f"{first}: 1 | {second}: 2"
    apart = {"lm_loss": 1, other: 2}
    assert read_metrics(both) == [apart]
    assert read_metrics(f"{second}: 3", f"{first}: 4", both) == [{"lm_loss": 3}, {"lm_loss": 4}, apart]
    # From then on they are two metrics.
    assert read_metrics(both, f"{second}: 5", f"{first}: 6", both) == [apart, {other: 5}, {"lm_loss": 6}, apart]


def test_other_characters_distinguish_names() -> None:
    assert read_metrics("aux/loss: 1", "aux loss: 2", "aux.loss: 3", "aux_loss: 4", "aux/loss: 5") == [
        {"aux_loss": 1}, {"aux loss": 2}, {"aux.loss": 3}, {"aux loss": 4}, {"aux_loss": 5}
    ]  # fmt: skip


def test_lines_of_one_record_are_kept_apart() -> None:
    steps = [("Step Time : 9.5s grad_norm: 7", line(step, "grad norm: 1.5 |"), "time (ms) | a: 3") for step in (1, 2)]
    records, _ = read(*(text for lines in steps for text in lines))
    metrics = {"step_time_s": 9.5, "grad_norm": 7, "grad norm": 1.5, "a_time_ms": 3, "target_iteration": 100}
    assert [dict(record.performance) for record in records] == [metrics] * 2


def test_a_line_printed_twice_keeps_its_names() -> None:
    fields = ("lm loss: 1 | lm_loss: 2 |", "lm loss: 3 | lm_loss: 4 |")
    records, summary = read(*(line(step, text) for step, text in enumerate(fields, 1) for _ in range(2)))
    assert [dict(record.performance) for record in records] == [
        {"lm_loss": 1, "lm_loss_2": 2, "target_iteration": 100},
        {"lm_loss": 3, "lm_loss_2": 4, "target_iteration": 100},
    ]
    assert summary.skipped["lines printed twice"].count == 2
