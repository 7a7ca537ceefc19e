"""The rules of values, names and ranges as properties of generated records."""

import json
import math
import uuid
from collections import Counter
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import Row, Store, at, strict_json

WANDB_METADATA = ("step", "run_id", "source", "history", "created_at", "updated_at")
STORABLE = st.characters(exclude_characters="\0", exclude_categories=("Cs",))
NAMES = st.sampled_from(
    [
        "loss",
        "lr",
        "step",
        "source",
        "",
        "a,b",
        "{x}",
        'q"uote',
        "back\\slash",
        "grad/norm",
        "métrique",
        "🚀",
        "50%",
        "é: ",
    ]
) | st.text(STORABLE, max_size=8)
# The bounds of float64, and numbers that a float64 cannot represent exactly.
LONG_NUMBERS = ["1e308", "1e309", "-1e400", "1e-400", "12345678901234567890.5", "0.100"]
LONG_NUMBERS += [str(2**1024 - 2**970 - 1), str(2**1024 - 2**970)]
SCALARS = (
    st.floats(allow_nan=False, allow_infinity=False).map(json.dumps)
    | st.integers(-(10**30), 10**30).map(str)
    | st.sampled_from([*LONG_NUMBERS, '"NaN"', '"Infinity"', "null", "true", '"text, \\"x\\": 1"', "[]", "{}"])
    | st.sampled_from(['{"loss": 1}', '[1, {"a": [2]}]', '"}"', '"5"'])
)
OBJECTS = st.dictionaries(NAMES, SCALARS, max_size=5).map(
    lambda members: "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"
)
TIMES = st.integers(0, 20).map(at) | st.sampled_from(
    [None, "infinity", "-infinity", "294276-12-31 23:59:59.999999+00", "4714-11-24 00:00:00+00 BC",
     "1969-12-31 23:59:59.9999+00", "1970-01-01 00:00:00.0009+00", "2041-06-01 00:00:00.123999+00",
     "20000-02-29 11:11:11.111111+00", "2040-12-31 23:59:59.999999+00"]
)  # fmt: skip
ROWS = st.builds(
    Row,
    OBJECTS | st.sampled_from(["[]", "null", "5", '"text"', '["loss"]', "{}"]),
    st.none() | st.integers(-3, 3) | st.sampled_from([2**31 - 1, -(2**31)]),
    TIMES,
    st.sampled_from(["log", "wandb", "tensorflow", None]),
)
BOUNDS = st.integers(-2, 22) | st.sampled_from([-(2**63), 2**63 - 1, 9224318015999999, -210866803200000, 2253657600123])

with_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


class Workload:
    """Requests about one generated workload."""

    def __init__(self, client: FlaskClient, store: Store, cluster: str, rows: list[Row]) -> None:
        self._client = client
        self._cluster = cluster
        self.uid = f"workload-{uuid.uuid4().hex[:12]}"
        if rows:
            store(self.uid, rows, cluster)

    def text(self, endpoint: str, query: Any = ()) -> str:
        parameters = [("cluster", self._cluster), *query]
        response = self._client.get(f"/lens/v1/workloads/{self.uid}/metrics/{endpoint}", query_string=parameters)
        assert response.status_code == 200, response.text
        return response.text

    def ask(self, endpoint: str, query: Any = ()) -> Any:
        answer = strict_json(self.text(endpoint, query))
        assert answer["total_count"] == len(answer.get("data", answer.get("metrics", answer.get("data_sources"))))
        return answer


def expected_points(row: Row) -> list[tuple[str, str]]:
    """Return (name, number) of the data points in a row, computed independently of the code."""
    performance = json.loads(row.performance, parse_float=lambda text: (text,), parse_int=lambda text: (text,))
    if not isinstance(performance, dict):
        return []
    hidden = WANDB_METADATA if row.data_source == "wandb" else ()
    return [
        (name, value[0])
        for name, value in performance.items()
        if isinstance(value, tuple) and math.isfinite(float(value[0])) and name not in hidden
    ]


@with_database
@given(rows=st.lists(ROWS, max_size=8))
def test_data_are_exactly_the_finite_numbers(client: FlaskClient, store: Store, cluster: str, rows: list[Row]) -> None:
    data = Workload(client, store, cluster, rows).ask("data")["data"]
    found = sorted((point["metric_name"], float(point["value"]), point["data_source"] or "") for point in data)
    expected = sorted(
        (name, float(number), row.data_source or "") for row in rows for name, number in expected_points(row)
    )
    assert found == expected


