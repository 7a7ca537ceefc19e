"""Every metric of the service itself, and the functions that count; one process or all of gunicorn's.

Labels are bounded: a cluster is a configured one or ``other``, an endpoint is that of a rule or ``other``. gunicorn's
workers share their numbers (``shared_values``), and whichever is scraped shows those of all.
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

# From an answer out of the index to the default deadline; and from an idle connection to the default wait.
REQUEST_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
COPY_BUILD_BUCKETS = (0.05, 0.25, 1, 5, 15, 60, 300, 900)
POOL_WAIT_BUCKETS = (0.0001, 0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5)


# Before any metric is made: prometheus_client asks this attribute for the number behind each.
values.ValueClass = SharedValue
# One process has the time at which each series was made, many have several.
disable_created_metrics()  # type: ignore[no-untyped-call]
_local = CollectorRegistry()
_local.register(BuildInfo())
_local.register(SharedMemoryUse())
_token_file = TokenFile()
_local.register(_token_file)
_clusters: set[str] = set()

REQUESTS = Counter("lens_perf_requests_total", "Requests answered", ["endpoint", "cluster", "status"], registry=_local)
REQUEST_SECONDS = Histogram(
    "lens_perf_request_seconds",
    "Time until an answer was ready to be sent",
    ["endpoint", "cluster"],
    buckets=REQUEST_BUCKETS,
    registry=_local,
)
POOL_CONNECTIONS = Gauge(
    "lens_perf_pool_connections",
    "Connections that the pools hold",
    ["cluster", "state"],
    multiprocess_mode="livesum",
    registry=_local,
)
POOL_WAIT_SECONDS = Histogram(
    "lens_perf_pool_wait_seconds",
    "Time until a connection was lent or refused",
    ["cluster"],
    buckets=POOL_WAIT_BUCKETS,
    registry=_local,
)
DIALS = Counter("lens_perf_dials_total", "New connections tried", ["cluster", "outcome"], registry=_local)
BREAKER_OPEN = Gauge(
    "lens_perf_breaker_open",
    "Whether any process refuses requests for the cluster at once, as it did not answer",
    ["cluster"],
    multiprocess_mode="livemax",
    registry=_local,
)
REFUSED = Counter(
    "lens_perf_refused_total", "Requests refused before any query", ["cluster", "reason"], registry=_local
)
ROWS_OUT = Counter("lens_perf_rows_out_total", "Data points sent", ["endpoint", "cluster"], registry=_local)
BYTES_OUT = Counter("lens_perf_bytes_out_total", "Bytes of answers' bodies", ["endpoint", "cluster"], registry=_local)
DEADLINE_EXCEEDED = Counter(
    "lens_perf_deadline_exceeded_total", "Requests ended at their deadline", ["cluster"], registry=_local
)
CLIENT_LEFT = Counter(
    "lens_perf_client_left_total", "Queries ended because their client had left", ["cluster"], registry=_local
)
GUARDS_RUNNING = Gauge(
    "lens_perf_guards_running",
    "Processes in which a guard runs: it keeps deadlines, probes lost clusters, or closes idle connections",
    ["guard"],
    multiprocess_mode="livesum",
    registry=_local,
)
GUARD_FAILURES = Counter(
    "lens_perf_guard_failures_total",
    "Times a guard could not be started, was found dead, or failed at a look",
    ["guard"],
    registry=_local,
)

COPY_HITS = Counter("lens_perf_copy_hits_total", "Copies found to be up to date", ["cluster"], registry=_local)
COPY_REFRESH_SECONDS = Histogram(
    "lens_perf_copy_refresh_seconds",
    "Time to bring a copy up to date with a few new records",
    ["cluster"],
    buckets=REQUEST_BUCKETS,
    registry=_local,
)
COPY_BUILD_SECONDS = Histogram(
    "lens_perf_copy_build_seconds",
    "Time to read a workload whole",
    ["cluster", "outcome"],
    buckets=COPY_BUILD_BUCKETS,
    registry=_local,
)
COPY_BYTES = Gauge("lens_perf_copy_bytes", "Size of all copies", multiprocess_mode="mostrecent", registry=_local)
COPY_EVICTIONS = Counter("lens_perf_copy_evictions_total", "Copies removed to make room", registry=_local)
# Every metric of this module, by the name that its shared numbers go by.
_BY_NAME = {
    family.name: metric
    for metric in tuple(globals().values())
    if isinstance(metric, Counter | Gauge | Histogram)
    for family in metric.describe()
}


def declare_clusters(names: Iterable[str]) -> None:
    """Make ``names`` known as labels, with zeros: a rate can then see also the first event of each kind."""
    for guard in get_args(Guard):
        GUARDS_RUNNING.labels(guard)
        GUARD_FAILURES.labels(guard)
    for name in names:
        _clusters.add(name)
        for state in ("in_use", "idle"):
            POOL_CONNECTIONS.labels(name, state)
        for outcome in get_args(Outcome):
            DIALS.labels(name, outcome)
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
    """Return ``name`` if it is a configured cluster's, else ``other``."""
    return name if name in _clusters and name is not None else OTHER


