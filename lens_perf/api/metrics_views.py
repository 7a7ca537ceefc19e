"""The contract's four endpoints: they pass validated arguments to the service and return its result. No SQL, no try."""

from collections.abc import Mapping
from typing import Any, cast

from flask import Response, current_app

from lens_perf.api import schemas
from lens_perf.api.arguments import ClusterQuery, SourceQuery, parse_workload_uid
from lens_perf.api.endpoints import UID_PARAMETER, StrictBlueprint, answers, answers_points
from lens_perf.api.point_answers import send_no_points, send_points, wants_no_points
from lens_perf.api.point_arguments import DataQuery, PointsQuery
from lens_perf.api.point_queries import build_point_query
from lens_perf.performance.points.query import Kind
from lens_perf.performance.service import PerformanceService

Query = Mapping[str, Any]

SERVICE = "lens_perf_service"
metrics = StrictBlueprint(
    "metrics", __name__, url_prefix="/workloads/<segment:uid>", description="Training metrics of a workload"
)


@metrics.route("/metrics/sources", parameters=[UID_PARAMETER])
@metrics.arguments(ClusterQuery(), location="query")
@answers(metrics, schemas.Sources(), schemas.SOURCES_EXAMPLE)
def get_sources(query: Query, *, uid: str) -> Mapping[str, Any]:
    """List data sources and their numbers of records.

    Retrieves all data sources for a specified workload.
    """
    return get_service().list_sources(query["cluster"], parse_workload_uid(uid))


@metrics.route("/metrics/available", parameters=[UID_PARAMETER])
@metrics.arguments(SourceQuery(), location="query")
@answers(metrics, schemas.AvailableMetrics(), schemas.AVAILABLE_EXAMPLE)
def get_available(query: Query, *, uid: str) -> Mapping[str, Any]:
    """List metrics and their numbers of data points.

    Retrieves all available metrics for a specified workload. For the `wandb` data source, metadata fields (`step`,
    `run_id`, `source`, `history`, `created_at`, `updated_at`) are filtered out. For the `log` and `tensorflow` data
    sources, all fields are treated as metrics.
    """
    return get_service().list_available(query["cluster"], parse_workload_uid(uid), query["data_source"])


@metrics.route("/metrics/data", parameters=[UID_PARAMETER])
@metrics.arguments(DataQuery(), location="query")
@answers_points(metrics, schemas.DATA_EXAMPLE)
def get_data(query: Query, *, uid: str) -> Response:
    """Get data points of metrics.

    Retrieves data for specified metrics, in order of time. Values that are not finite numbers, such as NaN, are not
    data points. For the `wandb` data source, metadata fields are excluded.
    """
    return _answer_points(uid, query, "data")


@metrics.route("/metrics/data", methods=["POST"], parameters=[UID_PARAMETER])
@metrics.arguments(DataQuery(), location="form")
@answers_points(metrics, schemas.DATA_EXAMPLE, is_form=True)
def post_data(query: Query, *, uid: str) -> Response:
    """Get data points, with the parameters in the body.

    Returns the same as GET, for lists of metrics that are too long for a URL. Changes nothing.
    """
    return _answer_points(uid, query, "data")


@metrics.route("/metrics/iteration-times", parameters=[UID_PARAMETER])
@metrics.arguments(PointsQuery(), location="query")
@answers_points(metrics, schemas.ITERATION_TIMES_EXAMPLE)
def get_iteration_times(query: Query, *, uid: str) -> Response:
    """Get the time of each iteration.

    Retrieves time information for each iteration: when it was first reported (`iteration`) and, if the record has it,
    the target (`target_iteration`).
    """
    return _answer_points(uid, query, "iteration-times")


def get_service() -> PerformanceService:
    """Return the service of the current application."""
    return cast("PerformanceService", current_app.extensions[SERVICE])


def _answer_points(uid: str, query: Query, kind: Kind) -> Response:
    point_query = build_point_query(uid, query, kind)
    name = f"{uid}-{kind}"
    if wants_no_points():
        etag = get_service().find_etag(point_query)
        return send_no_points(etag, point_query.encoding, name, has_ranges=True)
    return send_points(get_service().read_points(point_query), point_query.encoding, name)