@with_database
@given(rows=st.lists(ROWS, max_size=8), data_source=st.sampled_from([None, "log", "wandb", "tensorflow"]))
def test_counts_add_up(
    client: FlaskClient, store: Store, cluster: str, rows: list[Row], data_source: str | None
) -> None:
    workload = Workload(client, store, cluster, rows)
    query = [("data_source", data_source)] if data_source else []
    available = workload.ask("available", query)["metrics"]
    data = workload.ask("data", query)
    assert sum(metric["count"] for metric in available) == data["total_count"]
    for metric in available:
        named = workload.ask("data", [*query, ("metric", metric["name"])])
        assert named["total_count"] == metric["count"]
        assert named["data"] == [point for point in data["data"] if point["metric_name"] == metric["name"]]
    assert [metric["name"].encode() for metric in available] == sorted(metric["name"].encode() for metric in available)
    sources = workload.ask("sources")["data_sources"]
    assert sum(source["count"] for source in sources) == len(rows)
    keys = [(-source["count"], source["name"]) for source in sources]
    assert keys == sorted(keys)


@with_database
@given(
    rows=st.lists(
        st.builds(Row, st.just({"loss": 1}), data_source=st.sampled_from(["log", "wandb", None, ""])), max_size=8
    )
)
def test_every_list_names_the_same_sources_in_strings(client: FlaskClient, store: Store, rows: list[Row]) -> None:
    """Also if the column is text and has both empty names and NULL."""
    workload = Workload(client, store, "beta", rows)
    expected = sorted(Counter(row.data_source or "" for row in rows).items(), key=lambda each: (-each[1], each[0]))
    assert [(each["name"], each["count"]) for each in workload.ask("sources")["data_sources"]] == expected
    listed = [each["data_source"] for each in workload.ask("available")["metrics"]]
    assert listed == ([[name for name, _ in expected]] if rows else [])


@with_database
@given(rows=st.lists(ROWS, max_size=8), bounds=st.tuples(BOUNDS, BOUNDS))
def test_a_range_holds_exactly_its_points(
    client: FlaskClient, store: Store, cluster: str, rows: list[Row], bounds: tuple[int, int]
) -> None:
    workload = Workload(client, store, cluster, rows)
    start, end = sorted(bounds)
    for endpoint, names in (("data", ()), ("data", ("loss", "a,b")), ("iteration-times", ())):
        query = [("metric", name) for name in names]
        everything = workload.ask(endpoint, query)["data"]
        within = workload.ask(endpoint, [*query, ("start", start), ("end", end)])["data"]
        assert within == [
            point for point in everything if point["timestamp"] is not None and start <= point["timestamp"] <= end
        ]


@with_database
@given(
    rows=st.lists(ROWS, max_size=8),
    asked=st.tuples(st.lists(NAMES, min_size=1, max_size=6), st.sampled_from(["log", "wandb"])),
)
def test_filters_compose(
    client: FlaskClient, store: Store, cluster: str, rows: list[Row], asked: tuple[list[str], str]
) -> None:
    workload = Workload(client, store, cluster, rows)
    names, data_source = asked
    everything = workload.ask("data")["data"]
    both = workload.ask("data", [*(("metric", name) for name in names), ("data_source", data_source)])["data"]
    chosen = [point for point in everything if point["metric_name"] in names and point["data_source"] == data_source]
    key = lambda point: json.dumps(point, sort_keys=True)  # noqa: E731
    assert sorted(both, key=key) == sorted(chosen, key=key)
    of_source = workload.ask("data", [("data_source", data_source)])["data"]
    assert of_source == [point for point in everything if point["data_source"] == data_source]


@with_database
@given(rows=st.lists(ROWS, max_size=6))
def test_the_same_request_gives_the_same_bytes(
    client: FlaskClient, store: Store, cluster: str, rows: list[Row]
) -> None:
    workload = Workload(client, store, cluster, rows)
    for endpoint in ("sources", "available", "data", "iteration-times"):
        assert workload.text(endpoint) == workload.text(endpoint)


@with_database
@given(rows=st.lists(ROWS, max_size=8))
def test_iteration_times_name_each_iteration_once(
    client: FlaskClient, store: Store, cluster: str, rows: list[Row]
) -> None:
    data = Workload(client, store, cluster, rows).ask("iteration-times")["data"]
    iterations = [point["value"] for point in data if point["metric_name"] == "iteration"]
    assert iterations == sorted({row.iteration for row in rows if row.iteration is not None})
    assert all(point["value"] == point["iteration"] for point in data if point["metric_name"] == "iteration")


@pytest.mark.parametrize("data_source", [None, "log"])
def test_the_empty_workload(client: FlaskClient, store: Store, cluster: str, data_source: str | None) -> None:
    workload = Workload(client, store, cluster, [Row("null", None, None, data_source)])
    assert workload.ask("data")["data"] == []
    assert workload.ask("sources")["data_sources"] == [{"name": data_source or "", "count": 1}]
