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
