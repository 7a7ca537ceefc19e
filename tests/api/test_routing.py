"""Which cluster answers a request, and the errors of unusable clusters."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, running_app, strict_json, two_clusters

ENDPOINTS = ("sources", "available", "data", "iteration-times")


@pytest.fixture(autouse=True)
def different_data(store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1})], "alpha")
    store(uid, [Row({"loss": 2}), Row({"loss": 3})], "beta")


def losses(app: Flask, uid: str, cluster: str = "") -> list[float]:
    path = f"/lens/v1/workloads/{uid}/metrics/data"
    response = app.test_client().get(path, query_string={"cluster": cluster} if cluster else {})
    assert response.status_code == 200, response.text
    return [point["value"] for point in response.json["data"]]


def test_the_requested_then_the_default_cluster(app: Flask, uid: str) -> None:
    assert losses(app, uid, "alpha") == [1]
    assert losses(app, uid, "beta") == [2, 3]
    assert losses(app, uid) == [1]


def test_the_current_cluster_without_a_default(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str
) -> None:
    with running_app(write_settings(two_clusters(postgres).replace('default_cluster = "alpha"', ""))) as app:
        assert losses(app, uid) == [2, 3]
        assert losses(app, uid, "alpha") == [1]


def test_the_only_cluster(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str) -> None:
    with running_app(write_settings(f'[clusters.solo]\ndsn = "{postgres.dsn("beta", READER)}"')) as app:
        assert losses(app, uid) == losses(app, uid, "solo") == [2, 3]


@pytest.mark.parametrize("endpoint", ENDPOINTS)
@pytest.mark.parametrize(
    ("cluster", "words"),
    [
        ("unreachable", "cannot be reached now"),
        ("without_table", "is not set up for this service"),
        ("without_database", "is not set up for this service"),
    ],
)
def test_unusable_cluster(client: FlaskClient, uid: str, endpoint: str, cluster: str, words: str) -> None:
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/{endpoint}?cluster={cluster}")
    body = strict_json(response.text)
    assert response.status_code == body["code"] == 503
    assert words in body["message"]
    assert response.headers["Retry-After"] == "1"
    assert response.headers["Cache-Control"] == "no-store"
    for secret in ("127.0.0.1", "lens_reader", "nowhere", "training_performance", "FATAL", "refused", "psycopg"):
        assert secret not in response.text


def test_an_unavailable_cluster_does_not_affect_others(app: Flask, uid: str) -> None:
    for _ in range(20):
        assert app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/sources?cluster=unreachable").status_code == 503
        assert losses(app, uid) == [1]
