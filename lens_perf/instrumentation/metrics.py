"""Every metric of the service itself, and the functions that update them.

Labels are bounded: a cluster is a configured one or ``other``, an endpoint is that of a rule or ``other``. gunicorn's
workers share their values (``shared_values``), and each shows the sums.
"""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Literal, get_args

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
    values,
)

from lens_perf.instrumentation.facts import BuildInfo, SharedMemoryUse, TokenFile
from lens_perf.instrumentation.shared_values import SharedValue, joined_memory, show_all

CONTENT_TYPE = CONTENT_TYPE_LATEST
OTHER = "other"

Reason = Literal["breaker", "bulkhead", "heavy", "pool"]
Guard = Literal["watchdog", "prober", "janitor"]
Outcome = Literal["ok", "failed", "limit"]

# From an index lookup to the default deadline, and from an idle connection to the default wait.
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COPY_BUILD_BUCKETS = (0.05, 0.25, 1, 5, 15, 60, 300, 900)
POOL_WAIT_BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


# Before any metric is created: prometheus_client uses this class for the value of each.
values.ValueClass = SharedValue
# Several processes create the same series at different times.
disable_created_metrics()  # type: ignore[no-untyped-call]
_local = CollectorRegistry()
_local.register(BuildInfo())
_local.register(SharedMemoryUse())
_token_file = TokenFile()
_local.register(_token_file)
_clusters: set[str] = set()

REQUESTS = Counter("lens_perf_requests_total", "Responses sent", ["endpoint", "cluster", "status"], registry=_local)
REQUEST_SECONDS = Histogram(
    "lens_perf_request_seconds",
    "Time until the response was ready",
    ["endpoint", "cluster"],
    buckets=REQUEST_BUCKETS,
    registry=_local,
)
POOL_CONNECTIONS = Gauge(
    "lens_perf_pool_connections",
    "Open connections of the pools",
    ["cluster", "state"],
    multiprocess_mode="livesum",
    registry=_local,
)
POOL_WAIT_SECONDS = Histogram(
    "lens_perf_pool_wait_seconds",
    "Time a request waited for a connection",
    ["cluster"],
    buckets=POOL_WAIT_BUCKETS,
    registry=_local,
)
CONNECTS = Counter("lens_perf_connects_total", "Attempts to open a connection", ["cluster", "outcome"], registry=_local)
BREAKER_OPEN = Gauge(
    "lens_perf_breaker_open",
    "1 if the cluster's circuit breaker is open in any process",
    ["cluster"],
    multiprocess_mode="livemax",
    registry=_local,
)
REFUSED = Counter(
    "lens_perf_refused_total", "Requests refused before a query ran", ["cluster", "reason"], registry=_local
)
ROWS_OUT = Counter("lens_perf_rows_out_total", "Data points sent", ["endpoint", "cluster"], registry=_local)
BYTES_OUT = Counter("lens_perf_bytes_out_total", "Bytes of response bodies", ["endpoint", "cluster"], registry=_local)
DEADLINE_EXCEEDED = Counter(
    "lens_perf_deadline_exceeded_total", "Requests ended at their deadline", ["cluster"], registry=_local
)
CLIENT_LEFT = Counter(
    "lens_perf_client_left_total", "Queries ended because their client disconnected", ["cluster"], registry=_local
)
GUARDS_RUNNING = Gauge(
    "lens_perf_guards_running",
    "Processes in which the guard thread runs",
    ["guard"],
    multiprocess_mode="livesum",
    registry=_local,
)
GUARD_FAILURES = Counter(
    "lens_perf_guard_failures_total",
    "Guard threads that failed to start, died, or failed in a check",
    ["guard"],
    registry=_local,
)

COPY_HITS = Counter(
    "lens_perf_copy_hits_total", "Requests whose columnar copy was up to date", ["cluster"], registry=_local
)
COPY_REFRESH_SECONDS = Histogram(
    "lens_perf_copy_refresh_seconds",
    "Time to add new records to a columnar copy",
    ["cluster"],
    buckets=REQUEST_BUCKETS,
    registry=_local,
)
COPY_BUILD_SECONDS = Histogram(
    "lens_perf_copy_build_seconds",
    "Time to build a columnar copy",
    ["cluster", "outcome"],
    buckets=COPY_BUILD_BUCKETS,
    registry=_local,
)
COPY_BYTES = Gauge(
    "lens_perf_copy_bytes", "Total size of the columnar copies", multiprocess_mode="mostrecent", registry=_local
)
COPY_EVICTIONS = Counter("lens_perf_copy_evictions_total", "Columnar copies evicted to free space", registry=_local)
# Every metric of this module, by the name of its shared values.
_BY_NAME = {
    family.name: metric
    for metric in tuple(globals().values())
    if isinstance(metric, Counter | Gauge | Histogram)
    for family in metric.describe()
}


def declare_clusters(names: Iterable[str]) -> None:
    """Create the series of the clusters ``names`` with zeros, so that a rate sees the first event of each kind."""
    for guard in get_args(Guard):
        GUARDS_RUNNING.labels(guard)
        GUARD_FAILURES.labels(guard)
    for name in names:
        _clusters.add(name)
        for state in ("in_use", "idle"):
            POOL_CONNECTIONS.labels(name, state)
        for outcome in get_args(Outcome):
            CONNECTS.labels(name, outcome)
        for reason in get_args(Reason):
            REFUSED.labels(name, reason)
        for outcome in ("ok", "failed"):
            COPY_BUILD_SECONDS.labels(name, outcome)
        for metric in (
            COPY_HITS,
            COPY_REFRESH_SECONDS,
            BREAKER_OPEN,
            DEADLINE_EXCEEDED,
            CLIENT_LEFT,
            POOL_WAIT_SECONDS,
        ):
            metric.labels(name)


