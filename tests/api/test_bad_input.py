"""Bad input: each case gets 400 with the contract's message, and borrows no connection."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from lens_perf.api.point_arguments import NO_PLACE_FOR_CHANGES
from lens_perf.clusters.pool import ConnectionPool
from lens_perf.performance.point_reader import NOT_A_CURSOR
from tests.conftest import strict_json

START, END = "Invalid start time format", "Invalid end time format"
TOGETHER = "start and end must be used together"
BAD_TIMES = [
    "",
    " ",
    "abc",
    "1_000",
    "+5",
    "5.0",
    "1e3",
    " 5",
    "5 ",
    "0x10",
    "--5",
    "1,000",
    "NaN",
    "null",
    "2024-01-01",
]
# Digits and a minus sign from outside ASCII, and numbers beyond int64.
BAD_TIMES += ["\uff15", "\u0665", "\u22125", "9223372036854775808", "-9223372036854775809", "9" * 5000]


@pytest.fixture
def no_lending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail if a connection is borrowed."""

    def refuse(_pool: ConnectionPool) -> None:
        raise AssertionError("a connection was asked for")

    monkeypatch.setattr(ConnectionPool, "lend", refuse)


def refused(client: FlaskClient, path: str, **query: Any) -> str:
    """Return the message of a request, which must be answered with 400."""
    response = client.get(path, query_string=query)
    body = strict_json(response.text)
    assert response.status_code == 400, body
    assert response.headers["Cache-Control"] == "no-store"
    assert response.mimetype == "application/json"
    assert body["code"] == 400
    assert body["status"] == "Bad Request"
    assert list(body) == ["code", "status", "message", "errors"]
    message: str = body["message"]
    assert json.dumps(message) in json.dumps(body["errors"])
    return message


pytestmark = pytest.mark.usefixtures("no_lending")
DATA = "/lens/v1/workloads/w/metrics/data"
TIMED = ("data", "iteration-times")
ENDPOINTS = ("sources", "available", *TIMED)


@pytest.mark.parametrize("text", BAD_TIMES)
@pytest.mark.parametrize("endpoint", TIMED)
def test_times(client: FlaskClient, endpoint: str, text: str) -> None:
    path = f"/lens/v1/workloads/w/metrics/{endpoint}"
    assert refused(client, path, start=text, end="5") == START
    assert refused(client, path, start="5", end=text) == END
    assert refused(client, path, start=text, end=text) == START
    assert refused(client, path, start=text) == START


@pytest.mark.parametrize("endpoint", TIMED)
def test_ranges(client: FlaskClient, endpoint: str) -> None:
    path = f"/lens/v1/workloads/w/metrics/{endpoint}"
    assert refused(client, path, start="5") == TOGETHER
    assert refused(client, path, end="5") == TOGETHER
    assert refused(client, path, start="5", end="4") == "start must not be after end"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("segment", ["", "%20", "%09", "%20%20", "%E2%80%83"])
def test_missing_uid(client: FlaskClient, endpoint: str, segment: str) -> None:
    assert refused(client, f"/lens/v1/workloads/{segment}/metrics/{endpoint}") == "workload_uid is required"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize("segment", ["a" * 257, "%F0%9F%9A%80" * 257, "a%00b", "%00"])
