"""Queries to many clusters: the number of threads is limited, and clusters that hang do not delay others."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lens_perf.clusters.fan_out import FanOut
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ClusterUnreachableError, DeadlineExceededError, QueryFailedError
from tests.clusters.test_guards import no_new_threads
from tests.conftest import READER, running_app
from tests.faults import SILENT, open_gateway


@pytest.fixture
def release() -> Iterator[threading.Event]:
    """An event that ends the hanging queries after the test."""
    event = threading.Event()
    yield event
    event.set()


def list_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "clusters" in thread.name]


def test_answers_and_errors_by_name() -> None:
    def ask(name: str) -> str:
        if name == "away":
            raise ClusterUnreachableError("away")
        if name == "odd":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return name.upper()

    found, failures = FanOut(4).ask_all("key", ["a", "away", "odd", "b"], ask, 5)
    assert found == {"a": "A", "b": "B"}
    assert {name: type(error) for name, error in failures.items()} == {
        "away": ClusterUnreachableError,
        "odd": QueryFailedError,
    }
    assert failures["odd"].message == "Internal server error"


def test_an_unexpected_error_is_logged_and_not_taken_for_a_deadline(caplog: pytest.LogCaptureFixture) -> None:
    FanOut(2).ask_all("key", ["odd"], lambda _name: 1 // 0, 5)
    assert "ZeroDivisionError" in caplog.text


def test_a_hanging_cluster_is_named_and_queried_once(release: threading.Event) -> None:
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        if name == "hangs":
            release.wait(30)
        return name

    fan_out = FanOut(4)
    for _ in range(5):
        found, failures = fan_out.ask_all("key", ["hangs", "a", "b"], ask, 0.05)
        assert sorted(found) == ["a", "b"]
        assert failures["hangs"].message == "Cluster hangs did not answer in time"
        assert type(failures["hangs"]) is DeadlineExceededError
    assert asked.count("hangs") == 1


def test_hanging_clusters_do_not_block_others(release: threading.Event) -> None:
    hanging = [f"hangs-{number}" for number in range(30)]

    def ask(name: str) -> str:
        if name in hanging:
            release.wait(30)
        return name

    fan_out = FanOut(4)
    fan_out.ask_all("key", ["a", "b"], ask, 5)
    for _ in range(5):
        found, failures = fan_out.ask_all("key", [*hanging, "a", "b"], ask, 0.2)
        assert {"a", "b"} <= set(found)
        assert len(failures) == 30


def test_without_a_thread_the_service_is_saturated() -> None:
    fan_out = FanOut(4)
    with no_new_threads():
        found, failures = fan_out.ask_all("key", ["a", "b"], str.upper, 0.1)
        assert found == {}
        assert {error.message for error in failures.values()} == {
            "The service has no thread to spare; try again in a moment"
        }
    assert fan_out.ask_all("key", ["a", "b"], str.upper, 5) == ({"a": "A", "b": "B"}, {})


def test_twenty_silent_clusters_and_sixteen_callers(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]
) -> None:
    """Every answer is a 200 that names the unresponsive clusters, and the number of threads remains limited."""
    with open_gateway(postgres18) as gateway:
        gateway.mode = SILENT
        silent = "".join(f'[clusters.silent{n}]\ndsn = "{gateway.dsn("beta", READER)}"\n' for n in range(20))
        text = f'default_cluster = "alpha"\n[limits]\ncluster_threads = 12\n[clusters.alpha]\ndsn = "{{}}"\n{silent}'
        before = len(list_threads())
        with running_app(write_settings(text.format(postgres18.dsn("alpha", READER)))) as app:
            until = time.monotonic() + 6
            most = 0

            def ask() -> list[tuple[int, int]]:
                nonlocal most
                answers = []
                while time.monotonic() < until:
                    response = app.test_client().get("/lens/v1/workloads")
                    warnings = {} if response.json is None else {each["cluster"] for each in response.json["warnings"]}
                    answers.append((response.status_code, len(warnings), "alpha" in warnings))
                    most = max(most, len(list_threads()))
                return answers

            with ThreadPoolExecutor(16, "caller") as callers:
                answers = [each for future in [callers.submit(ask) for _ in range(16)] for each in future.result()]
            assert set(answers) == {(200, 20, False)}
            assert most - before <= 12
            ready = app.test_client().get("/readyz")
            assert ready.status_code == 200
