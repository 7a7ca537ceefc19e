"""Every combination of parameters returns the same data points in every encoding."""

import csv
import io
import json
from collections.abc import Iterable, Mapping
from itertools import count
from typing import Any

import polars as pl
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Row, Store, at, strict_json

NUMBER = count()
SERIES_FIELDS = {"iterations": "iteration", "timestamps": "timestamp", "values": "value", "serials": "serial",
                 "axis_values": "axis_value"}  # fmt: skip
COLUMNS = {"iteration", "timestamp", "data_source", "serial", "axis_value", "cluster", "workload_uid"}
NUMBERS = st.sampled_from([0, 1, -2.5, 0.1, 10**30, 9007199254740993, "NaN", "text", None])
# No two records have the same time, so that a point identifies its record.
ROWS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["loss", "lr", "x", "target_iteration"]), NUMBERS, max_size=4),
        st.none() | st.integers(0, 9),
        st.sampled_from(["log", "log", "wandb", None]),
        st.sampled_from([None, 0, 1]),
    ),
    min_size=1,
    max_size=30,
)
SAMPLINGS = st.fixed_dictionaries(
    {"max_points": st.sampled_from([1, 3, 4, 8, 100])},
    optional={"axis": st.sampled_from(["iteration", "time", "relative_time", "x", "absent"])},
)
PREVIEWS = st.fixed_dictionaries({"max_points": st.sampled_from([1, 3, 100]), "method": st.just("stride")})
SHARED: Mapping[str, st.SearchStrategy[Any]] = {
    "data_source": st.sampled_from(["log", "wandb"]),
    "start_iteration": st.integers(0, 4),
    "end_iteration": st.integers(4, 9),
    "include": st.just("serial"),
    "split": st.just("serial"),
    "serial": st.sampled_from([["0"], ["0", "1"]]),
}
OF_DATA = {"non_finite": st.sampled_from(["true", "false"])}
NAMED = st.sampled_from([{}, {"metrics": "loss"}, {"metrics": "lr,x,absent"}])


def build_queries(sampling: st.SearchStrategy[Any], optional: Mapping[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    chosen = st.fixed_dictionaries({}, optional=dict(optional))
    return st.tuples(st.just({}) | sampling, chosen).map(lambda parts: {**parts[0], **parts[1]})


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(
    rows=ROWS,
    data=build_queries(SAMPLINGS | PREVIEWS, {**SHARED, **OF_DATA}),
    names=NAMED,
    times=build_queries(SAMPLINGS, SHARED),
)
def test_encodings_agree(
    app: Flask, store: Store, *, rows: list[Any], data: dict[str, Any], names: dict[str, str], times: dict[str, Any]
) -> None:
    uid = f"agreeing-{next(NUMBER)}"
    store(uid, [Row(each, iteration, at(1000 * index), *rest) for index, (each, iteration, *rest) in enumerate(rows)])
    check(app, f"/lens/v1/workloads/{uid}/metrics/data", data | names)
    check(app, f"/lens/v1/workloads/{uid}/metrics/iteration-times", times)
    check(app, "/lens/v1/metrics/data", data | {"metrics": "loss,lr", **names, "workload": [f"alpha/{uid}", "alpha/-"]})


def check(app: Flask, path: str, query: Mapping[str, Any]) -> None:
    """Compare the answers in all encodings."""

    def ask(**encoding: str) -> bytes:
        with app.test_client().get(path, query_string={**query, **encoding}) as response:
            assert response.status_code == 200, response.text
            return response.data

    answer = strict_json(ask().decode())
    points = answer["data"]
    assert answer["total_count"] == len(points)
    assert list(map(strict_json, ask(format="ndjson").decode().splitlines())) == points
    texts = list(csv.DictReader(io.StringIO(ask(format="csv").decode())))
    assert [sort(row) for row in texts] == [sort(as_texts(point)) for point in points]
    table = pl.read_parquet(ask(format="parquet"))
    assert [sort(as_numbers(row)) for row in table.rows(named=True)] == [sort(as_numbers(point)) for point in points]
    series = strict_json(ask(layout="columns").decode())["series"]
    assert group(point for each in series for point in list_points(each)) == group(points)
    text, content = ask(layout="wide", format="csv").decode(), ask(layout="wide", format="parquet")
    check_tables(text, content, points, has_times=path.endswith("iteration-times"))


def sort(point: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return sorted(point.items())


def as_texts(point: Mapping[str, Any]) -> dict[str, str]:
    """Return a point as a reader of CSV returns it."""
    texts = {name: each if isinstance(each, str) else json.dumps(each) for name, each in point.items()}
    return {name: "" if each is None else texts[name] for name, each in point.items()}


def as_numbers(point: Mapping[str, Any]) -> dict[str, str]:
    """Return the numbers of a point as float64, in a text that NaN is equal to itself in."""
    numbers = {name: float(point[name]) for name in ("value", "axis_value") if point.get(name) is not None}
    return {name: repr(each) for name, each in {**point, **numbers}.items()}


def list_points(series: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    """Return the points of a series of ``layout=columns``."""
    arrays = {field: series[name] for name, field in SERIES_FIELDS.items() if name in series}
    shared = {name: each for name, each in series.items() if name not in SERIES_FIELDS}
    for values in zip(*arrays.values(), strict=True):
        yield shared | dict(zip(arrays, values, strict=True))


def group(points: Iterable[Mapping[str, Any]]) -> dict[Any, list[Any]]:
    """Return the points of each series, in their order."""
    found: dict[Any, list[Any]] = {}
    for point in points:
        key = [point.get(name) for name in ("cluster", "workload_uid", "metric_name", "data_source")]
        found.setdefault(repr(key), []).append(sort(as_numbers(point)))
    # The attempts of a series may be separate series.
    return {key: sorted(each) for key, each in found.items()}


def check_tables(text: str, content: bytes, points: list[Mapping[str, Any]], *, has_times: bool) -> None:
    """Compare the cells of wide tables, CSV and Parquet, with the points; the last one of a cell counts."""
    expected: dict[Any, str] = {}
    for point in points:
        if not (has_times and point["metric_name"] == "iteration"):
            expected[identify(point), point["metric_name"]] = repr(float(point["value"]))
    assert list_cells(pl.read_parquet(content).rows(named=True)) == expected
    assert list_cells(csv.DictReader(io.StringIO(text))) == expected


def identify(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what identifies a row of a wide table."""
    has_iteration = row["iteration"] not in {None, ""}
    known = {**row, "timestamp": None if has_iteration else row["timestamp"]}
    keys = ("iteration", "timestamp", "cluster", "workload_uid", "data_source", "serial")
    return tuple("" if known.get(key) is None else str(known[key]) for key in keys)


def list_cells(rows: Iterable[Mapping[str, Any]]) -> dict[Any, str]:
    """Return the cells of a wide table that are not empty."""
    return {
        (identify(row), title): repr(float(cell))
        for row in rows
        for title, cell in row.items()
        if title not in COLUMNS and cell not in {None, ""}
    }
