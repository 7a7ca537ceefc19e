"""What happens around every request: its id, its timings, its counts and its log line, errors included.

To be installed ahead of every other hook: Flask runs the last hooks of a request in reverse order, and the timings
have to begin first and to end last.
"""

from flask import Flask, Request, Response, request

from lens_perf.api.request_bodies import find_asked_cluster
from lens_perf.config import Settings
from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.request_log import bare_path, choose_request_id, log_request
from lens_perf.instrumentation.timing import Timings, current_timings, end_timings, start_timings

REQUEST_ID_HEADER = "X-Request-Id"
# Only the API's own blueprint answers out of a cluster.
CLUSTER_BLUEPRINT = "metrics"


def install_request_scope(app: Flask, settings: Settings) -> None:
    """Have ``app`` time, count, log and mark every answer."""
    metrics.declare_clusters(settings.clusters)

    def finish(response: Response) -> Response:
        timings = current_timings()
        if timings is not None:
            # The request itself: each look through Flask's proxy costs more than a microsecond, and there are many.
            asked: Request = request._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
            _finish(asked, response, timings, _find_cluster(asked, settings))
        return response

    app.before_request(_start)
    app.after_request(finish)
    app.teardown_request(lambda _error: end_timings())


def _start() -> None:
    start_timings().request_id = choose_request_id(request.headers.get(REQUEST_ID_HEADER))


def _finish(asked: Request, response: Response, timings: Timings, cluster: str) -> None:
    seconds = timings.elapsed()
    phases = timings.split(seconds)
    endpoint = asked.endpoint or metrics.OTHER
    size = 0 if asked.method == "HEAD" else _size(response) or timings.streamed
    metrics.count_request(endpoint, cluster, response.status_code, seconds)
    metrics.count_sent(endpoint, cluster, timings.rows, size)
    response.headers[REQUEST_ID_HEADER] = timings.request_id
    response.headers["Server-Timing"] = ", ".join([f"{name};dur={value:g}" for name, value in phases.items()])
    log_request(
        {
            "request_id": timings.request_id,
            "method": asked.method,
            "endpoint": endpoint,
            "path": _find_path(asked),
            "remote": asked.remote_addr,
            "status": response.status_code,
            "cluster": cluster,
            "duration_ms": round(seconds * 1000, 2),
            "phases_ms": phases,
            "rows": timings.rows,
            "bytes": size,
            "token": timings.token,
        }
    )


def _find_path(asked: Request) -> str:
    target = str(asked.environ.get("RAW_URI", ""))
    # An absolute target may hold a password ahead of its host.
    return bare_path(target if target.startswith("/") else asked.path)


def _find_cluster(asked: Request, settings: Settings) -> str:
    """Return the label of the cluster that answers: ``other`` where none is asked, or none that exists."""
    if asked.blueprint != CLUSTER_BLUEPRINT:
        return metrics.OTHER
    return metrics.cluster_label(find_asked_cluster(asked) or settings.fallback_cluster)


def _size(response: Response) -> int:
    """Return the length of the body, without reading one that comes out of a file."""
    length = response.calculate_content_length() if response.is_sequence else response.content_length
    return length or 0
