"""The parts that all endpoints share: strict parameters, documented responses, and the sending of a view's value."""

from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Request, Response, current_app, request
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter

from lens_perf.api import request_bodies, schemas
from lens_perf.api.arguments import LONGEST_UID, UID_PATTERN, Location, parse_parameters
from lens_perf.api.error_responses import NO_SUCH_PATH, NO_SUCH_RANGE, ErrorSchema

View = Callable[..., Any]
Decorator = Callable[[View], View]

ERROR_EXAMPLES = {
    400: ("A parameter is invalid", "workload_uid is required"),
    401: ("The service uses tokens, and the request has no valid one", "The token is not valid"),
    403: ("The token may not read the cluster", "The token may not read this cluster"),
    404: ("No such path", NO_SUCH_PATH),
    405: ("The path does not support the method; see Allow", "The method is not allowed for the requested URL."),
    500: ("An error of the service itself", "Internal server error"),
    503: (
        "The cluster cannot answer now; see Retry-After",
        "Cluster my-cluster cannot be reached now; try again later",
    ),
    504: (
        "The query ran past its deadline",
        "The query ran past its deadline; request fewer metrics, one data_source or a shorter time range",
    ),
}
POINT_ERRORS = {
    413: (
        "The result exceeds the maximum number of data points",
        "The result has more than 20,000,000 data points; limit it with metrics, data_source, or max_points",
    ),
    416: ("The Parquet file does not have the range of the header Range", NO_SUCH_RANGE),
}
BODY_ERRORS = {
    411: ("The body has no Content-Length", request_bodies.NO_LENGTH),
    413: ("The body is too large", request_bodies.TOO_LARGE),
    415: ("The body is not a form", request_bodies.NOT_A_FORM),
}
TEXT = {"schema": {"type": "string"}}
CSV_EXAMPLE = "metric_name,value,timestamp,iteration,data_source\nloss,0.5432,1701734400000,100,wandb\n"
UNCHANGED = {"description": "The ETag in If-None-Match is current, or the header is *"}
UID_PARAMETER = {
    "name": "uid",
    "in": "path",
    "required": True,
    "description": "The unique identifier of the workload; a slash in it is written `%2F`",
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_UID, "pattern": UID_PATTERN},
    "example": schemas.EXAMPLE_UID,
}


class SegmentConverter(BaseConverter):
    """One segment of a path, possibly empty, so that a missing uid gets the contract's error message."""

    regex = "[^/]*"


class StrictBlueprint(Blueprint):  # type: ignore[misc]  # flask-smorest has no annotations
    """A Blueprint that reads query strings strictly."""

    def arguments(self, schema: Schema, *, location: Location) -> Decorator:
        """Document the parameters of a view, and pass them to it, read by ``parse_parameters``."""
        document = super().arguments(schema, location=location, error_status_code=HTTPStatus.BAD_REQUEST)

        def decorate(view: View) -> View:
            @wraps(view)
            def run(**path: Any) -> Any:
                # The request itself: each look through Flask's proxy costs a microsecond.
                current: Request = request._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
                return view(parse_parameters(current, schema, location), **path)

            return _document(run, document)

        return decorate


def answers(blueprint: Blueprint, schema: Schema, example: Mapping[str, Any], *, is_form: bool = False) -> Decorator:
    """Document the responses of a view that returns the value of a JSON body; HEAD runs it like GET.

    With ``is_form``, the parameters are in the body of a POST.
    """

    def decorate(view: View) -> View:
        documented = _document(
            _respond(view), blueprint.response(200, schema, description="The answer", example=example)
        )
        return _document(documented, blueprint.doc(responses=_describe_failures(is_form=is_form)))

    return decorate


def answers_points(
    blueprint: Blueprint,
    example: Mapping[str, Any],
    *,
    schema: type[Schema] = schemas.MetricsData,
    csv_example: str = CSV_EXAMPLE,
    is_form: bool = False,
) -> Decorator:
    """Document the responses of a view that sends data points itself and reads none for HEAD.

    With ``is_form``, the parameters are in the body of a POST.
    """
    content = {
        "application/json": {"schema": schema, "example": example},
        "text/csv": {**TEXT, "example": csv_example},
        "application/x-ndjson": TEXT,
        "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
    }
    described = {"200": {"description": "The answer", "content": content}}
    failures = _describe_failures(is_form=is_form) | _describe_errors(POINT_ERRORS)

    def decorate(view: View) -> View:
        return _document(_respond(view), blueprint.doc(responses=described | failures))

    return decorate


def _document(view: View, decorate: Decorator) -> View:
    """Return ``view`` with the documentation that a decorator of flask-smorest adds, but without its call around it."""
    view._apidoc = decorate(view)._apidoc  # type: ignore[attr-defined]  # flask-smorest's own
    return view


def _respond(view: View) -> View:
    @wraps(view)
    def run(*args: Any, **path: Any) -> Any:
        answer = view(*args, **path)
        if isinstance(answer, Response):
            return answer
        # "*" matches any current response: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2
        if request.environ.get("HTTP_IF_NONE_MATCH") == "*":
            return answer_unchanged()
        # Dumping through the schema would take longer than everything else.
        return current_app.json.response(answer)

    return run


def answer_unchanged() -> Response:
    """Return 304, which has no body."""
    response = Response(status=HTTPStatus.NOT_MODIFIED)
    del response.headers["Content-Type"]  # there is no body
    return response


def _describe_failures(*, is_form: bool) -> dict[str, Any]:
    """Return the errors, and 304 for a GET: it is not defined for POST."""
    return _describe_errors(ERROR_EXAMPLES) | (_describe_errors(BODY_ERRORS) if is_form else {"304": UNCHANGED})


def _describe_errors(errors: Mapping[int, tuple[str, str]]) -> dict[str, Any]:
    return {str(status): _describe_error(status, *words) for status, words in errors.items()}


def _describe_error(status: int, description: str, message: str) -> dict[str, Any]:
    example = {"code": status, "status": HTTPStatus(status).phrase, "message": message}
    return {"description": description, "content": {"application/json": {"schema": ErrorSchema, "example": example}}}