def test_impossible_uid(client: FlaskClient, endpoint: str, segment: str) -> None:
    message = "workload_uid must be at most 256 characters, none of them NUL"
    assert refused(client, f"/lens/v1/workloads/{segment}/metrics/{endpoint}") == message


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_unknown_cluster_names_no_other(client: FlaskClient, endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nix", "ALPHA", "alpha ", "a\0b", "x" * 1000):
        message = refused(client, f"/lens/v1/workloads/w/metrics/{endpoint}", cluster=name)
        assert message == f"Unknown cluster {json.dumps(name)}"


@pytest.mark.parametrize("endpoint", ["available", *TIMED])
@pytest.mark.parametrize("name", ["WANDB", "wandb ", "tensorboard", "log,wandb", "\0"])
def test_unknown_data_source(client: FlaskClient, endpoint: str, name: str) -> None:
    message = refused(client, f"/lens/v1/workloads/w/metrics/{endpoint}", data_source=name)
    assert message == "data_source must be one of log, wandb, tensorflow"


@pytest.mark.parametrize("query", [{"metrics": "a,\0"}, {"metric": "\0"}, {"metric": ["a", "b\0"]}])
@pytest.mark.parametrize("path", [DATA, "/lens/v1/workloads/w/metrics/summary", "/lens/v1/workloads/summary"])
def test_nul_in_metric(client: FlaskClient, path: str, query: dict[str, Any]) -> None:
    assert refused(client, path, **query) == "a metric name must not contain NUL"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"max_points": "0"}, "max_points must be a whole number of at least 1"),
        ({"max_points": "-5"}, "max_points must be a whole number of at least 1"),
        ({"maxDataPoints": "1e3"}, "maxDataPoints must be a whole number of at least 1"),
        ({"max_points": "9" * 19}, "max_points must be a whole number of at least 1"),
        ({"max_points": "9", "maxDataPoints": "9"}, "max_points and maxDataPoints are the same parameter; use one"),
        ({"start_iteration": "x"}, "start_iteration must be a whole number"),
        ({"start_iteration": "1_0"}, "start_iteration must be a whole number"),
        ({"end_iteration": "\uff11"}, "end_iteration must be a whole number"),
        ({"start_iteration": "2", "end_iteration": "1"}, "start_iteration must not be after end_iteration"),
        ({"format": "xml"}, "format must be one of json, csv, ndjson, parquet"),
        ({"layout": "rows"}, "layout must be one of points, columns, wide"),
        ({"layout": "columns", "format": "csv"}, "layout=columns requires format=json"),
        ({"non_finite": "1"}, "non_finite must be true or false"),
        ({"after": "a b"}, "after must be the cursor of an earlier answer"),
        ({"layout": "wide"}, "layout=wide requires format=csv or format=parquet"),
        ({"layout": "wide", "format": "ndjson"}, "layout=wide requires format=csv or format=parquet"),
        ({"axis": "time"}, "axis requires max_points"),
        ({"serial": "x"}, "serial must be a whole number and at most 2147483647"),
        ({"serial": str(2**31)}, "serial must be a whole number and at most 2147483647"),
        ({"include": "id"}, "include must be serial"),
        ({"split": "id"}, "split must be serial"),
        ({"after": "abc", "format": "parquet"}, NO_PLACE_FOR_CHANGES),
        (
            {"after": "", "max_points": "9", "method": "stride"},
            "stride is a preview and reports no changes; remove after",
        ),
        ({"after": "abc"}, NOT_A_CURSOR),
        ({"after": "W10"}, NOT_A_CURSOR),
    ],
)
def test_invalid_parameters_of_points(client: FlaskClient, query: dict[str, str], message: str) -> None:
    assert refused(client, DATA, **query) == message


def test_unknown_parameter(client: FlaskClient) -> None:
    message = refused(client, DATA, data_sorce="log")
    known = "after, axis, cluster, data_source, end, end_iteration, format, include, layout, maxDataPoints, "
    known += "max_points, method, metric, metrics, non_finite, serial, split, start, start_iteration"
    assert message == f"Unknown parameter data_sorce; expected {known}"
    assert "expected cluster" in refused(client, "/lens/v1/workloads/w/metrics/sources", data_source="log")


@pytest.mark.parametrize("name", ["cluster", "data_source", "metrics", "start", "end"])
def test_repeated_parameter(client: FlaskClient, name: str) -> None:
    assert refused(client, DATA, **{name: ["1", "1"]}) == f"{name} must be given once"


def test_head_is_checked_too(client: FlaskClient) -> None:
    assert client.head(DATA, query_string={"start": "5"}).status_code == 400
    assert client.head("/lens/v1/workloads/%20/metrics/data").status_code == 400
    assert client.head(DATA, query_string={"after": "x"}).status_code == 400


SOURCES = "/lens/v1/workloads/w/metrics/sources"
WRONG_METHODS = [(path, method) for path in (DATA, SOURCES) for method in ("put", "patch", "delete", "trace")]


@pytest.mark.parametrize(("path", "method"), [*WRONG_METHODS, (SOURCES, "post")])
def test_wrong_method(client: FlaskClient, method: str, path: str) -> None:
    response = getattr(client, method)(path)
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, HEAD, OPTIONS" + (", POST" if path == DATA else "")
    assert response.json["code"] == 405


@pytest.mark.parametrize(
    "path", ["/nix", "/lens/v1", "/lens/v1/workloads/w", "/lens/v1/workloads/w/metrics", f"{DATA}/", f"/{DATA}",
             "/lens/v1/workloads/a/b/metrics/data", "/lens/v1/workloads/a%2Fmetrics%2Fdata", "/lens//docs",
             "/lens/v1/workloads%2Fw/metrics/data", "/lens/v1/workloads/w%2F/x/metrics/data"]
)  # fmt: skip
def test_no_such_path(client: FlaskClient, path: str) -> None:
    response = client.get(path)
    assert response.status_code == 404
    assert response.headers["Cache-Control"] == "no-store"
    assert strict_json(response.text)["code"] == 404
