"""Data sources, metrics and statistics of a workload, from the statistics of its copy."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from lens_perf.performance.points.summary import list_available, list_sources, summarize


class Point(NamedTuple):
    text: str
    iteration: int | None
    created_us: int | None


class Coordinates(NamedTuple):
    iteration: int | None
    created_us: int | None


@dataclass(frozen=True)
class Stats:
    count: int = 0
    non_finite: int = 0
    first: Point | None = None
    last: Point | None = None
    least: Point | None = None
    greatest: Point | None = None
    non_finite_since: Coordinates | None = None


@dataclass
class Copy:
    sources: dict[str | None, int]
    fields: dict[tuple[str | None, str], Stats]
    attempts: dict[tuple[str | None, str, int | None], Stats] = field(default_factory=dict)
    records: int = 0

    def read_attempts(self) -> Any:
        return self.attempts

    def blocks(self, *_arguments: Any, **_named: Any) -> Any:
        raise AssertionError("nothing is read")


POINT = Point("2.50", 7, 1_234_567)
LOSS = Stats(3, 1, POINT, POINT, Point("-1", None, None), Point("1" + "0" * 30, 8, 2**63 - 1), Coordinates(9, -1))
COPY = Copy(
    {"log": 5, None: 5, "wandb": 9, "b": 5},
    {
        ("log", "loss"): LOSS,
        ("wandb", "loss"): Stats(4),
        (None, "loss"): Stats(3),
        ("log", "é"): Stats(0, 2),
        ("log", "Loss"): Stats(1),
    },
    {
        ("log", "loss", 2): Stats(1),
        ("log", "loss", None): Stats(9),
        ("log", "loss", 1): Stats(2),
        ("wandb", "loss", 1): Stats(3),
        ("log", "lr", 1): Stats(5),
    },
)


def test_sources_by_count_then_name() -> None:
    assert list_sources(COPY) == [("wandb", 9), ("", 5), ("b", 5), ("log", 5)]


def test_available_by_name_with_counts_of_zero() -> None:
    assert list_available(COPY) == [("Loss", ["log"], 1), ("loss", ["wandb", "", "log"], 10), ("é", ["log"], 0)]
    assert list_available(COPY, "wandb") == [("loss", ["wandb"], 4)]


def test_a_summary_has_values_as_they_are_stored() -> None:
    (entry,) = summarize(COPY, ["loss"], "log")
    first = b'{"value":2.50,"iteration":7,"timestamp":946684801234}'
    assert orjson.dumps(entry) == (
        b'{"metric_name":"loss","data_source":"log","count":3,"non_finite_count":1,"first":%b,"last":%b,'
        b'"least":{"value":-1,"iteration":null,"timestamp":null},"greatest":{"value":1%b,"iteration":8,"timestamp":null},'
        b'"non_finite_since":{"iteration":9,"timestamp":946684799999}}' % (first, first, b"0" * 30)
    )


def keys(entries: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(each["metric_name"], each["data_source"], each.get("serial", "-")) for each in entries]


def test_the_order_of_a_summary() -> None:
    assert keys(summarize(COPY)) == [
        ("Loss", "log", "-"),
        ("loss", "wandb", "-"),
        ("loss", "log", "-"),
        ("loss", None, "-"),
        ("é", "log", "-"),
    ]
    assert [each[0] for each in keys(summarize(COPY, ["é", "no such", "Loss"]))] == ["é", "Loss"]
    everything = summarize(COPY, by_attempt=True)
    assert keys(everything) == [
        ("loss", "log", 1),
        ("loss", "log", 2),
        ("loss", "log", None),
        ("loss", "wandb", 1),
        ("lr", "log", 1),
    ]
    assert keys(summarize(COPY, ["loss"], serials=(1,))) == [("loss", "log", 1), ("loss", "wandb", 1)]
