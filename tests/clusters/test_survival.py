"""Frozen servers, unresponsive listeners, disconnected clients: the responses, and that no connection is lost."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
import requests
from flask import Flask

from lens_perf.app import REGISTRY
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.points import point_count
from tests.conftest import READER, running_app, strict_json
from tests.faults import FORWARD, SILENT, TRICKLE, Gateway, frozen, open_gateway, wait_until
from tests.test_serving import gunicorn

PATH = "/lens/v1/workloads/w/metrics/"
SETTINGS = """
default_cluster = "near"
[limits]
deadline_seconds = 0.6
[pool]
wait_seconds = 0.2
[clusters.near]
dsn = "{near}"
[clusters.far]
dsn = "{far}"
"""
AWAY = "cannot be reached now; try again later"


@pytest.fixture
def gateway(postgres18: EmbeddedPostgres) -> Iterator[Gateway]:
    with open_gateway(postgres18) as gateway:
        yield gateway


@pytest.fixture
def settings(postgres18: EmbeddedPostgres, gateway: Gateway, write_settings: Callable[[str], Path]) -> Path:
    near, far = postgres18.dsn("alpha", READER), gateway.dsn("beta", READER)
    return write_settings(SETTINGS.format(near=near, far=far))


@pytest.fixture
def app(settings: Path) -> Iterator[Flask]:
    with running_app(settings) as app:
        yield app


@pytest.fixture
def superuser(postgres18: EmbeddedPostgres) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(postgres18.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        yield cursor


def get(app: Flask, endpoint: str = "sources", cluster: str = "near") -> tuple[int, str]:
    response = app.test_client().get(f"{PATH}{endpoint}{'&' if '?' in endpoint else '?'}cluster={cluster}")
    return response.status_code, strict_json(response.text).get("message", "")


def backends(superuser: psycopg2.extensions.cursor, database: str = "alpha") -> list[int]:
    superuser.execute(
        "SELECT pid FROM pg_stat_activity WHERE usename = %s AND datname = %s ORDER BY pid", (READER, database)
    )
    return [pid for (pid,) in superuser.fetchall()]


def in_use(app: Flask, cluster: str = "near") -> int:
    registry: ClusterRegistry = app.extensions[REGISTRY]
    return registry.connections_in_use(cluster)


@pytest.mark.parametrize("endpoint", ["sources", "data?metrics=loss", "data"])
def test_a_frozen_backend(app: Flask, superuser: psycopg2.extensions.cursor, endpoint: str) -> None:
    known = set(backends(superuser))
    assert get(app)[0] == 200
    (backend,) = set(backends(superuser)) - known
    ticks: list[float] = []
    done = threading.Event()

    def tick() -> None:
        while not done.wait(0.01):
            ticks.append(time.monotonic())

    ticker = threading.Thread(target=tick)
    ticker.start()
    with frozen(backend):
        status, message = get(app, endpoint)
        assert (status, message.split(";")[0]) == (504, "The query ran past its deadline")
        # Another thread could run all the time.
        assert len(ticks) > 10
        assert in_use(app) == 0
        assert get(app)[0] == 200
    done.set()
    ticker.join()
    wait_until(lambda: in_use(app) == 0)
    # The connection of the request was shut at its deadline.
    wait_until(lambda: backend not in backends(superuser))


def test_a_frozen_postmaster_opens_the_breaker(app: Flask, postgres18: EmbeddedPostgres) -> None:
    registry: ClusterRegistry = app.extensions[REGISTRY]
    with frozen(postgres18.postmaster_pid):
        for _ in range(2):
            assert registry.breaker_state("near") == "closed"
            assert get(app) == (503, f"Cluster near {AWAY}")
        assert registry.breaker_state("near") == "open"
        assert get(app) == (503, f"Cluster near {AWAY}")
    wait_until(lambda: registry.breaker_state("near") == "closed")
    assert get(app)[0] == 200
    assert in_use(app) == 0


@pytest.mark.parametrize("mode", [SILENT, TRICKLE])
def test_a_listener_that_does_not_answer(app: Flask, gateway: Gateway, mode: str) -> None:
    registry: ClusterRegistry = app.extensions[REGISTRY]
    gateway.mode = mode
    for _ in range(2):
        assert get(app, cluster="far") == (503, f"Cluster far {AWAY}")
    opened = gateway.connections
    for _ in range(20):
        assert get(app, cluster="far") == (503, f"Cluster far {AWAY}")
    # Once the breaker is open, only the probe connects, once a second.
    assert gateway.connections < opened + 20
    assert get(app, cluster="near")[0] == 200
    gateway.mode = FORWARD
    wait_until(lambda: registry.breaker_state("far") == "closed")
    assert get(app, cluster="far")[0] == 200
    assert in_use(app, "far") == 0


def test_an_open_breaker_does_not_affect_open_connections(app: Flask, gateway: Gateway) -> None:
    assert get(app, cluster="far")[0] == 200
    cluster = app.extensions[REGISTRY]._clusters["far"]
    cluster._breaker.note_failure(seconds=2)
    cluster._breaker.note_failure(seconds=2)
    assert cluster.breaker_state == "open"
    assert get(app, cluster="far")[0] == 200


def test_a_server_that_refuses_quickly_is_tried_by_each_request(app: Flask, gateway: Gateway) -> None:
    cluster = app.extensions[REGISTRY]._clusters["far"]
    for _ in range(2):
        cluster._breaker.note_failure(seconds=0.01)
    assert cluster.breaker_state == "open"
    # The first successful request closes the breaker, without waiting for the probe.
    assert get(app, cluster="far")[0] == 200
    assert cluster.breaker_state == "closed"


def test_a_connection_that_goes_silent(app: Flask, gateway: Gateway) -> None:
    assert get(app, cluster="far")[0] == 200
    gateway.mode = SILENT
    assert get(app, cluster="far")[0] == 504
    assert in_use(app, "far") == 0
    gateway.mode = FORWARD
    assert get(app, cluster="far")[0] == 200


def test_one_cluster_gets_half_of_the_threads(app: Flask, superuser: psycopg2.extensions.cursor) -> None:
    superuser.execute("BEGIN; LOCK training_performance IN ACCESS EXCLUSIVE MODE")
    answers: list[tuple[int, str]] = []
    threads = [threading.Thread(target=lambda: answers.append(get(app))) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_until(lambda: answers)
    assert answers[0] == (503, "Cluster near is busy; try again in a moment")
    assert get(app, cluster="far")[0] == 200
    for thread in threads:
        thread.join()
    assert sorted(status for status, _ in answers) == [503] * 4 + [504] * 4
    superuser.execute("ROLLBACK")
    assert get(app)[0] == 200


def test_heavy_reads_are_limited(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(point_count, "HEAVY_POINTS", 5)
    text = '[limits]\nheavy_reads = 1\n[pool]\nwait_seconds = 0.1\n[http]\nthreads = 4\n[clusters.near]\ndsn = "{}"'
    with running_app(write_settings(text.format(postgres18.dsn("alpha", READER)))) as app:
        with (
            closing(psycopg2.connect(postgres18.dsn("alpha"))) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(
                "INSERT INTO training_performance (workload_uid, iteration, created_at, performance)"
                " SELECT %s, i, now(), '{\"loss\": 1}' FROM generate_series(1, 6) AS i",
                (uid,),
            )
        client, registry = app.test_client(), app.extensions[REGISTRY]
        path = f"/lens/v1/workloads/{uid}/metrics/"
        with registry.admit_heavy_read("near"):
            for query in ("data", "data?metrics=loss", "iteration-times"):
                response = client.get(path + query)
                assert response.status_code == 503
                assert response.json["message"] == "Too many large reads at once; try again in a moment"
            assert client.get(path + "sources").status_code == 200
            assert registry.connections_in_use("near") == 0
        for query in ("data", "data?metrics=loss", "iteration-times"):
            assert client.get(path + query).status_code == 200


def test_a_disconnected_client_ends_the_query(settings: Path, superuser: psycopg2.extensions.cursor) -> None:
    settings.write_text(settings.read_text().replace("deadline_seconds = 0.6", "deadline_seconds = 60"))
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'"

    def count() -> int:
        superuser.execute("SELECT pg_stat_clear_snapshot()")
        superuser.execute(waiting, (READER,))
        ((found,),) = superuser.fetchall()
        return int(found)

    with gunicorn(settings) as address:
        superuser.execute("BEGIN; LOCK training_performance IN ACCESS EXCLUSIVE MODE")
        host, port = address.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port))) as client:
            client.sendall(f"GET {PATH}sources HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            wait_until(lambda: count() == 1)
        # The lock is still held, and the deadline far away.
        wait_until(lambda: count() == 0, seconds=5)
        superuser.execute("ROLLBACK")
        assert requests.get(address + PATH + "sources", timeout=10).status_code == 200
