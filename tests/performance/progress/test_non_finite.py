"""Which metrics are listed as not finite any more."""

from dataclasses import dataclass

from lens_perf.performance.progress.non_finite import MOST_LISTED, list_non_finite


@dataclass(frozen=True)
class Place:
    iteration: int | None
    created_us: int | None


@dataclass(frozen=True)
class Stats:
    non_finite_since: Place | None


FIELDS = {
    ("log", "loss"): Stats(Place(350, 1_234_567)),
    ("wandb", "loss"): Stats(Place(None, None)),
    ("log", "grad_norm"): Stats(Place(349, 1_000_000)),
    ("log", "lr"): Stats(None),
    (None, "eval"): Stats(Place(1, 2**63 - 1)),
}


def test_the_earliest_comes_first() -> None:
    found = [(each.metric_name, each.data_source, each.since_iteration, each.since_timestamp)
             for each in list_non_finite(FIELDS)]  # fmt: skip
    assert found == [
        ("grad_norm", "log", 349, 946_684_801_000),
        ("loss", "log", 350, 946_684_801_234),
        ("eval", None, 1, None),
        ("loss", "wandb", None, None),
    ]


def test_one_data_source() -> None:
    assert [each.metric_name for each in list_non_finite(FIELDS, "wandb")] == ["loss"]


def test_the_list_is_bounded() -> None:
    fields = {("log", f"metric {number}"): Stats(Place(number, number)) for number in range(1000)}
    assert len(list_non_finite(fields)) == MOST_LISTED
