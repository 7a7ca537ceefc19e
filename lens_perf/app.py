"""Creates the WSGI application: settings, registry, service, Flask app. Connects to nothing."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface
from werkzeug.routing import MapAdapter
from werkzeug.wsgi import get_host

from lens_perf import __version__
from lens_perf.api import progress_views, summary_views  # noqa: F401 - they add views to the blueprint of the metrics
from lens_perf.api.access_check import install_access_check
from lens_perf.api.compression import install_compression
from lens_perf.api.encoded_slashes import mark_encoded_slashes, restore_slashes
from lens_perf.api.endpoints import SegmentConverter
from lens_perf.api.error_responses import LensApi
from lens_perf.api.headers import install_headers
from lens_perf.api.health import create_health_blueprint
from lens_perf.api.introduction import describe_api
from lens_perf.api.json_provider import OrjsonProvider
from lens_perf.api.listing_views import LISTING, listing
from lens_perf.api.local_callers import install_local_callers
from lens_perf.api.metrics_views import SERVICE, metrics
from lens_perf.api.request_bodies import install_request_bodies
from lens_perf.api.request_scope import install_request_scope
from lens_perf.api.several_views import several
from lens_perf.api.workload_gauges import WorkloadGauges
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.performance.listing import Listing
from lens_perf.performance.readiness import Readiness
from lens_perf.performance.service import PerformanceService
from lens_perf.settings import Settings
from lens_perf.web.dashboard_page import create_dashboard_blueprint, redirect_to_dashboard
from lens_perf.web.docs_page import create_docs_blueprint

REGISTRY = "lens_perf_registry"
# Declares the token in the OpenAPI description, so that its page offers to send one.
BEARER = {
    "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    "security": [{"token": []}],
}


class NoSessions(SessionInterface):
    """Opens the same session, which nothing can use, for every request."""

    def __init__(self) -> None:
        self._session = NullSession()

    def open_session(self, app: Flask, request: Request) -> NullSession:  # noqa: ARG002 - Flask's interface
        """Return the session."""
        return self._session


class LensFlask(Flask):
    """Flask for synchronous functions without sessions, and for paths whose segments contain slashes."""

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``func`` unchanged, since all functions are synchronous. This saves each request twenty checks."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return an adapter for which an encoded slash does not separate segments.

        There are no WebSockets, no SERVER_NAME and no subdomains, so it is made of what the request has parsed already:
        Flask would parse the host, the path and the query again, which takes three times as long.
        """
        if request is None:
            return super().create_url_adapter(request)
        request.host = get_host(request.environ)
        adapter = self.url_map.bind(
            request.host,
            request.root_path,
            url_scheme=request.scheme,
            default_method=request.method,
            path_info=request.path,
            query_args=request.environ.get("QUERY_STRING", ""),
        )
        mark_encoded_slashes(adapter, request)
        return adapter


def create_app(settings: Settings | None = None) -> Flask:
    """Return the WSGI application for ``settings``, by default those of the environment.

    Raises ConfigError for settings that cannot work.
    """
    settings = settings or load_settings()
    registry = ClusterRegistry(settings)
    root = settings.http.base_path.rpartition("/")[0]

    app = LensFlask("lens_perf", static_folder=None)
    install_compression(app, settings)
    install_headers(app, settings)
    app.json = OrjsonProvider(app)
    # A missing uid is an empty segment, which Werkzeug would otherwise remove with a redirect.
    app.url_map.merge_slashes = False
    app.url_map.converters["segment"] = SegmentConverter
    app.url_value_preprocessor(restore_slashes)
    install_local_callers(app, settings)
    install_request_bodies(app)
    install_access_check(app, settings)
    install_request_scope(app, settings)
    app.extensions[REGISTRY] = registry
    readiness = Readiness(registry, registry.breaker_state)
    app.extensions[SERVICE] = PerformanceService(registry, settings)
    app.config.update(
        API_TITLE="Training Performance API",
        API_VERSION=__version__,
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX=root or "/",
        OPENAPI_JSON_PATH="openapi.json",
        API_SPEC_OPTIONS={
            "info": {"description": describe_api(settings)},
            "x-path": f"{root}/openapi.json",
            **(BEARER if settings.access.token_file else {}),
        },
    )
    api = LensApi(app)
    api.register_blueprint(metrics, url_prefix=settings.http.base_path + metrics.url_prefix)
    api.register_blueprint(several, url_prefix=settings.http.base_path)
    api.register_blueprint(listing, url_prefix=settings.http.base_path)
    app.register_blueprint(create_docs_blueprint(root))
    app.register_blueprint(create_dashboard_blueprint(root, settings.http.base_path.removeprefix(f"{root}/")))
    redirect_to_dashboard(app, root)
    app.extensions[LISTING] = Listing(registry, readiness, settings.current_cluster)
    gauges = None
    if settings.http.workload_metrics:
        gauges = WorkloadGauges(app.extensions[LISTING], app.extensions[SERVICE], settings.http.workload_metrics)
    app.register_blueprint(create_health_blueprint(readiness, settings.http.ready_needs_all, gauges))
    return app
