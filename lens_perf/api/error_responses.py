"""Maps exceptions to statuses and response bodies: the one table, and the handlers that use it."""

from http import HTTPStatus
from typing import Any

import marshmallow as ma
from flask import Response, jsonify, request
from flask_smorest import Api
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestedRangeNotSatisfiable

from lens_perf.api.access_check import SEVERAL_BLUEPRINT, list_granted
from lens_perf.errors import (
    ClientLeftError,
    ClusterError,
    CopyNotReadyError,
    DeadlineExceededError,
    ForbiddenError,
    InvalidParameterError,
    LensError,
    ResultTooLargeError,
    TemporarySpaceError,
    TokensUnavailableError,
    UnauthorizedError,
    UnknownClusterError,
)

# The entry of the exception's nearest base class applies; anything else is an error of the service.
STATUSES: dict[type[BaseException], HTTPStatus] = {
    InvalidParameterError: HTTPStatus.BAD_REQUEST,
    UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    TokensUnavailableError: HTTPStatus.SERVICE_UNAVAILABLE,
    ForbiddenError: HTTPStatus.FORBIDDEN,
    ResultTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    ClusterError: HTTPStatus.SERVICE_UNAVAILABLE,
    CopyNotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
    TemporarySpaceError: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceededError: HTTPStatus.GATEWAY_TIMEOUT,
    # The client does not receive this response. The status keeps it from counting as an error of the service.
    ClientLeftError: HTTPStatus.SERVICE_UNAVAILABLE,
    LensError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
RETRY_AFTER_SECONDS = {HTTPStatus.SERVICE_UNAVAILABLE: "1"}
INTERNAL_ERROR = "Internal server error"
NO_SUCH_RANGE = "The file has no such range; request one range within the length that Content-Range names"
NO_SUCH_PATH = "No such path; write a slash in a uid as %2F, and see the documentation for all paths"


class ErrorSchema(ma.Schema):
    """The body of every error."""

    code = ma.fields.Integer(required=True, metadata={"description": "Status code", "example": 400})
    status = ma.fields.String(required=True, metadata={"description": "Name of the status", "example": "Bad Request"})
    message = ma.fields.String(
        required=True, metadata={"description": "What to change", "example": "Invalid start time format"}
    )
    errors = ma.fields.Dict(
        metadata={
            "description": "The messages, by location and parameter",
            "example": {"query": {"start": ["Invalid start time format"]}},
        }
    )


class LensApi(Api):  # type: ignore[misc]  # flask-smorest has no annotations
    """flask-smorest's Api with the service's error responses."""

    ERROR_SCHEMA = ErrorSchema

    def _register_error_handlers(self) -> None:
        self._app.register_error_handler(LensError, answer_lens_error)
        self._app.register_error_handler(HTTPException, answer_http_error)


def find_status(error: LensError) -> HTTPStatus:
    """Return the status for ``error``."""
    return next(STATUSES[each] for each in type(error).__mro__ if each in STATUSES)


def answer_lens_error(error: LensError) -> Response:
    """Return a response with the error's status and message."""
    if isinstance(error, UnknownClusterError):
        parameter = "workload" if request.blueprint == SEVERAL_BLUEPRINT else "cluster"
        error = error.listing(list_granted(error.known), parameter)
    status = find_status(error)
    body: dict[str, Any] = {"code": status.value, "status": status.phrase, "message": error.message}
    if isinstance(error, InvalidParameterError) and error.errors:
        body["errors"] = {_find_location(location): each for location, each in error.errors.items()}
    response = answer_uncached(body, status)
    if isinstance(error, UnauthorizedError):
        # RFC 6750, section 3: no error code if the request has no credentials.
        response.headers["WWW-Authenticate"] = 'Bearer error="invalid_token"' if error.was_given else "Bearer"
    return response


def _find_location(location: str) -> str:
    """Return where the parameters of the request are: for POST, those of the query count as parts of the form."""
    return "form" if location == "query" and request.method == "POST" else location


def answer_http_error(error: HTTPException) -> Response:
    """Return a response for errors of Flask itself (no such path, wrong method) and for unexpected exceptions."""
    status = HTTPStatus(error.code or HTTPStatus.INTERNAL_SERVER_ERROR)
    messages = {
        HTTPStatus.INTERNAL_SERVER_ERROR: INTERNAL_ERROR,
        HTTPStatus.NOT_FOUND: NO_SUCH_PATH,
        HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: NO_SUCH_RANGE,
    }
    message = messages.get(status) or error.description or status.phrase
    response = answer_uncached({"code": status.value, "status": status.phrase, "message": message}, status)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
    if isinstance(error, RequestedRangeNotSatisfiable) and error.length is not None:
        response.headers["Content-Range"] = f"{error.units} */{error.length}"
    return response


def answer_uncached(body: dict[str, Any], status: HTTPStatus) -> Response:
    """Return a JSON response that must not be stored, with ``Retry-After`` if its status needs one."""
    response = jsonify(body)
    response.status_code = status
    response.headers["Cache-Control"] = "no-store"
    if status in RETRY_AFTER_SECONDS:
        response.headers["Retry-After"] = RETRY_AFTER_SECONDS[status]
    return response
