"""Parameters in the body of a POST: what such a body must be, and which cluster and workloads it asks."""

from flask import Flask, Request, request
from werkzeug.exceptions import LengthRequired, RequestEntityTooLarge, UnsupportedMediaType

from lens_perf.capacity import LARGEST_BODY

FORM = "application/x-www-form-urlencoded"
NOT_A_FORM = f"Send the parameters as {FORM}"
TOO_LARGE = f"The body is larger than {LARGEST_BODY} bytes; ask for fewer metrics at once"
NO_LENGTH = "Send the parameters with a Content-Length"
ASKED_CLUSTER = "lens_perf.asked_cluster"
ASKED_WORKLOADS = "lens_perf.asked_workloads"


def install_request_bodies(app: Flask) -> None:
    """Check the bodies of POST requests, ahead of what looks for their parameters."""
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.before_request(_check_body)


def find_asked_cluster(asked: Request) -> str | None:
    """Return the cluster that a request names, in its query or in a checked body."""
    in_body: str | None = asked.environ.get(ASKED_CLUSTER)
    return in_body or (asked.args.get("cluster") if asked.query_string else None)


def list_asked_workloads(asked: Request) -> list[str]:
    """Return the workloads that a request names, in its query and in a checked body."""
    return [*asked.args.getlist("workload"), *asked.environ.get(ASKED_WORKLOADS, ())]


def _check_body() -> None:
    """Raise what HTTP has for a body that cannot be read: 411, 413 or 415."""
    if request.method != "POST" or request.endpoint is None:
        return
    if "Transfer-Encoding" in request.headers:
        raise LengthRequired(NO_LENGTH)
    size = request.content_length or 0
    if size > LARGEST_BODY:
        raise RequestEntityTooLarge(TOO_LARGE)
    if size and request.mimetype != FORM:
        raise UnsupportedMediaType(NOT_A_FORM)
    # 304 is no answer to a POST, and this one changes nothing that a condition could protect.
    request.environ.pop("HTTP_IF_NONE_MATCH", None)
    request.environ[ASKED_CLUSTER] = request.form.get("cluster")
    request.environ[ASKED_WORKLOADS] = request.form.getlist("workload")
