"""Checks the body of POST requests, and finds the cluster and the workloads that a request names."""

from flask import Flask, Request, request
from werkzeug.exceptions import BadRequest, LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from lens_perf.capacity import LARGEST_BODY

FORM = "application/x-www-form-urlencoded"
NOT_A_FORM = f"Send the parameters as {FORM}"
COMPRESSED = "Send the parameters without Content-Encoding"
NOT_UTF8 = "Send the parameters in UTF-8, percent-encoded"
TOO_LARGE = f"The body is larger than {LARGEST_BODY} bytes; request fewer metrics or workloads at once"
NO_LENGTH = "Send the parameters with a Content-Length"
REQUESTED_CLUSTER = "lens_perf.requested_cluster"
REQUESTED_WORKLOADS = "lens_perf.requested_workloads"


def install_request_bodies(app: Flask) -> None:
    """Check the bodies of POST requests. Install it before the hooks that read their parameters."""
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.before_request(_check_body)


def find_requested_cluster(current: Request) -> str | None:
    """Return the cluster that a request names, in its query or in a checked body."""
    in_body: str | None = current.environ.get(REQUESTED_CLUSTER)
    return in_body or (current.args.get("cluster") if current.query_string else None)


def list_requested_workloads(current: Request) -> list[str]:
    """Return the workloads that a request names, in its query and in a checked body."""
    return [*current.args.getlist("workload"), *current.environ.get(REQUESTED_WORKLOADS, ())]


def _check_body() -> None:
    """Raise BadRequest, LengthRequired, RequestEntityTooLarge or UnsupportedMediaType for an unreadable body."""
    if request.method != "POST" or request.endpoint is None:
        return
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired(NO_LENGTH)
    size = request.content_length or 0
    if size > LARGEST_BODY:
        raise RequestEntityTooLarge(TOO_LARGE)
    if size and request.mimetype != FORM:
        raise UnsupportedMediaType(NOT_A_FORM)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType(COMPRESSED)
    # Werkzeug would read other bytes as a form without parameters.
    if not _is_utf8(request.get_data()):
        raise BadRequest(NOT_UTF8)
    # Conditions do not apply: 304 is not defined for POST, and this request changes nothing.
    request.environ.pop("HTTP_IF_NONE_MATCH", None)
    request.environ[REQUESTED_CLUSTER] = request.form.get("cluster")
    request.environ[REQUESTED_WORKLOADS] = request.form.getlist("workload")


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
