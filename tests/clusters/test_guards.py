"""Guards that fail to start, die, or fail in a check are started again, and the metrics show it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from lens_perf.app import REGISTRY
from lens_perf.clusters.guard import Watchdog
from lens_perf.clusters.guard_thread import CHECKS_BEFORE_SLEEP, GuardThread
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ClusterSaturatedError
from tests.conftest import READER, running_app
from tests.faults import no_new_threads, wait_until
from tests.instrumentation.exposition import value_of

PATH = "/lens/v1/workloads/w/metrics/sources"


@pytest.fixture
def app(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    text = f'[limits]\ndeadline_seconds = 0.5\n[clusters.alpha]\ndsn = "{postgres18.dsn("alpha", READER)}"'
    with running_app(write_settings(text)) as app:
        yield app


def counted(app: Flask, name: str, guard: str) -> float:
    return value_of(app.test_client().get("/metrics").text, name, guard=guard)


@pytest.fixture
def locked(postgres18: EmbeddedPostgres) -> Iterator[None]:
    connection = psycopg2.connect(postgres18.dsn("alpha"))
    connection.cursor().execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")
    yield
    connection.close()


@pytest.mark.usefixtures("locked")
def test_a_watchdog_that_cannot_be_started_is_started_later(app: Flask) -> None:
    failures = counted(app, "lens_perf_guard_failures_total", "watchdog")
    client = app.test_client()
    with no_new_threads():
        for _ in range(3):
            response = client.get(PATH)
            assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
            assert response.json is not None
            assert response.json["message"] == "The service has no thread to spare; try again in a moment"
    assert counted(app, "lens_perf_guard_failures_total", "watchdog") == failures + 3
    assert app.extensions[REGISTRY].connections_in_use("alpha") == 0
    running = counted(app, "lens_perf_guards_running", "watchdog")
    for _ in range(2):
        assert client.get(PATH).status_code == 504
    assert counted(app, "lens_perf_guards_running", "watchdog") == 1 >= running


# pytest reports SystemExit in a thread, which Python itself ignores.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_dead_guard_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def look() -> bool:
        looks.append(threading.get_ident())
        if len(looks) == 1:
            raise SystemExit  # ends a thread without a word
        return True

    guard = GuardThread("watchdog", 0.01, look)
    guard.wake()
    wait_until(lambda: guard._thread is not None and not guard._thread.is_alive())
    guard.wake()
    wait_until(lambda: len(looks) >= 3)
    assert "guard watchdog: the thread has ended; starting it again" in caplog.text


def test_a_failed_check_does_not_end_the_guard(caplog: pytest.LogCaptureFixture) -> None:
    looks: list[int] = []

    def look() -> bool:
        looks.append(threading.get_ident())
        if len(looks) < 5:
            raise ZeroDivisionError
        return True

    GuardThread("watchdog", 0.01, look).wake()
    wait_until(lambda: len(looks) >= 8)
    assert len(set(looks)) == 1
    assert caplog.text.count("guard watchdog: a check failed") == 4


def test_an_idle_guard_sleeps_and_wakes_at_once() -> None:
    looks: list[float] = []
    guard = GuardThread("watchdog", 0.001, lambda: bool(looks.append(time.monotonic())))
    guard.wake()
    wait_until(lambda: guard._sleeps)
    asleep = len(looks)
    assert asleep >= CHECKS_BEFORE_SLEEP
    time.sleep(0.05)
    assert len(looks) == asleep
    guard.wake()
    wait_until(lambda: len(looks) > asleep)


def test_no_query_runs_unguarded() -> None:
    """If the guard cannot be started, the block is not entered, and the query is not registered."""
    watchdog = Watchdog()
    near, far = socket.socketpair()
    with near, far, no_new_threads():
        for _ in range(3):
            with pytest.raises(ClusterSaturatedError), watchdog.watch(near, time.monotonic() + 9):
                raise AssertionError
        assert watchdog._queries == set()


def test_a_prober_that_cannot_be_started_is_started_later(app: Flask) -> None:
    registry = app.extensions[REGISTRY]
    failures = counted(app, "lens_perf_guard_failures_total", "prober")
    with no_new_threads():
        for _ in range(2):
            registry._clusters["alpha"]._breaker.note_failure(seconds=2)
        for _ in range(3):
            response = app.test_client().get(PATH)
            assert response.status_code == 503
            assert response.json is not None
            assert response.json["message"] == "Cluster alpha cannot be reached now; try again later"
    assert registry.breaker_state("alpha") == "open"
    # At least: the process may have other clusters whose probers cannot be started either.
    assert counted(app, "lens_perf_guard_failures_total", "prober") >= failures + 4
    # The next request that is refused starts the prober.
    assert app.test_client().get(PATH).status_code == 503
    wait_until(lambda: registry.breaker_state("alpha") == "closed")
    assert app.test_client().get(PATH).status_code == 200
