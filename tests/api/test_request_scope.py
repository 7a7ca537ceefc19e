"""The id, timings, metrics and log line of every request."""

import io
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.request_log import REQUEST_LOGGER, JsonFormatter
from lens_perf.instrumentation.timing import current_timings
from tests.conftest import Row, Store, strict_json
from tests.instrumentation.exposition import read_samples

SERVER_TIMING = re.compile(r"auth;dur=[\d.]+, pool;dur=[\d.]+, query;dur=[\d.]+, render;dur=[\d.]+")
EVERY_KIND = [
    ("GET", "/lens/v1/workloads/{uid}/metrics/sources", 200),
    ("GET", "/lens/v1/workloads/{uid}/metrics/data", 200),
    ("HEAD", "/lens/v1/workloads/{uid}/metrics/data", 200),
    ("OPTIONS", "/lens/v1/workloads/{uid}/metrics/data", 200),
    ("GET", "/lens/v1/workloads/{uid}/metrics/sources?cluster=nobody", 400),
    ("GET", "/lens/v1/workloads/{uid}/metrics/sources?cluster=unreachable", 503),
    ("GET", "/nowhere", 404),
    ("POST", "/healthz", 405),
    ("GET", "/lens/docs", 200),
    ("GET", "/metrics", 200),
]


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """The request log as written."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger(REQUEST_LOGGER)
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield stream
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(handler)


def only_line(log: io.StringIO) -> Any:
    lines = log.getvalue().split("\n")
    assert lines[1:] == [""], lines
    assert re.fullmatch("[ -~]+", lines[0])
    return strict_json(lines[0])


@pytest.mark.parametrize("kind", EVERY_KIND, ids=str)
def test_every_response_is_logged(client: FlaskClient, log: io.StringIO, uid: str, kind: tuple[str, str, int]) -> None:
    method, path, status = kind
    with client.open(path.format(uid=uid), method=method, headers={"X-Request-Id": "from-the-proxy"}) as response:
        size = len(response.data)
    assert response.status_code == status
    assert response.headers.getlist("X-Request-Id") == ["from-the-proxy"]
    assert SERVER_TIMING.fullmatch(response.headers["Server-Timing"])
    line = only_line(log)
    assert line["request_id"] == "from-the-proxy"
    assert (line["method"], line["status"]) == (method, status)
    assert line["path"] == path.format(uid=uid).partition("?")[0]
    assert line["bytes"] == size
    assert line["remote"] == "127.0.0.1"
    assert line["duration_ms"] == pytest.approx(sum(line["phases_ms"].values()), abs=0.05)


@pytest.mark.parametrize(
    ("query", "cluster"),
    [("", "alpha"), ("?cluster=", "alpha"), ("?cluster=beta", "beta"), ("?cluster=nobody%0a", "other")],
)
def test_the_cluster(client: FlaskClient, log: io.StringIO, uid: str, query: str, cluster: str) -> None:
    client.get(f"/lens/v1/workloads/{uid}/metrics/sources{query}")
    line = only_line(log)
    assert (line["cluster"], line["endpoint"]) == (cluster, "metrics.get_sources")


def test_a_body_of_known_length(client: FlaskClient, log: io.StringIO, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(50)])
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/data")
    assert only_line(log)["bytes"] == len(response.data) > 1000


def test_an_error_of_the_service(
    client: FlaskClient, log: io.StringIO, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("lens_perf.performance.service.select_sources", fail)
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/sources")
    assert response.status_code == 500
    assert "Server-Timing" in response.headers
    line = only_line(log)
    assert (line["status"], line["request_id"]) == (500, response.headers["X-Request-Id"])


FORGED = '{"status": 200}'


@pytest.mark.parametrize(
    "given",
    ["a b", "x" * 129, "", "\x1b[31m", 'a", "status": "x', "é", f"a\\n{FORGED}", "\x7f", "\x85", "a\tb"],
)
def test_a_request_id_of_another_form_is_replaced(client: FlaskClient, log: io.StringIO, given: str) -> None:
    response = client.get("/healthz", environ_overrides={"HTTP_X_REQUEST_ID": given})
    assert re.fullmatch("[0-9a-f]{32}", response.headers["X-Request-Id"])
    assert only_line(log)["request_id"] == response.headers["X-Request-Id"]


@pytest.mark.parametrize(
    "break_in", [f"\r\n{FORGED}\r\n", "\x1b[2J\x1b]0;owned\x07", "\0", "\x9b31m", "\u2028", "\x7f"]
)
@pytest.mark.parametrize("place", ["RAW_URI", "PATH_INFO", "HTTP_AUTHORIZATION", "HTTP_X_REQUEST_ID", "REQUEST_METHOD"])
def test_no_input_breaks_a_log_line(client: FlaskClient, log: io.StringIO, place: str, break_in: str) -> None:
    # Servers refuse such bytes, but the log does not rely on that.
    text = break_in.encode().decode("latin-1")
    client.get("/healthz", environ_overrides={place: {"RAW_URI": "/", "PATH_INFO": "/"}.get(place, "") + text})
    line = only_line(log)
    if place == "RAW_URI":
        assert line["path"] == f"/{text}"


def test_no_secret_is_logged(client: FlaskClient, log: io.StringIO, uid: str) -> None:
    client.get(
        f"/lens/v1/workloads/{uid}/metrics/data?token=hunter2&cluster=hunter2",
        headers={
            "Authorization": "Bearer hunter2",
            "Cookie": "hunter2",
            "Referer": "hunter2",
            "X-Request-Id": "hunter2!",
        },
    )
    client.get("/healthz", environ_overrides={"RAW_URI": "http://user:hunter2@host/healthz"})
    assert log.getvalue().count("\n") == 2
    assert "hunter2" not in log.getvalue()


def test_the_timings_end_with_the_request(client: FlaskClient) -> None:
    client.get("/healthz")
    assert current_timings() is None


def test_labels_are_bounded(app: Flask) -> None:
    client = app.test_client()
    # Metrics belong to the process, so they include endpoints of other tests' applications.
    before = endpoints_of(metrics.expose().decode())
    for number in range(30):
        client.get(f"/invented/{number}")
        client.get(f"/lens/v1/workloads/u{number}/metrics/data?cluster=invented-{number}")
        client.open("/healthz", method=f"INVENTED{number}")
    assert "invented" not in metrics.expose().decode().lower()
    added = endpoints_of(metrics.expose().decode()) - before
    assert added <= {rule.endpoint for rule in app.url_map.iter_rules()} | {"other"}


def endpoints_of(exposition: str) -> set[str | None]:
    """Return the values of the label ``endpoint``."""
    return {dict(labels).get("endpoint") for _, labels in read_samples(exposition)}
