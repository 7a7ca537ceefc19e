"""The readiness of clusters: checked in parallel, not delayed by clusters that hang, and cached for many probes."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

from lens_perf.clusters.fan_out import FanOut
from lens_perf.errors import ClusterSaturatedError, ClusterUnreachableError
from lens_perf.performance import readiness
from lens_perf.performance.readiness import Readiness


class Clusters:
    """Clusters that fail or hang on demand."""

    def __init__(self, *names: str) -> None:
        self.names: Sequence[str] = names
        self.faults: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.awake = threading.Event()
        self.asked: list[str] = []
        self.ask_all = FanOut(8).ask_all

    @contextmanager
    def read(self, requested: str | None) -> Iterator["Clusters"]:
        assert requested
        self.asked.append(requested)
        if requested in self.hanging:
            self.awake.wait(30)
        if requested in self.faults:
            raise self.faults[requested]
        yield self

    def fetch_all(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        assert statement == readiness.CHECK_READINESS
        return [] if not parameters else self.copy_out()

    def copy_out(self, *_arguments: object) -> NoReturn:
        raise NotImplementedError


@pytest.fixture
def clusters() -> Iterator[Clusters]:
    clusters = Clusters("a", "b")
    yield clusters
    clusters.awake.set()


@pytest.fixture
def checked(clusters: Clusters, monkeypatch: pytest.MonkeyPatch) -> Readiness:
    """A readiness check with a short time limit and without a cache, so that the tests need not wait."""
    monkeypatch.setattr(readiness, "BOUND_SECONDS", 0.1)
    monkeypatch.setattr(readiness, "CACHE_SECONDS", 0.0)
    return Readiness(clusters, lambda name: f"breaker of {name}")


def states(checked: Readiness) -> list[tuple[str, bool, str | None]]:
    return [(state.name, state.ready, state.last_error) for state in checked.check()]


def test_all_answer(checked: Readiness) -> None:
    assert states(checked) == [("a", True, None), ("b", True, None)]
    assert [state.breaker for state in checked.check()] == ["breaker of a", "breaker of b"]


def test_one_fails_and_comes_back(checked: Readiness, clusters: Clusters) -> None:
    clusters.faults["b"] = ClusterUnreachableError("host=10.0.0.1 password=hunter2")
    assert states(checked) == [("a", True, None), ("b", False, "ClusterUnreachableError")]
    del clusters.faults["b"]
    assert states(checked)[1] == ("b", True, None)


def test_a_cluster_that_hangs_is_queried_once(checked: Readiness, clusters: Clusters) -> None:
    clusters.hanging.add("a")
    for _ in range(3):
        assert states(checked) == [("a", False, "DeadlineExceededError"), ("b", True, None)]
    assert clusters.asked.count("a") == 1
    clusters.hanging.clear()
    clusters.awake.set()
    while not states(checked)[0][1]:
        pass


def test_a_busy_cluster_keeps_its_state(checked: Readiness, clusters: Clusters) -> None:
    clusters.faults["a"] = ClusterSaturatedError("busy")
    assert states(checked)[0] == ("a", True, "ClusterSaturatedError")
    clusters.faults["a"] = ClusterUnreachableError("away")
    assert states(checked)[0] == ("a", False, "ClusterUnreachableError")
    clusters.faults["a"] = ClusterSaturatedError("busy")
    assert states(checked)[0] == ("a", False, "ClusterSaturatedError")


def test_many_probes_cause_one_query(clusters: Clusters) -> None:
    checked = Readiness(clusters, lambda _name: "closed")
    threads = [threading.Thread(target=checked.check) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(clusters.asked) == ["a", "b"]


def test_while_one_probe_waits_others_get_the_last_answer(checked: Readiness, clusters: Clusters) -> None:
    before = states(checked)
    checked._asking.acquire()
    assert states(checked) == before
    assert len(clusters.asked) == 2
