"""POST with the parameters in the body: the same answers, parsing and access checks as GET."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lens_perf.access.token_file import create_token
from lens_perf.capacity import LARGEST_BODY
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at, running_app, strict_json, two_clusters

FORM = "application/x-www-form-urlencoded"


def path_of(uid: str) -> str:
    return f"/lens/v1/workloads/{uid}/metrics/data"


def post(client: FlaskClient, uid: str, body: dict[str, Any], query: str = "") -> TestResponse:
    return client.post(f"{path_of(uid)}{query}", data=body)


def without_cursor(body: bytes) -> bytes:
    """Return ``body`` without its cursor, which holds the second in which it was taken."""
    return re.sub(rb'"cursor":"[^"]*"', b"", body)


@pytest.fixture
def stored(store: Store, uid: str) -> str:
    store(uid, [Row({f"m{name}": index / 7 for name in range(30)}, index, at(index)) for index in range(20)])
    store(uid, [Row({"m0": -1})], "beta")
    return uid


QUERIES: list[dict[str, Any]] = [
    {},
    {"metrics": "m3,m1"},
    {"metrics": "{m3,m1}", "data_source": "log", "start": "3", "end": "9"},
    {"metric": ["m1", "m2", "m3", "m4", "m5", "m6"], "max_points": "5"},
    {"metrics": "m1", "layout": "columns"},
    {"metrics": "m1", "format": "csv"},
    {"metrics": "m0", "cluster": "beta"},
    {"metrics": "all", "after": ""},
]


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_post_and_get_have_the_same_answer(client: FlaskClient, stored: str, query: dict[str, Any]) -> None:
    expected = client.get(path_of(stored), query_string=query)
    answer = post(client, stored, query)
    assert (answer.status_code, expected.status_code) == (200, 200)
    assert without_cursor(answer.data) == without_cursor(expected.data)
    for name in ("Content-Type", "Cache-Control", "Content-Disposition", "Vary"):
        assert answer.headers.get(name) == expected.headers.get(name)
    assert ("X-Cursor" in answer.headers) == ("X-Cursor" in expected.headers) == ("after" in query)


def test_thousands_of_names(client: FlaskClient, stored: str) -> None:
    names = [f"a-rather-long-name-{number}" for number in range(4000)]
    answer = post(client, stored, {"metrics": ",".join(["m1", *names, "m2"])})
    assert strict_json(answer.text)["total_count"] == 40


def test_query_and_body_together(client: FlaskClient, stored: str) -> None:
    answer = post(client, stored, {"metrics": "m1"}, "?start=3&end=4")
    assert strict_json(answer.text)["total_count"] == 2
    for query in ("?metrics=m2", "?metrics=m1"):
        answer = post(client, stored, {"metrics": "m1"}, query)
        assert (answer.status_code, strict_json(answer.text)["message"]) == (400, "metrics must be given once")


def test_post_never_returns_304(client: FlaskClient, stored: str) -> None:
    etag = post(client, stored, {}).headers["ETag"]
    assert client.post(path_of(stored), headers={"If-None-Match": etag}, data={}).status_code == 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"start": "x", "end": "5"}, "Invalid start time format"),
        ({"start": "5"}, "start and end must be used together"),
        ({"nonsense": "1"}, "Unknown parameter nonsense"),
        ({"max_points": "1_0"}, "max_points must be a whole number"),
        ({"metric": ["a\0b"]}, "a metric name must not contain NUL"),
        ({"cluster": "invented"}, 'Unknown cluster "invented"'),
    ],
)
def test_errors_name_the_parameter(client: FlaskClient, uid: str, body: dict[str, Any], message: str) -> None:
    answer = post(client, uid, body)
    assert answer.status_code == 400
    assert strict_json(answer.text)["message"].startswith(message)


@pytest.mark.parametrize(
    ("keywords", "status", "message"),
    [
        ({"json": {"metrics": "m1"}}, 415, f"Send the parameters as {FORM}"),
        ({"data": b"metrics=m1", "content_type": "text/plain"}, 415, f"Send the parameters as {FORM}"),
        ({"data": b"--x\r\n", "content_type": "multipart/form-data; boundary=x"}, 415, "Send the parameters as"),
        (
            {"data": b"cluster=beta&metrics=l\xf6ss", "content_type": FORM},
            400,
            "Send the parameters in UTF-8, percent-",
        ),
        (
            {"data": b"m", "content_type": FORM, "headers": {"Content-Encoding": "gzip"}},
            415,
            "Send the parameters without Content-Encoding",
        ),
        (
            {"data": b"metrics=" + b"a" * LARGEST_BODY, "content_type": FORM},
            413,
            "The body is larger than 131072 bytes",
        ),
        (
            {"content_type": FORM, "headers": {"Transfer-Encoding": "chunked"}},
            411,
            "Send the parameters with a Content-",
        ),
    ],
)
def test_bodies_must_be_forms(
    client: FlaskClient, uid: str, keywords: dict[str, Any], status: int, message: str
) -> None:
    if status == 411:
        keywords |= {"environ_overrides": {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}}
    answer = client.post(path_of(uid), **keywords)
    body = strict_json(answer.text)
    assert (answer.status_code, body["code"]) == (status, status)
    assert body["message"].startswith(message)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.fixture
def guarded(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Iterator[tuple[Flask, str]]:
    """An application with tokens, and a token for beta alone."""
    path = write_settings(two_clusters(postgres18) + '[access]\ntoken_file = "tokens.toml"\n')
    secret = create_token(path.with_name("tokens.toml"), "half", ["beta"])
    with running_app(path) as app:
        yield app, secret


@pytest.mark.parametrize(
    ("body", "query", "status"),
    [
        ({"cluster": "beta"}, "", 200),
        ({}, "?cluster=beta", 200),
        ({"cluster": "alpha"}, "", 403),
        ({}, "?cluster=alpha", 403),
        ({}, "", 403),
        ({"cluster": ""}, "", 403),
        # The token must be valid for the cluster of the query and for that of the body.
        ({"cluster": "alpha"}, "?cluster=beta", 403),
        ({"cluster": "beta"}, "?cluster=alpha", 400),
        ({"cluster": ["beta", "alpha"]}, "", 400),
        ({"cluster": ["", "alpha"]}, "", 403),
    ],
)
def test_a_token_reads_its_clusters_only(
    guarded: tuple[Flask, str], uid: str, body: dict[str, Any], query: str, status: int
) -> None:
    app, secret = guarded
    client = app.test_client()
    assert post(client, uid, body, query).status_code == 401
    answer = client.post(f"{path_of(uid)}{query}", data=body, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == status


def test_the_body_names_the_cluster_of_the_log_and_the_metrics(
    client: FlaskClient, stored: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = counted(client)
    post(client, stored, {"cluster": "beta"})
    assert counted(client) == before + 1


def counted(client: FlaskClient) -> int:
    lines = client.get("/metrics").text.splitlines()
    wanted = 'lens_perf_requests_total{cluster="beta",endpoint="metrics.post_data",status="200"}'
    return int(float(next((line.split()[-1] for line in lines if line.startswith(wanted)), "0")))


@pytest.mark.parametrize(
    ("path", "parameter", "value"),
    [
        ("workloads/x/metrics/data", "cluster", "nobody"),
        ("workloads/x/metrics/data", "after", "abc"),
        ("workloads/x/metrics/data", "start", "abc"),
        ("metrics/data", "workload", "nobody/x"),
        ("metrics/progress", "workload", "nobody/x"),
    ],
)
def test_an_error_names_the_place_of_the_parameter(client: FlaskClient, path: str, parameter: str, value: str) -> None:
    posted = client.post(f"/lens/v1/{path}", data={parameter: value})
    asked = client.get(f"/lens/v1/{path}", query_string={parameter: value})
    assert posted.status_code == asked.status_code == 400
    assert posted.json["errors"] == {"form": asked.json["errors"]["query"]}
    assert parameter in posted.json["errors"]["form"]
