"""Metadata fields, which are stored with metrics and not counted."""

import pytest

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import MetricValue, Observation

METADATA = frozenset({"run_id", "updated_at"})


def put_together(
    *performances: dict[str, MetricValue], repetition: Repetition
) -> tuple[list[tuple[int, int, object]], ReadSummary]:
    summary = ReadSummary()
    observations = [Observation("history", 5, None, performance) for performance in performances]
    records = assemble(observations, summary, repetition=repetition, metadata=METADATA)
    return [(each.serial, each.ordinal, each.performance) for each in records if each is not None], summary


@pytest.mark.parametrize("repetition", Repetition)
def test_metadata_neither_separate_records_nor_count(repetition: Repetition) -> None:
    records, summary = put_together(
        {"run_id": "a", "updated_at": "noon", "loss": 1}, {"run_id": "a", "updated_at": "one", "accuracy": "NaN"},
        repetition=repetition,
    )  # fmt: skip
    assert records == [(0, 0, {"run_id": "a", "updated_at": "noon", "loss": 1, "accuracy": "NaN"})]
    assert summary.metrics == {"loss": 1, "accuracy": 1}
    assert (summary.non_finite, summary.restarts) == (1, 0)


def test_metrics_separate_records_as_without_metadata() -> None:
    reported: tuple[dict[str, MetricValue], ...] = ({"loss": 1, "run_id": "a"}, {"loss": 2, "run_id": "a"})
    assert [key[:2] for key in put_together(*reported, repetition=Repetition.ANOTHER_RECORD)[0]] == [(0, 0), (0, 1)]
    assert [key[:2] for key in put_together(*reported, repetition=Repetition.RESTART)[0]] == [(0, 0), (1, 0)]


def test_a_line_that_differs_in_metadata_only_is_a_repetition() -> None:
    reported: tuple[dict[str, MetricValue], ...] = ({"loss": 1}, {"loss": 1, "updated_at": "one"})
    records, summary = put_together(*reported, repetition=Repetition.RESTART)
    assert records == [(0, 0, {"loss": 1})]
    assert summary.skipped["lines printed twice"].count == 1
