"""Invalid rows among valid ones: no request fails, and only the invalid values are missing."""

import pytest

from tests.conftest import Ask, Row, Store, at

GOOD = [Row({"loss": 1.5, "rate": 0.1}, 1, at(1000)), Row({"loss": 1.25, "rate": 0.2}, 2, at(2000))]
GOOD_POINTS = [("loss", 1.5), ("rate", 0.1), ("loss", 1.25), ("rate", 0.2)]

BAD_PERFORMANCES = {
    "SQL null text": "null",
    "number": "5",
    "text": '"loss"',
    "array": '["loss", 1]',
    "empty object": "{}",
    "huge": '{"loss": 1e400, "rate": -1e309}',
    "NaN as text": '{"loss": "NaN", "rate": "Infinity"}',
    "nulls": '{"loss": null, "rate": null}',
    "number as text": '{"loss": "0.5", "rate": "1"}',
    "booleans": '{"loss": true, "rate": false}',
    "nested": '{"loss": {"loss": 1, "rate": [1]}, "rate": [[{"loss": 2}]]}',
    "deep": '{"loss": ' + "[" * 2000 + "]" * 2000 + "}",
    "brackets in text": '{"loss": "}]{[\\"", "rate": ", \\"loss\\": 1"}',
}


@pytest.mark.parametrize("performance", BAD_PERFORMANCES.values(), ids=BAD_PERFORMANCES.keys())
@pytest.mark.parametrize("created_at", [at(1500), None, "infinity", "-infinity"], ids=str)
def test_bad_performance_is_left_out(ask: Ask, store: Store, uid: str, performance: str, created_at: object) -> None:
    store(uid, [GOOD[0], Row(performance, 1, created_at), GOOD[1]])  # type: ignore[arg-type]
    for query in ({}, {"metrics": "loss,rate"}, {"metrics": "loss,rate,a,b,c"}):
        answer = ask("data", **query)
        assert [(point["metric_name"], point["value"]) for point in answer["data"]] == GOOD_POINTS
        assert answer["total_count"] == 4
    assert {metric["name"]: metric["count"] for metric in ask("available")["metrics"]} == {"loss": 2, "rate": 2}
    assert ask("sources")["data_sources"] == [{"name": "log", "count": 3}]
    assert [point["value"] for point in ask("iteration-times")["data"]] == [1, 2]


def test_row_of_nulls(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [*GOOD, Row({"loss": 3}, None, None, None)])
    assert ask("data", metrics="loss")["data"][-1] == {
        "metric_name": "loss",
        "value": 3,
        "timestamp": None,
        "iteration": None,
        "data_source": None,
    }
    assert ask("sources")["data_sources"] == [{"name": "log", "count": 2}, {"name": "", "count": 1}]
    assert ask("available")["metrics"][0] == {"name": "loss", "data_source": ["log", ""], "count": 3}
    assert len(ask("iteration-times")["data"]) == 2


@pytest.mark.parametrize(
    ("created_at", "timestamp"),
    [
        ("infinity", None),
        ("-infinity", None),
        ("1969-12-31 23:59:59.999999+00", -1),
        ("2026-01-01 00:00:00.122999+00", 1767225600122),
        ("2039-12-31 23:59:59.999999+00", 2208988799999),
        ("20000-01-01 00:00:00.000999+00", 568971820800000),
        ("294276-12-31 23:59:59.999999+00", 9224318015999999),
        ("4714-11-24 00:00:00+00 BC", -210866803200000),
    ],
)
def test_times_are_floored_milliseconds(
    ask: Ask, store: Store, uid: str, created_at: str, timestamp: int | None
) -> None:
    store(uid, [Row({"loss": 1}, 1, created_at)])
    for endpoint in ("data", "iteration-times"):
        assert ask(endpoint)["data"][0]["timestamp"] == timestamp
        if timestamp is not None:
            assert ask(endpoint, start=timestamp, end=timestamp)["total_count"] == 1
            assert ask(endpoint, start=timestamp + 1, end=2**63 - 1)["total_count"] == 0
            assert ask(endpoint, start=-(2**63), end=timestamp - 1)["total_count"] == 0


NAMES = ['"', "\\slash", "{braces}", "com,ma", "sla/sh", "🚀", "", " ", "tab\t", "line\n", "\x01\x02", "50%", "%s",
         "%(x)s", "'", "é", "\x7f", "\u2028", "all", "a" * 300]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_names_are_returned_verbatim(ask: Ask, store: Store, uid: str, name: str) -> None:
    store(uid, [Row({name: 0.5, "other": 1}), Row({name: 0.25})])
    for query in ({"metric": name}, {"metric": [name, "a", "b", "c", "d"]}):
        points = ask("data", **query)["data"]
        assert [(point["metric_name"], point["value"]) for point in points] == [(name, 0.5), (name, 0.25)]
    assert {point["metric_name"] for point in ask("data")["data"]} == {name, "other"}
    assert {metric["name"] for metric in ask("available")["metrics"]} == {name, "other"}


def test_all_names_at_once(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({name: index for index, name in enumerate(NAMES)})])
    assert {point["metric_name"]: point["value"] for point in ask("data")["data"]} == {
        name: index for index, name in enumerate(NAMES)
    }
    assert ask("data", metric=NAMES) == ask("data", metric=[*NAMES, *NAMES])
    assert [point["metric_name"] for point in ask("data", metric=NAMES)["data"]] == NAMES


def test_hundreds_of_names_in_one_request(ask: Ask, store: Store, uid: str) -> None:
    names = [f"m{index}" for index in range(1000)]
    store(uid, [Row(dict.fromkeys(names, 1))])
    assert ask("data", metrics=",".join(names))["total_count"] == 1000


def test_alternating_shapes(ask: Ask, store: Store, uid: str) -> None:
    rows = [Row({f"m{index % 97}": index, "loss": index}, index, at(index)) for index in range(400)]
    store(uid, rows)
    points = ask("data")["data"]
    assert len(points) == 800
    assert [point["value"] for point in points] == [index for index in range(400) for _ in range(2)]
