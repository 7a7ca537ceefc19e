"""Facts of single workloads: what docs/progress.rst says of pauses, targets, attempts, and records at the limits."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance.progress.attempts import MOST_ATTEMPTS
from lens_perf.performance.progress.compute import compute_facts
from lens_perf.performance.progress.facts import NonFiniteMetric
from lens_perf.performance.progress.record_blocks import SourceCount, choose_source, count_by_source
from lens_perf.performance.progress.rules import LAST_TIMESTAMP, compute_progress
from tests.performance.progress.frames import SCHEMA, facts_of, reader
from tests.performance.progress.naive_progress import Record

SECOND = 1_000_000
HIGHEST, LOWEST = 2**31 - 1, -(2**31)
EARLIEST, LATEST = -211_813_488_000_000_000, 9_223_371_331_199_999_999


def run(*moments: tuple[int | None, float | None], target: Any = None) -> list[Record]:
    """Records of (iteration, seconds), in the order in which they are written."""
    return [
        Record(number, None if second is None else round(second * SECOND), iteration, None, target)
        for number, (iteration, second) in enumerate(moments, 1)
    ]


EXTREMES = [
    Record(1, EARLIEST, HIGHEST, LOWEST, 2**63 - 1),
    Record(2, LATEST, LOWEST, HIGHEST, 4 * 10**18),
    Record(3, 0, 1, None, None),
    Record(4, 0, 1, None, -1),
    Record(5, None, 7, None, 9),
    Record(6, -(2**63), 8, None, 9),
    Record(7, 2**63 - 1, None, None, 9),
]


@pytest.mark.parametrize("count", range(1, 8))
@pytest.mark.parametrize("now", [0, 1.7e9, 1e13])
def test_no_legal_record_makes_it_fail(count: int, now: float) -> None:
    for records in (EXTREMES[:count], EXTREMES[-count:]):
        facts = facts_of(records)
        progress = compute_progress(facts, now)
        assert json.loads(json.dumps(progress, allow_nan=False))


def test_the_time_between_the_ends_of_all_time() -> None:
    facts = facts_of([EXTREMES[0], EXTREMES[1]])
    assert facts.seconds_wall == (LATEST - EARLIEST) / SECOND
    assert (facts.restarts, facts.current_iteration) == (1, LOWEST)


@pytest.mark.parametrize(("target", "eta"), [(4 * 10**18, None), (10**9, 9_999_999_960 + 30)])
def test_an_estimate_beyond_the_year_9999_is_none(target: int, eta: int | None) -> None:
    facts = facts_of(run((1, 0), (2, 10), (3, 20), (4, 30), target=target))
    found = compute_progress(facts, 946_684_800 + 30)["eta"]
    assert (found and found["timestamp"] // 1000 - 946_684_800) == eta
    assert facts.target_iteration == target


def test_the_ends_of_an_estimate_beyond_the_year_9999_are_none() -> None:
    facts = replace(facts_of(run((1, 0), (2, 10), (3, 30), target=10**10)), pace=(1.0, 20.0, 30.0), last_timestamp=0)
    found = compute_progress(facts, 0)["eta"]
    assert (found["earliest"], found["timestamp"] < LAST_TIMESTAMP, found["latest"]) == (9_999_999_997_000, True, None)


def test_the_target_of_a_record_without_a_finite_time_does_not_count() -> None:
    records = run((1, 0), (2, 10), target=50)
    for time in (None, 2**63 - 1, -(2**63)):
        assert facts_of([*records, Record(9, time, 99, None, 70)]).target_iteration == 50
    assert facts_of([*records, Record(9, 5, None, None, 70)]).target_iteration == 50


@pytest.mark.parametrize(
    ("number", "text", "target"),
    [
        (5.0, "5.00", 5),
        (4e18, "4000000000000000001", 4_000_000_000_000_000_001),
        (1.0, "1.00000000000000000001", None),
        (2.0**63, "9223372036854775808", None),
        (2.0**63, "9223372036854775807", 2**63 - 1),
        (0.0, "0.0", None),
    ],
)
def test_a_target_is_exactly_the_number_stored(number: float, text: str, target: int | None) -> None:
    columns = {**SCHEMA, "v:target_iteration": pl.Float64, "t:target_iteration": pl.String}
    frame = pl.DataFrame([(1, 0, 1, None, "log", number, text)], schema=columns, orient="row")
    assert compute_facts(reader([frame]))[0].target_iteration == target


@pytest.mark.parametrize(
    ("wait", "paused"),
    [(49.999999, 0), (50, 0), (50.000001, 40.000001), (70, 60)],
    ids=["less", "5 times", "more", "long"],
)
def test_a_pause_is_more_than_five_times_as_long(wait: float, paused: float) -> None:
    facts = facts_of(run((1, 0), (2, 10), (3, 20), (4, 20 + wait)))
    assert facts.seconds_paused == pytest.approx(paused)


@pytest.mark.parametrize(("wait", "paused"), [(10.099999, 0), (10.1, 10), (10.3, 10.2)])
def test_a_pause_is_at_least_ten_seconds_longer(wait: float, paused: float) -> None:
    facts = facts_of(run((1, 0), (2, 0.1), (3, 0.2), (4, 0.2 + wait)))
    assert facts.seconds_paused == pytest.approx(paused)


@pytest.mark.parametrize(("wait", "paused"), [(9.999999, 0), (10, 10), (30, 30)])
def test_a_wait_within_one_iteration_has_no_iterations_to_do(wait: float, paused: float) -> None:
    facts = facts_of(run((1, 0), (2, 10), (3, 20), (3, 20 + wait)))
    assert facts.seconds_paused == pytest.approx(paused)
    assert facts_of(run((3, 0), (3, 10 + wait))).seconds_paused == 0, "nothing is usual yet"


def test_a_clock_that_goes_back_takes_no_time() -> None:
    facts = facts_of(run(*((iteration, 10 * iteration) for iteration in range(1, 100)), (100, 500), (101, 510)))
    assert (facts.restarts, facts.seconds_paused, facts.seconds_lost) == (0, 0, 0)
    assert facts.pace == (10, 10, 10)


def test_the_latest_attempts_are_listed() -> None:
    moments = [
        (iteration, 100 * number + iteration) for number in range(250) for iteration in range(number, number + 5)
    ]
    for block in (3, 65_536):
        facts = facts_of(run(*moments), block)
        assert (facts.restarts, len(facts.attempts)) == (249, MOST_ATTEMPTS)
        assert [each.number for each in facts.attempts] == list(range(151, 251))
        assert all(later.first_iteration == each.discarded_from for each, later in pairwise(facts.attempts))
        assert sum(each.records for each in facts.attempts) == 5 * MOST_ATTEMPTS
        assert facts.attempts[-1].discarded_from is None


def test_the_source_with_the_most_records_that_have_an_iteration() -> None:
    rows = [(1, 0, 1, None, "wandb"), (2, 0, 1, None, "log"), (3, 0, None, None, "wandb"), (4, 0, 2, None, None)]
    frame = pl.DataFrame(rows, schema=SCHEMA, orient="row")
    counts = count_by_source([frame, frame])
    assert counts == {"wandb": (2, 2), "log": (2, 0)}
    assert choose_source({"wandb": 4, "log": 2, None: 2}, [counts]) == "log"
    assert choose_source({"wandb": 2, None: 1}, [{"wandb": SourceCount(0, 2)}]) is None
    assert choose_source({}, []) is None


SOURCE_COUNTS = st.dictionaries(
    st.sampled_from(["log", "wandb", "x"]), st.builds(SourceCount, st.integers(0, 9), st.integers(0, 9)), max_size=3
)


@given(parts=st.lists(SOURCE_COUNTS, max_size=6))
def test_the_source_is_known_before_all_parts_are_counted(parts: list[dict[str, SourceCount]]) -> None:
    records: Counter[str | None] = Counter()
    counted: Counter[str] = Counter()
    for part in parts:
        records.update({source: sum(count) for source, count in part.items()})
        counted.update({source: count.with_iteration for source, count in part.items()})
    most = max(counted.values(), default=0)
    chosen = choose_source(records, iter(parts))
    assert chosen == (min(source for source, count in counted.items() if count == most) if most else None)


def test_few_parts_are_counted() -> None:
    read = []

    def count() -> Iterator[dict[str, SourceCount]]:
        for number in range(10):
            read.append(number)
            yield {"log": SourceCount(9, 0), "wandb": SourceCount(1, 0)}

    assert choose_source({"log": 90, "wandb": 10}, count()) == "log"
    assert read == [0, 1]


FACTS = facts_of(run((1, 0), (2, 10), (3, 20), target=100))
NOW = 946_684_800


@pytest.mark.parametrize(
    ("changes", "now", "state", "status", "reasons"),
    [
        ({}, 30, "running", "ok", []),
        ({}, 121, "stalled", "critical", ["stalled"]),
        ({}, 86_421, "ended", "warning", ["ended_before_target"]),
        ({"target_iteration": None}, 86_421, "ended", "ok", []),
        ({"target_iteration": 3}, 86_421, "finished", "ok", []),
        ({"spacing_seconds": 3600.0}, 86_421, "stalled", "critical", ["stalled"]),
        ({"spacing_seconds": 3600.0}, 360_021, "ended", "warning", ["ended_before_target"]),
        ({"spacing_seconds": None}, 619, "running", "ok", []),
        ({"spacing_seconds": None}, 621, "stalled", "critical", ["stalled"]),
        ({"non_finite": ("trainLoss",)}, 30, "running", "critical", ["non_finite_loss"]),
        ({"non_finite": ("grad norm", "loss_scale")}, 30, "running", "warning", ["non_finite_metric"]),
        ({"non_finite": ("lm loss PPL", "lr"), "target_iteration": 3}, 30, "finished", "critical",
         ["non_finite_loss", "non_finite_metric"]),
        ({"non_finite": ("eval/ppl",)}, 121, "stalled", "critical", ["stalled", "non_finite_loss"]),
    ],
)  # fmt: skip
def test_state_and_health(changes: dict[str, Any], now: float, state: str, status: str, reasons: list[str]) -> None:
    changes["non_finite"] = tuple(NonFiniteMetric(name, "log", 1, 0) for name in changes.get("non_finite", ()))
    progress = compute_progress(replace(FACTS, **changes), NOW + now)
    assert (progress["state"], progress["health"]) == (state, {"status": status, "reasons": reasons})
