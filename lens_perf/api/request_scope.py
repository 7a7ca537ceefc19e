"""Gives each request an id, and measures, counts and logs each response, including errors.

A WSGI layer around all others: what it measures includes them, and it sees each response as it is sent.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flask import Flask, Request

from lens_perf.api.request_bodies import find_requested_cluster
from lens_perf.caller import set_client_socket
from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.request_log import bare_path, choose_request_id, log_request
from lens_perf.instrumentation.timing import Timings, end_timings, start_timings
from lens_perf.settings import Settings

Headers = Sequence[tuple[str, str]]

REQUEST_ID_HEADER = "X-Request-Id"
SERVER_TIMING = "auth;dur={auth:g}, pool;dur={pool:g}, query;dur={query:g}, render;dur={render:g}"
# Requests of this blueprint concern a single cluster.
CLUSTER_BLUEPRINT = "metrics"


def install_request_scope(app: Flask, settings: Settings) -> None:
    """Have ``app`` time, count, log and mark every answer. To be installed after all other layers."""
    metrics.declare_clusters(settings.clusters)
    app.wsgi_app = RequestScope(app.wsgi_app, settings.fallback_cluster)  # type: ignore[method-assign]  # Flask's own way


class RequestScope:
    """The layer around ``wsgi_app``, which has to be Flask's, or a layer around it."""

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], fallback_cluster: str) -> None:
        self._wsgi_app = wsgi_app
        self._fallback_cluster = fallback_cluster

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        timings = start_timings()
        timings.request_id = choose_request_id(environ.get("HTTP_X_REQUEST_ID"))
        # gunicorn provides the request's socket, which shows that the client has disconnected.
        set_client_socket(environ.get("gunicorn.socket"))

        def start(status: str, headers: Headers, exc_info: object = None) -> Any:
            marks = self._finish(environ["werkzeug.request"], status, headers, timings)
            return start_response(status, [*headers, *marks], exc_info)

        try:
            return self._wsgi_app(environ, start)
        finally:
            end_timings()

    def _finish(self, current: Request, status: str, headers: Headers, timings: Timings) -> Headers:
        """Count and log a response; return the headers that mark it."""
        seconds = timings.elapsed()
        phases = timings.split(seconds)
        endpoint = current.endpoint or metrics.OTHER
        cluster = self._find_cluster(current)
        code = int(status[:3])
        size = 0 if current.method == "HEAD" else _find_size(headers, timings)
        metrics.count_request(endpoint, cluster, code, seconds)
        metrics.count_sent(endpoint, cluster, timings.rows, size)
        log_request(
            {
                "request_id": timings.request_id,
                "method": current.method,
                "endpoint": endpoint,
                "path": _find_path(current),
                "remote": current.remote_addr,
                "status": code,
                "cluster": cluster,
                "duration_ms": round(seconds * 1000, 2),
                "phases_ms": phases,
                "rows": timings.rows,
                "bytes": size,
                "token": timings.token,
            }
        )
        return (REQUEST_ID_HEADER, str(timings.request_id)), ("Server-Timing", SERVER_TIMING.format(**phases))

    def _find_cluster(self, current: Request) -> str:
        """Return the label of the requested cluster: ``other`` if it is unknown or if the request concerns none."""
        if current.blueprint != CLUSTER_BLUEPRINT:
            return metrics.OTHER
        return metrics.cluster_label(find_requested_cluster(current) or self._fallback_cluster)


def _find_path(current: Request) -> str:
    target = str(current.environ.get("RAW_URI", ""))
    # An absolute target may contain a password before its host.
    return bare_path(target if target.startswith("/") else current.path)


def _find_size(headers: Headers, timings: Timings) -> int:
    """Return the length of the body."""
    length = next((value for name, value in headers if name == "Content-Length"), None)
    return timings.streamed if length is None else int(length)
