"""Downsampled series: original points only, with every extreme of every bucket, and never too many."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Ask, Row, Store, at, strict_json
from tests.test_serving import on_one_version

NUMBER = count()
VALUES = st.sampled_from([0, 1, 1, 2, -5, 0.5, 1e9, "NaN", "Infinity", "text", None, True])
RECORDS = st.lists(
    st.tuples(
        st.none() | st.integers(-40, 300) | st.integers(0, 10**6),  # iteration
        st.none() | st.integers(0, 500) | st.integers(0, 10**9),  # milliseconds
        st.sampled_from(["log", "log", "wandb", None]),
        st.dictionaries(st.sampled_from(["loss", "lr", "step"]), VALUES, max_size=3),
    ),
    min_size=5,
    max_size=80,
)
Series = dict[tuple[str, str | None], list[dict[str, Any]]]


def ask_all(client: FlaskClient, uid: str, **query: Any) -> Any:
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/data", query_string=query)
    assert response.status_code == 200, response.text
    return strict_json(response.text)


def by_series(points: Sequence[dict[str, Any]], axis: str) -> Series:
    found: Series = defaultdict(list)
    for point in points:
        if point[axis] is not None:
            found[point["metric_name"], point["data_source"]].append(point)
    return found


def is_number(point: dict[str, Any]) -> bool:
    return not isinstance(point["value"], str)


def is_well_chosen(whole: list[dict[str, Any]], chosen: list[dict[str, Any]], axis: str) -> bool:
    """Return whether each bucket has its first, last, lowest and highest point, and few others."""
    axes, chosen_axes = [point[axis] for point in whole], [point[axis] for point in chosen]
    numbers, chosen_numbers = ([point["value"] for point in each if is_number(point)] for each in (whole, chosen))
    others = sum(not is_number(point) for point in whole)
    return (
        bool(chosen)
        and (min(axes), max(axes)) == (min(chosen_axes), max(chosen_axes))
        and (not numbers or (min(numbers), max(numbers)) == (min(chosen_numbers), max(chosen_numbers)))
        and len(chosen_numbers) <= 4
        and min(others, 1) <= len(chosen) - len(chosen_numbers) <= 3
    )


def check_sample(whole: Series, chosen: Series, axis: str, max_points: int, kinds: int) -> None:
    """Check each series, with the width of buckets that is the least one possible for all of them."""
    span = [point[axis] for points in whole.values() for point in points]
    buckets = max(1, max_points // kinds)
    for name, points in whole.items():
        assert len(chosen[name]) <= max_points
        assert [point for point in chosen[name] if point not in points] == []
        if len(points) <= max_points:
            assert chosen[name] == points
    # Numbers of both signs never share a bucket, unless there is to be but one. Records without the metrics may have
    # made the buckets one step wider than these points need.
    fitting = [shift for shift in range(64) if (max(span) >> shift) - (min(span) >> shift) < buckets][:2] or [None]
    if max_points >= kinds:
        assert any(has_all_buckets(whole, chosen, axis, max_points, shift) for shift in fitting)


def has_all_buckets(whole: Series, chosen: Series, axis: str, max_points: int, shift: int | None) -> bool:
    """Return whether each sampled series has buckets of this width."""

    def in_buckets(points: list[dict[str, Any]]) -> dict[int, list[dict[str, Any]]]:
        found: dict[int, list[dict[str, Any]]] = defaultdict(list)
        for point in points:
            found[0 if shift is None else point[axis] >> shift].append(point)
        return found

    for name, points in whole.items():
        if len(points) > max_points:
            picked = in_buckets(chosen[name])
            if not all(is_well_chosen(inside, picked[bucket], axis) for bucket, inside in in_buckets(points).items()):
                return False
    return True


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(
    records=RECORDS,
    max_points=st.sampled_from([1, 2, 3, 4, 5, 8, 12, 20, 1000]),
    axis=st.sampled_from(["iteration", "time"]),
    non_finite=st.booleans(),
)
def test_m4(app: Flask, store: Store, *, records: list[Any], max_points: int, axis: str, non_finite: bool) -> None:
    uid = f"sampled-{next(NUMBER)}"
    store(
        uid,
        [Row(each, iteration, time if time is None else at(time), source) for iteration, time, source, each in records],
    )
    client = app.test_client()
    query = {"metrics": "loss,lr,step", "non_finite": str(non_finite).lower()}
    whole = ask_all(client, uid, **query)
    answer = ask_all(client, uid, max_points=max_points, axis=axis, **query)
    field = {"iteration": "iteration", "time": "timestamp"}[axis]
    assert answer["total_count"] == answer["sampling"]["points_returned"] == len(answer["data"])
    if len(records) <= max_points:
        assert answer["sampling"]["method"] == "none"
        assert answer["data"] == whole["data"]
        return
    assert answer["sampling"]["method"] == "m4"
    series = by_series(whole["data"], field)
    assert answer["sampling"]["points_total"] == sum(map(len, series.values()))
    order = [(point["timestamp"] is None, point["timestamp"]) for point in answer["data"]]
    assert order == sorted(order)
    if series:
        check_sample(series, by_series(answer["data"], field), field, max_points, 5 if non_finite else 4)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    records=RECORDS,
    targets=st.lists(st.sampled_from([1, 1000, 500, "x", None]), min_size=80, max_size=80),
    max_points=st.sampled_from([1, 4, 8, 20]),
    axis=st.sampled_from(["iteration", "time"]),
)
def test_m4_of_iteration_times(
    app: Flask, store: Store, *, records: list[Any], targets: list[Any], max_points: int, axis: str
) -> None:
    uid = f"sampled-times-{next(NUMBER)}"
    rows = zip(records, targets, strict=False)
    store(
        uid,
        [Row({"target_iteration": target}, each[0], None if each[1] is None else at(each[1])) for each, target in rows],
    )
    address = f"/lens/v1/workloads/{uid}/metrics/iteration-times"
    client = app.test_client()
    whole = client.get(address).json
    answer = client.get(address, query_string={"max_points": max_points, "axis": axis}).json
    assert whole
    assert answer
    if len(records) <= max_points:
        assert answer["data"] == whole["data"]
        return
    field = {"iteration": "iteration", "time": "timestamp"}[axis]
    series = by_series(whole["data"], field)
    assert answer["sampling"]["points_total"] == sum(map(len, series.values()))
    if series:
        check_sample(series, by_series(answer["data"], field), field, max_points, 4)


def test_infinite_numbers_hide_no_extreme(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row('{"loss": 1e400}' if index % 7 == 3 else {"loss": index % 10}, index) for index in range(100)])
    answer = ask("data", metrics="loss", max_points=4)
    assert {point["value"] for point in answer["data"]} >= {0, 9}
    counts = {"points_total": 86, "points_returned": len(answer["data"])}
    width = answer["sampling"].pop("bucket_width")
    assert answer["sampling"] == {"method": "m4", **counts}
    assert width == 2 ** (int(width).bit_length() - 1)


def test_chosen_points_remain_while_a_workload_grows(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": (index * 7919) % 1009}, index, at(index)) for index in range(1500)])
    before = ask("data", metrics="loss", max_points=40)["data"]
    store(uid, [Row({"loss": (index * 7919) % 1009}, index, at(index)) for index in range(1500, 2000)])
    after = ask("data", metrics="loss", max_points=40)["data"]
    # All buckets except the last, which is incomplete.
    settled = [point for point in before if point["iteration"] < 1500 // 256 * 256]
    assert settled
    assert after[: len(settled)] == settled


def test_all_metrics_of_many(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row(dict.fromkeys("abcde", index), index) for index in range(30)])
    answer = ask("data", max_points=8)
    assert {point["metric_name"] for point in answer["data"]} == set("abcde")
    assert answer["sampling"]["points_total"] == 150


def test_grafana_has_its_own_name_for_the_limit(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(30)])
    assert ask("data", maxDataPoints=8) == ask("data", max_points=8)


def test_ranges_and_sources(ask: Ask, store: Store, uid: str) -> None:
    rows = [
        Row({"loss": index}, index, at(index * 1000), source) for index in range(100) for source in ("log", "wandb")
    ]
    store(uid, rows)
    answer = ask("data", metrics="loss", max_points=8, data_source="log", start_iteration=20, end_iteration=59)
    assert answer["sampling"]["points_total"] == 40
    assert {point["data_source"] for point in answer["data"]} == {"log"}
    assert (answer["data"][0]["iteration"], answer["data"][-1]["iteration"]) == (20, 59)
    answer = ask("data", metrics="loss", max_points=8, start=30_000, end=39_000, axis="time")
    assert answer["sampling"]["points_total"] == 20
    assert (answer["data"][0]["timestamp"], answer["data"][-1]["timestamp"]) == (30_000, 39_000)


def test_a_preview(client: FlaskClient, store: Store, uid: str) -> None:
    rows = [Row({"loss": "NaN" if index == 0 else index, "lr": 1}, index, at(index)) for index in range(0, 2000, 2)]
    rows += [Row({"acc": index, "step": index}, index, at(index), "wandb") for index in range(500)]
    rows += [Row({"loss": 5}, None), Row([1], 1999), Row({"loss": 7}, 700, at(700), None)]
    store(uid, rows)
    whole = ask_all(client, uid, non_finite="true")["data"]
    answer = ask_all(client, uid, max_points=11, method="stride", non_finite="true")
    points = answer["data"]
    assert answer["sampling"] == {"method": "stride", "points_total": None, "points_returned": len(points)}
    assert all(point in whole for point in points)
    assert points == sorted(points, key=lambda point: point["timestamp"])
    found = by_series(points, "iteration")
    assert set(found) == {("loss", "log"), ("lr", "log"), ("acc", "wandb")}
    losses = [point["iteration"] for point in found["loss", "log"]]
    assert losses == [0, 198, 398, 598, 798, 998, 1198, 1398, 1598, 1798]
    assert [point["iteration"] for point in found["acc", "wandb"]][::5] == [0, 249, 499]
    assert found["loss", "log"][0]["value"] == "NaN"
    part = ask_all(client, uid, max_points=3, method="stride", metrics="loss", start_iteration=101, end_iteration=201)
    assert [point["iteration"] for point in part["data"]] == [102, 150, 200]
    assert ask_all(client, uid, max_points=5000, method="stride")["sampling"]["method"] == "stride"


@pytest.mark.parametrize(
    "query",
    ["method=stride", "method=other&max_points=5", "method=stride&max_points=5&axis=time",
     "method=stride&max_points=5&start=0&end=5", "method=stride&max_points=100001"],
)  # fmt: skip
def test_previews_that_are_impossible(client: FlaskClient, uid: str, query: str) -> None:
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/data?{query}")
    assert response.status_code == 400
    assert "method" in strict_json(response.text)["errors"]["query"]


MILLION = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at, data_source)
SELECT %s, jsonb_build_object('loss', 2 + (i::bigint * 7919 %% 10007) / 10007.0), i, to_timestamp(i), 'log'
FROM generate_series(0, 999999) AS i
"""
SPIKE = """
WITH gone AS (
    DELETE FROM training_performance
    WHERE workload_uid = %(uid)s AND data_source = 'log' AND iteration = %(iteration)s
    RETURNING created_at
)
INSERT INTO training_performance (workload_uid, performance, iteration, created_at, data_source)
SELECT %(uid)s, jsonb_build_object('loss', %(value)s), %(iteration)s, created_at, 'log' FROM gone
"""


