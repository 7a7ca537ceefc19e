"""The metrics of one process: the effect of each function, and that all labels are bounded."""

from collections.abc import Callable

import pytest

from lens_perf import __version__
from lens_perf.instrumentation import metrics
from tests.instrumentation.exposition import read_samples, value_of

CLUSTER = "metrics-test"


@pytest.fixture(autouse=True)
def declared() -> None:
    metrics.declare_clusters([CLUSTER])


def exposed() -> str:
    return metrics.expose().decode()


COUNTS: list[tuple[Callable[[str], None], str, dict[str, str], float]] = [
    (lambda name: metrics.count_refusal(name, "heavy"), "lens_perf_refused_total", {"reason": "heavy"}, 1),
    (lambda name: metrics.count_connect(name, "ok"), "lens_perf_connects_total", {"outcome": "ok"}, 1),
    (lambda name: metrics.count_connect(name, "failed"), "lens_perf_connects_total", {"outcome": "failed"}, 1),
    (lambda name: metrics.count_connect(name, "limit"), "lens_perf_connects_total", {"outcome": "limit"}, 1),
    (metrics.count_deadline, "lens_perf_deadline_exceeded_total", {}, 1),
    (metrics.count_client_left, "lens_perf_client_left_total", {}, 1),
    (lambda name: metrics.observe_pool_wait(name, 0.25), "lens_perf_pool_wait_seconds_sum", {}, 0.25),
    (lambda name: metrics.observe_pool_wait(name, 0.25), "lens_perf_pool_wait_seconds_count", {}, 1),
    (lambda name: metrics.count_request("e", name, 200, 3), "lens_perf_request_seconds_sum", {"endpoint": "e"}, 3),
    (
        lambda name: metrics.count_request("e", name, 503, 3),
        "lens_perf_requests_total",
        {"endpoint": "e", "status": "503"},
        1,
    ),
    (lambda name: metrics.count_sent("e", name, 7, 99), "lens_perf_rows_out_total", {"endpoint": "e"}, 7),
    (lambda name: metrics.count_sent("e", name, 7, 99), "lens_perf_bytes_out_total", {"endpoint": "e"}, 99),
]


@pytest.mark.parametrize(("count", "name", "labels", "amount"), COUNTS)
@pytest.mark.parametrize("asked", [(CLUSTER, CLUSTER), ("nobody configured this", "other")])
def test_counts(
    count: Callable[[str], None], name: str, labels: dict[str, str], amount: float, asked: tuple[str, str]
) -> None:
    cluster, label = asked
    before = value_of(exposed(), name, cluster=label, **labels)
    count(cluster)
    assert value_of(exposed(), name, cluster=label, **labels) == before + amount
    assert "nobody configured this" not in exposed()


def test_gauges() -> None:
    metrics.set_pool_use(CLUSTER, 3, 5)
    metrics.set_breaker_open(CLUSTER, True)
    assert value_of(exposed(), "lens_perf_pool_connections", cluster=CLUSTER, state="in_use") == 3
    assert value_of(exposed(), "lens_perf_pool_connections", cluster=CLUSTER, state="idle") == 5
    assert value_of(exposed(), "lens_perf_breaker_open", cluster=CLUSTER) == 1
    metrics.set_breaker_open(CLUSTER, False)
    assert value_of(exposed(), "lens_perf_breaker_open", cluster=CLUSTER) == 0


def test_a_request_without_a_rule() -> None:
    before = value_of(exposed(), "lens_perf_requests_total", endpoint="other", cluster="other", status="404")
    metrics.count_request(None, "", 404, 0.001)
    after = value_of(exposed(), "lens_perf_requests_total", endpoint="other", cluster="other", status="404")
    assert after == before + 1


def test_the_version() -> None:
    assert value_of(exposed(), "lens_perf_build_info", version=__version__) == 1


def test_a_new_cluster_has_zeros() -> None:
    metrics.declare_clusters(["fresh"])
    fresh = {name: value for (name, labels), value in read_samples(exposed()).items() if ("cluster", "fresh") in labels}
    assert set(fresh.values()) == {0.0}
    assert {"lens_perf_connects_total", "lens_perf_refused_total", "lens_perf_breaker_open"} <= set(fresh)
