"""Real faults: killed backends, a locked table, a full pool, a result that is too large."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from lens_perf.app import REGISTRY
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, running_app, strict_json
from tests.faults import wait_until

SETTINGS = """
[pool]
size = 1
wait_seconds = 0.2
[limits]
deadline_seconds = 0.5
max_points = 100
[clusters.alpha]
dsn = "{dsn}"
"""


@pytest.fixture
def strict_app(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    """An application with one connection, a deadline of half a second and a limit of 100 points."""
    with running_app(write_settings(SETTINGS.format(dsn=postgres.dsn("alpha", READER)))) as app:
        yield app


@pytest.fixture
def patient_app(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    """The same with a deadline that no query reaches."""
    settings = SETTINGS.replace("deadline_seconds = 0.5", "deadline_seconds = 30")
    with running_app(write_settings(settings.format(dsn=postgres.dsn("alpha", READER)))) as app:
        yield app


def get(app: Flask, uid: str, endpoint: str, query: str = "") -> tuple[int, str]:
    response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/{endpoint}{query}")
    return response.status_code, strict_json(response.text).get("message", "")


ENDPOINTS = ("sources", "available", "data", "data?metrics=loss", "iteration-times")


@pytest.fixture
def superuser(postgres: EmbeddedPostgres) -> Iterator[psycopg2.extensions.cursor]:
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        yield cursor


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_query_past_its_deadline(
    strict_app: Flask, superuser: psycopg2.extensions.cursor, uid: str, endpoint: str
) -> None:
    superuser.execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")
    status, message = get(strict_app, uid, endpoint)
    assert (status, message.split(";")[0]) == (504, "The query ran past its deadline")
    superuser.connection.rollback()
    # On a busy machine a later request can pass the strict deadline as well.
    wait_until(lambda: get(strict_app, uid, endpoint)[0] == 200)


KILL = """
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
WHERE application_name = 'lens_perf' AND datname = 'alpha' AND state = %s AND (NOT %s OR wait_event_type = 'Lock')
"""


def kill(superuser: psycopg2.extensions.cursor, state: str, *, waits: bool = False) -> int:
    """End the backends in ``state``, with ``waits`` only those that wait for a lock; return their number."""
    superuser.execute(KILL, (state, waits))
    return superuser.rowcount


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_killed_idle_backends_fail_no_request(
    patient_app: Flask, superuser: psycopg2.extensions.cursor, uid: str, endpoint: str
) -> None:
    superuser.connection.autocommit = True
    for _ in range(5):
        assert get(patient_app, uid, endpoint)[0] == 200
        assert kill(superuser, "idle") >= 1
    assert get(patient_app, uid, endpoint)[0] == 200


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_killed_active_backend_fails_one_request_and_loses_no_slot(
    patient_app: Flask, superuser: psycopg2.extensions.cursor, uid: str, endpoint: str
) -> None:
    superuser.execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")
    answers: list[tuple[int, str]] = []
    asking = threading.Thread(target=lambda: answers.append(get(patient_app, uid, endpoint)))
    asking.start()
    # PgBouncer may be checking the connection with a query of its own.
    while not kill(superuser, "active", waits=True):
        superuser.execute("SELECT pg_stat_clear_snapshot()")
    asking.join()
    superuser.connection.rollback()
    assert answers == [(503, "Cluster alpha cannot be reached now; try again later")]
    assert get(patient_app, uid, endpoint)[0] == 200
    assert patient_app.extensions[REGISTRY].connections_in_use("alpha") == 0


def test_a_full_pool_is_reported_soon(patient_app: Flask, superuser: psycopg2.extensions.cursor, uid: str) -> None:
    superuser.execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")
    waiting = threading.Thread(target=get, args=(patient_app, uid, "sources"))
    waiting.start()
    while patient_app.extensions[REGISTRY].connections_in_use("alpha") == 0:
        time.sleep(0.005)
    assert get(patient_app, uid, "sources") == (503, "Cluster alpha is busy; try again in a moment")
    superuser.connection.rollback()
    waiting.join()
    assert get(patient_app, uid, "sources")[0] == 200


@pytest.mark.parametrize("query", ["", "?metrics=loss", "?metrics=loss,a,b,c,d"])
def test_a_result_beyond_the_limit(patient_app: Flask, store: Store, uid: str, query: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(101)])
    status, message = get(patient_app, uid, "data", query)
    assert status == 413
    assert message.startswith("The result has more than 100 data points; limit it with metrics, ")
    assert message.endswith("data_source, start and end, or max_points")
    assert get(patient_app, uid, "data", f"{query}{'&' if query else '?'}max_points=50")[0] == 200
    assert get(patient_app, uid, "iteration-times")[0] == 413
    assert patient_app.extensions[REGISTRY].connections_in_use("alpha") == 0
    assert get(patient_app, uid, "data", "?metrics=nothing")[0] == 200


def test_a_large_result_beyond_the_limit_leaves_the_pool_usable(patient_app: Flask, store: Store, uid: str) -> None:
    store(uid, [Row({f"metric_{number}": index for number in range(50)}, index) for index in range(2000)])
    for _ in range(3):
        assert get(patient_app, uid, "data")[0] == 413
        assert get(patient_app, uid, "sources")[0] == 200


def test_an_unexpected_exception(strict_app: Flask, uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr("lens_perf.performance.service.select_sources", fail)
    assert get(strict_app, uid, "sources") == (500, "Internal server error")
    assert strict_app.extensions[REGISTRY].connections_in_use("alpha") == 0


def test_answers_larger_than_memory(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str
) -> None:
    store(uid, [Row({"loss": index / 7}, index) for index in range(3000)])
    text = f'[limits]\nmemory_mib = 0\n[clusters.alpha]\ndsn = "{postgres.dsn("alpha", READER)}"'
    with running_app(write_settings(text)) as app:
        response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/data")
        assert response.content_length == len(response.data)
        assert [point["value"] for point in strict_json(response.text)["data"]] == [index / 7 for index in range(3000)]
        response.close()