def cluster_label(name: str | None) -> str:
    """Return ``name`` if it is a configured cluster, else ``other``."""
    return name if name in _clusters and name is not None else OTHER


# As many entries as label values; the library's own lookup takes half of the time of counting a request.
@cache
def _requests(endpoint: str, cluster: str, status: int) -> Counter:
    return REQUESTS.labels(endpoint, cluster, str(status))


@cache
def _answers(endpoint: str, cluster: str) -> tuple[Histogram, Counter, Counter]:
    labels = (endpoint, cluster)
    return REQUEST_SECONDS.labels(*labels), ROWS_OUT.labels(*labels), BYTES_OUT.labels(*labels)


@cache
def _pool(cluster: str) -> tuple[Gauge, Gauge, Histogram]:
    connections = POOL_CONNECTIONS.labels
    return connections(cluster, "in_use"), connections(cluster, "idle"), POOL_WAIT_SECONDS.labels(cluster)


def count_request(endpoint: str | None, cluster: str, status: int, seconds: float) -> None:
    """Count a response; ``endpoint`` is that of the matched rule, None if no rule matched."""
    endpoint, cluster = endpoint or OTHER, cluster_label(cluster)
    _requests(endpoint, cluster, status).inc()
    _answers(endpoint, cluster)[0].observe(seconds)


def count_unserved(status: int) -> None:
    """Count a request that was refused before the application saw it."""
    _requests(OTHER, OTHER, status).inc()


def count_sent(endpoint: str | None, cluster: str, rows: int, bytes: int) -> None:  # noqa: A002 - the unit
    """Count the data points and bytes of a response."""
    _, rows_out, bytes_out = _answers(endpoint or OTHER, cluster_label(cluster))
    rows_out.inc(rows)
    bytes_out.inc(bytes)


def watch_token_file(is_readable: Callable[[], bool] | None) -> None:
    """Report at each scrape what ``is_readable`` returns; None if no tokens are in use."""
    _token_file.is_readable = is_readable


def set_pool_use(cluster: str, in_use: int, idle: int) -> None:
    """Set the numbers of connections of this process to ``cluster`` that are in use and idle."""
    lent, waiting, _ = _pool(cluster_label(cluster))
    lent.set(in_use)
    waiting.set(idle)


def observe_pool_wait(cluster: str, seconds: float) -> None:
    """Record how long a request waited for a connection, connecting included."""
    _pool(cluster_label(cluster))[-1].observe(seconds)


def count_connect(cluster: str, outcome: Outcome) -> None:
    """Count an attempt to connect: successful, failed, or refused at the server's connection limit."""
    CONNECTS.labels(cluster_label(cluster), outcome).inc()


def set_breaker_open(cluster: str, is_open: bool) -> None:
    """Set whether the circuit breaker of ``cluster`` is open in this process."""
    BREAKER_OPEN.labels(cluster_label(cluster)).set(is_open)


def count_refusal(cluster: str, reason: Reason) -> None:
    """Count a refused request by the resource it lacked."""
    REFUSED.labels(cluster_label(cluster), reason).inc()


def set_guard_running(guard: Guard, *, is_running: bool) -> None:
    """Report whether this process's thread of ``guard`` runs."""
    GUARDS_RUNNING.labels(guard).set(is_running)


def count_guard_failure(guard: Guard) -> None:
    """Count a guard that failed to start, died, or failed in a check."""
    GUARD_FAILURES.labels(guard).inc()


def count_deadline(cluster: str) -> None:
    """Count a request that reached its deadline."""
    DEADLINE_EXCEEDED.labels(cluster_label(cluster)).inc()


def count_client_left(cluster: str) -> None:
    """Count a query that ended because its client disconnected."""
    CLIENT_LEFT.labels(cluster_label(cluster)).inc()


def count_copy_hit(cluster: str) -> None:
    """Count a copy that was up to date."""
    COPY_HITS.labels(cluster_label(cluster)).inc()


def count_copy_refresh(cluster: str, seconds: float) -> None:
    """Record how long adding new records to a copy took."""
    COPY_REFRESH_SECONDS.labels(cluster_label(cluster)).observe(seconds)


def count_copy_build(cluster: str, ok: bool, seconds: float) -> None:
    """Record how long building a copy took, and whether it succeeded."""
    COPY_BUILD_SECONDS.labels(cluster_label(cluster), "ok" if ok else "failed").observe(seconds)


def set_copy_bytes(size: int) -> None:
    """Set the size of all copies in the directory."""
    COPY_BYTES.set(size)


def count_copy_eviction() -> None:
    """Count a copy that was evicted to free space."""
    COPY_EVICTIONS.inc()


def expose() -> bytes:
    """Return all metrics in Prometheus's text format: of all processes under gunicorn, else of this one."""
    memory = joined_memory()
    if memory is None:
        return generate_latest(_local)
    with show_all(memory) as series:
        for metric, name, *labels in series:  # this process may not have all of them
            if own := labels[:-1] if name.endswith("_bucket") else labels:
                _BY_NAME[metric].labels(*own)
        return generate_latest(_local)