# As few as there are labels; the library's own search for them costs half of a request's counting.
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
    """Count an answer; ``endpoint`` is that of the matched rule, None where no rule matched."""
    endpoint, cluster = endpoint or OTHER, cluster_label(cluster)
    _requests(endpoint, cluster, status).inc()
    _answers(endpoint, cluster)[0].observe(seconds)


def count_unserved(status: int) -> None:
    """Count a request that was refused before the application saw it."""
    _requests(OTHER, OTHER, status).inc()


def count_sent(endpoint: str | None, cluster: str, rows: int, bytes: int) -> None:  # noqa: A002 - what is counted
    """Count what an answer holds: data points and bytes of its body."""
    _, rows_out, bytes_out = _answers(endpoint or OTHER, cluster_label(cluster))
    rows_out.inc(rows)
    bytes_out.inc(bytes)


def watch_token_file(is_readable: Callable[[], bool] | None) -> None:
    """Report at each scrape what ``is_readable`` returns; None where no tokens are in use."""
    _token_file.is_readable = is_readable


def set_pool_use(cluster: str, in_use: int, idle: int) -> None:
    """Tell how many connections of this process to ``cluster`` are lent out, and how many wait."""
    lent, waiting, _ = _pool(cluster_label(cluster))
    lent.set(in_use)
    waiting.set(idle)


def observe_pool_wait(cluster: str, seconds: float) -> None:
    """Count the time a request has waited for a connection, dialling included."""
    _pool(cluster_label(cluster))[-1].observe(seconds)


def count_dial(cluster: str, outcome: Outcome) -> None:
    """Count a new connection that was made, could not be, or was refused at the server's limit of connections."""
    DIALS.labels(cluster_label(cluster), outcome).inc()


def set_breaker_open(cluster: str, is_open: bool) -> None:
    """Tell whether the breaker of ``cluster`` is open in this process."""
    BREAKER_OPEN.labels(cluster_label(cluster)).set(is_open)


def count_refusal(cluster: str, reason: Reason) -> None:
    """Count a request that was refused for want of the thing ``reason`` names."""
    REFUSED.labels(cluster_label(cluster), reason).inc()


def set_guard_running(guard: Guard, *, is_running: bool) -> None:
    """Report whether this process's thread of ``guard`` runs."""
    GUARDS_RUNNING.labels(guard).set(is_running)


def count_guard_failure(guard: Guard) -> None:
    """Count a guard that could not be started, was found dead, or failed at a look."""
    GUARD_FAILURES.labels(guard).inc()


def count_deadline(cluster: str) -> None:
    """Count a request that its deadline ended."""
    DEADLINE_EXCEEDED.labels(cluster_label(cluster)).inc()


def count_client_left(cluster: str) -> None:
    """Count a query that was ended because nobody waited for it any more."""
    CLIENT_LEFT.labels(cluster_label(cluster)).inc()


def count_copy_hit(cluster: str) -> None:
    """Count a copy that had everything."""
    COPY_HITS.labels(cluster_label(cluster)).inc()


def count_copy_refresh(cluster: str, seconds: float) -> None:
    """Count a copy that was brought up to date with a few new records."""
    COPY_REFRESH_SECONDS.labels(cluster_label(cluster)).observe(seconds)


def count_copy_build(cluster: str, ok: bool, seconds: float) -> None:
    """Count a workload that was read whole, or could not be."""
    COPY_BUILD_SECONDS.labels(cluster_label(cluster), "ok" if ok else "failed").observe(seconds)


def set_copy_bytes(size: int) -> None:
    """Set the size of all copies in the directory."""
    COPY_BYTES.set(size)


def count_copy_eviction() -> None:
    """Count a copy that was removed to make room."""
    COPY_EVICTIONS.inc()


def expose() -> bytes:
    """Return all metrics in Prometheus's text form: of all processes under gunicorn, else of this one."""
    memory = joined_memory()
    if memory is None:
        return generate_latest(_local)
    with show_all(memory) as series:
        for metric, name, *labels in series:  # this process may not have met them all
            if own := labels[:-1] if name.endswith("_bucket") else labels:
                _BY_NAME[metric].labels(*own)
        return generate_latest(_local)
