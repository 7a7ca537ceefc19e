"""Liveness, readiness and the metrics of the service."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, running_app, strict_json
from tests.instrumentation.exposition import value_of

PATHS = ("/healthz", "/readyz", "/metrics")
AWAY = '[clusters.away]\ndsn = "host=127.0.0.1 port=1 password=hunter2"'

WriteSettings = Callable[[str], Path]


def test_alive(client: FlaskClient) -> None:
    response = client.get("/healthz")
    assert (response.status_code, strict_json(response.text)) == (200, {"status": "ok"})


def test_alive_without_any_database(write_settings: WriteSettings) -> None:
    with running_app(write_settings(AWAY)) as app:
        assert app.test_client().get("/healthz").status_code == 200
        assert app.test_client().get("/metrics").status_code == 200


def test_ready_if_any_cluster_is(client: FlaskClient) -> None:
    response = client.get("/readyz")
    body = strict_json(response.text)
    assert (response.status_code, body["status"]) == (200, "ready")
    assert {each["name"]: (each["ready"], each["last_error"]) for each in body["clusters"]} == {
        "alpha": (True, None),
        "beta": (True, None),
        "unreachable": (False, "ClusterUnreachableError"),
        "without_table": (False, "ClusterMisconfiguredError"),
        "without_database": (False, "ClusterMisconfiguredError"),
    }
    assert {each["breaker"] for each in body["clusters"]} <= {"closed", "open", "unknown"}


def test_ready_only_if_all_are(postgres: EmbeddedPostgres, write_settings: WriteSettings) -> None:
    alive = (
        f'default_cluster = "a"\n[http]\nready_needs_all = true\n[clusters.a]\ndsn = "{postgres.dsn("alpha", READER)}"'
    )
    with running_app(write_settings(alive)) as app:
        assert app.test_client().get("/readyz").status_code == 200
    with running_app(write_settings(f"{alive}\n{AWAY}")) as app:
        response = app.test_client().get("/readyz")
        assert (response.status_code, strict_json(response.text)["status"]) == (503, "not ready")
        assert response.headers["Retry-After"] == "1"


def test_not_ready(write_settings: WriteSettings) -> None:
    with running_app(write_settings(AWAY)) as app:
        response = app.test_client().get("/readyz")
    assert response.status_code == 503
    for secret in ("hunter2", "127.0.0.1", "refused"):
        assert secret not in response.text


@pytest.fixture
def black_hole() -> Iterator[int]:
    """The port of a listener that accepts connections and never responds."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        yield listener.getsockname()[1]


def test_a_cluster_that_hangs_does_not_delay_readiness(
    postgres: EmbeddedPostgres, write_settings: WriteSettings, black_hole: int
) -> None:
    # Connecting alone would take a minute: only the time limit makes this test end soon.
    hung = f'[clusters.hung]\ndsn = "host=127.0.0.1 port={black_hole} connect_timeout=60"'
    text = f'default_cluster = "a"\n[clusters.a]\ndsn = "{postgres.dsn("alpha", READER)}"\n{hung}'
    with running_app(write_settings(text)) as app:
        response = app.test_client().get("/readyz")
    assert response.status_code == 200
    ready = {each["name"]: each["ready"] for each in strict_json(response.text)["clusters"]}
    assert ready == {"a": True, "hung": False}


@pytest.mark.parametrize("path", PATHS)
def test_methods(client: FlaskClient, path: str) -> None:
    assert client.get(path).headers["Cache-Control"] == "no-store"
    head = client.head(path)
    assert (head.status_code, head.data) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        refused = client.open(path, method=method)
        assert refused.status_code == strict_json(refused.text)["code"] == 405
        assert refused.headers["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("path", PATHS)
def test_probes_are_not_part_of_the_api(client: FlaskClient, path: str) -> None:
    assert client.get(f"/lens{path}").status_code == client.get(f"/lens/v1{path}").status_code == 404
    assert not [each for each in client.get("/lens/openapi.json").json["paths"] if each.endswith(path)]


def test_metrics_count_requests(app: Flask, uid: str) -> None:
    client = app.test_client()
    labels = {"endpoint": "metrics.get_sources", "cluster": "beta", "status": "200"}
    before = value_of(client.get("/metrics").text, "lens_perf_requests_total", **labels)
    assert client.get(f"/lens/v1/workloads/{uid}/metrics/sources?cluster=beta").status_code == 200
    response = client.get("/metrics")
    assert response.content_type.startswith("text/plain; version=")
    assert value_of(response.text, "lens_perf_requests_total", **labels) == before + 1
