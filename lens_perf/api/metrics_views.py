"""The four endpoints: checked arguments in, the service's answer out. No SQL, no try."""

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any, ParamSpec, cast

from flask import Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter
from werkzeug.wsgi import wrap_file

from lens_perf.api import schemas
from lens_perf.api.arguments import (
    LONGEST_UID,
    UID_PATTERN,
    ClusterQuery,
    DataQuery,
    QueryParser,
    SourceQuery,
    TimeRangeQuery,
    choose_metrics,
    choose_records,
    parse_workload_uid,
)
from lens_perf.api.error_responses import ErrorSchema
from lens_perf.performance.point_writer import PointBody
from lens_perf.performance.service import PerformanceService

Parameters = ParamSpec("Parameters")
Query = Mapping[str, Any]

SERVICE = "lens_perf_service"
ERROR_EXAMPLES = {
    400: ("The request names something that cannot be", "workload_uid is required"),
    401: ("Tokens are in use, and the request has no valid one", "The token is not valid"),
    403: ("The token may not read the cluster", "The token may not read this cluster"),
    404: ("No such path", "The requested URL was not found on the server."),
    405: ("The path answers GET, HEAD and OPTIONS only", "The method is not allowed for the requested URL."),
    500: ("A fault of the service itself", "Internal server error"),
    503: (
        "The cluster cannot answer now; see Retry-After",
        "Cluster my-cluster cannot be reached now; try again later",
    ),
    504: ("The query ran past its deadline", "The query ran past its deadline; ask for less"),
}
TOO_LARGE = {
    413: ("The result passes the cap on data points", "The result has more than 20000000 data points; ask ...")
}
UID_PARAMETER = {
    "name": "uid",
    "in": "path",
    "required": True,
    "description": "The unique identifier of the workload",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_UID, "pattern": UID_PATTERN},
    "example": schemas.EXAMPLE_UID,
}


class SegmentConverter(BaseConverter):
    """One segment of a path, also an empty one, so that a missing uid gets an answer in the contract's words."""

    regex = "[^/]*"


class MetricsBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no annotations
    """A Blueprint that reads query strings strictly."""

    ARGUMENTS_PARSER = QueryParser()


metrics = MetricsBlueprint(
    "metrics", __name__, url_prefix="/workloads/<segment:uid>/metrics", description="Training metrics of a workload"
)


def answers(
    schema: Schema, example: Mapping[str, Any], errors: Mapping[int, tuple[str, str]] = ERROR_EXAMPLES
) -> Callable[[Callable[Parameters, Any]], Callable[Parameters, Any]]:
    """Document the answers of a view, and let HEAD, which has no use for them, ask the database nothing."""

    def decorate(view: Callable[Parameters, Any]) -> Callable[Parameters, Any]:
        @wraps(view)
        def answer(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Any:
            if request.method == "HEAD":
                parse_workload_uid(str(kwargs["uid"]))
                return _answer_head()
            return view(*args, **kwargs)

        documented = metrics.response(200, schema, description="The answer", example=example)(answer)
        # All errors in one go: each decorator of flask-smorest is a further call in every request.
        described = {str(status): _describe_error(status, *words) for status, words in errors.items()}
        return cast("Callable[Parameters, Any]", metrics.doc(responses=described)(documented))

    return decorate


def _describe_error(status: int, description: str, message: str) -> dict[str, Any]:
    example = {"code": status, "status": HTTPStatus(status).phrase, "message": message}
    return {"description": description, "content": {"application/json": {"schema": ErrorSchema, "example": example}}}


@metrics.route("/sources", parameters=[UID_PARAMETER])
@metrics.arguments(ClusterQuery(), location="query")
@answers(schemas.Sources(), schemas.SOURCES_EXAMPLE)
def get_sources(query: Query, *, uid: str) -> dict[str, Any]:
    """Get data sources.

    Retrieves all data sources for a specified workload.
    """
    return _service().list_sources(query["cluster"], parse_workload_uid(uid))


@metrics.route("/available", parameters=[UID_PARAMETER])
@metrics.arguments(SourceQuery(), location="query")
@answers(schemas.AvailableMetrics(), schemas.AVAILABLE_EXAMPLE)
def get_available(query: Query, *, uid: str) -> dict[str, Any]:
    """Get available metrics.

    Retrieves all available metrics for a specified workload. For the `wandb` data source, metadata fields (`step`,
    `run_id`, `source`, `history`, `created_at`, `updated_at`) are filtered out. For the `log` and `tensorflow` data
    sources, all fields are treated as metrics.
    """
    return _service().list_available(query["cluster"], parse_workload_uid(uid), query["data_source"])


@metrics.route("/data", parameters=[UID_PARAMETER])
@metrics.arguments(DataQuery(), location="query")
@answers(schemas.MetricsData(), schemas.DATA_EXAMPLE, ERROR_EXAMPLES | TOO_LARGE)
def get_data(query: Query, *, uid: str) -> Response:
    """Get metrics data.

    Retrieves data for specified metrics, by time. Values that are no finite numbers, such as NaN, are no data points.
    For the `wandb` data source, metadata fields are excluded.
    """
    body = _service().read_points(query["cluster"], choose_records(uid, query), choose_metrics(query))
    return _send(body)


@metrics.route("/iteration-times", parameters=[UID_PARAMETER])
@metrics.arguments(TimeRangeQuery(), location="query")
@answers(schemas.MetricsData(), schemas.ITERATION_TIMES_EXAMPLE, ERROR_EXAMPLES | TOO_LARGE)
def get_iteration_times(query: Query, *, uid: str) -> Response:
    """Get iteration times.

    Retrieves time information for each iteration: when it was first reported (`iteration`) and, where the data say,
    how many there will be (`target_iteration`).
    """
    return _send(_service().read_iteration_times(query["cluster"], choose_records(uid, query)))


def _service() -> PerformanceService:
    return cast("PerformanceService", current_app.extensions[SERVICE])


def _answer_head() -> Response:
    response = Response(mimetype="application/json")
    response.automatically_set_content_length = False  # the length of GET's answer is not known
    return response


def _send(body: PointBody) -> Response:
    """Return a response of known length; a file goes to the server's own sendfile, where it has one."""
    if body.file is None:
        return Response(body.content, mimetype="application/json")
    response = Response(wrap_file(request.environ, body.file), mimetype="application/json", direct_passthrough=True)
    response.content_length = body.size
    return response
