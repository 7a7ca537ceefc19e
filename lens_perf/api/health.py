"""Liveness, readiness and Prometheus metrics of the service, outside the path of the API."""

from dataclasses import asdict
from http import HTTPStatus

from flask import Blueprint, Response

from lens_perf.api.error_responses import answer_uncached
from lens_perf.api.workload_gauges import WorkloadGauges
from lens_perf.instrumentation import metrics
from lens_perf.performance.readiness import Readiness


def create_health_blueprint(
    readiness: Readiness, needs_all: bool, workload_gauges: WorkloadGauges | None = None
) -> Blueprint:
    """Return the blueprint of /healthz, /readyz, /metrics and, with ``workload_gauges``, /metrics/workloads.

    The service is ready if one cluster is, or, with ``needs_all``, if every one is.
    """
    health = Blueprint("health", __name__)

    @health.get("/healthz")
    def get_healthz() -> Response:
        return answer_uncached({"status": "ok"}, HTTPStatus.OK)

    @health.get("/readyz")
    def get_readyz() -> Response:
        states = readiness.check()
        ready = (all if needs_all else any)(state.ready for state in states)
        body = {"status": "ready" if ready else "not ready", "clusters": [asdict(state) for state in states]}
        return answer_uncached(body, HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE)

    @health.get("/metrics")
    def get_metrics() -> Response:
        return _unstored(Response(metrics.expose(), content_type=metrics.CONTENT_TYPE))

    if workload_gauges is not None:

        @health.get("/metrics/workloads")
        def get_workload_metrics() -> Response:
            return _unstored(Response(workload_gauges.expose(), content_type=metrics.CONTENT_TYPE))

    return health


def _unstored(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response