@pytest.fixture(scope="module")
def million(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A workload of a million records."""
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(MILLION, ("million",))
        cursor.execute("VACUUM ANALYZE training_performance")
        yield "million"
        cursor.execute("DELETE FROM training_performance WHERE workload_uid = 'million'")


@on_one_version
def test_a_spike_among_a_million_records_is_kept(app: Flask, million: str, postgres: EmbeddedPostgres) -> None:
    client = app.test_client()
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        @settings(max_examples=8, derandomize=True)
        @given(
            iteration=st.integers(0, 999_999),
            value=st.sampled_from([1e9, -1e9, 3.0001]),
            axis=st.sampled_from(["iteration", "time"]),
        )
        @example(iteration=0, value=99.0, axis="iteration")
        @example(iteration=999_999, value=-99.0, axis="time")
        def check(iteration: int, value: float, axis: str) -> None:
            cursor.execute(SPIKE, {"uid": million, "iteration": iteration, "value": value})
            answer = ask_all(client, million, metrics="loss", max_points=1000, axis=axis)
            assert answer["sampling"]["points_total"] == 1_000_000
            assert len(answer["data"]) <= 1000
            assert any(point["iteration"] == iteration and point["value"] == value for point in answer["data"])
            cursor.execute(SPIKE, {"uid": million, "iteration": iteration, "value": 2.5})

        check()
