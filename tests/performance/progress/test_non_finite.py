"""Which metrics are listed as not finite any more."""

from lens_perf.performance.columns.field_stats import Coordinates, FieldStats
from lens_perf.performance.progress.facts import NonFiniteMetric
from lens_perf.performance.progress.non_finite import MOST_LISTED, list_non_finite

FIELDS = {
    ("log", "loss"): FieldStats(non_finite_since=Coordinates(350, 1_234_567)),
    ("wandb", "loss"): FieldStats(non_finite_since=Coordinates(None, None)),
    ("log", "grad_norm"): FieldStats(non_finite_since=Coordinates(349, 1_000_000)),
    ("log", "lr"): FieldStats(),
    (None, "eval"): FieldStats(non_finite_since=Coordinates(1, 2**63 - 1)),
}


def test_the_earliest_comes_first() -> None:
    assert list_non_finite(FIELDS) == (
        NonFiniteMetric("grad_norm", "log", 349, 946_684_801_000),
        NonFiniteMetric("loss", "log", 350, 946_684_801_234),
        NonFiniteMetric("eval", None, 1, None),
        NonFiniteMetric("loss", "wandb", None, None),
    )


def test_one_data_source() -> None:
    assert [each.metric_name for each in list_non_finite(FIELDS, "wandb")] == ["loss"]


def test_the_list_is_bounded() -> None:
    fields = {
        ("log", f"metric {number}"): FieldStats(non_finite_since=Coordinates(1, number)) for number in range(1000)
    }
    assert len(list_non_finite(fields)) == MOST_LISTED
