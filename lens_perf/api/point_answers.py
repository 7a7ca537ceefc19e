"""Makes the responses with data points, in the requested encoding, or 304 if the client's ETag is current."""

import re
from collections.abc import Mapping

from flask import Response, request
from werkzeug.wsgi import wrap_file

from lens_perf.api.endpoints import answer_unchanged
from lens_perf.api.point_queries import MEDIA_TYPES
from lens_perf.performance.points.query import Encoding, PointAnswer
from lens_perf.performance.points.spool import PointBody

# The encodings that browsers save as a file, and the extension of its name.
SAVED: Mapping[Encoding, str] = {
    "csv": "csv",
    "wide-csv": "csv",
    "ndjson": "ndjson",
    "parquet": "parquet",
    "wide-parquet": "parquet",
}
PARQUET = MEDIA_TYPES["parquet"]
CURSOR_HEADER = "X-Cursor"
WARNINGS_HEADER = "X-Warnings"
UNFIT_FOR_NAMES = re.compile(r"[^A-Za-z0-9._-]+")


def wants_no_points() -> bool:
    """Return whether the response has no body regardless of the data points: for HEAD, or ``If-None-Match: *``."""
    return request.method == "HEAD" or request.if_none_match.star_tag


def send_body(body: PointBody, encoding: Encoding, name: str, warnings: int) -> Response:
    """Return the response with ``body``; ``warnings`` is the number of workloads that are missing from it."""
    response = _describe_file(_send_body(body, MEDIA_TYPES[encoding]), encoding, name)
    if warnings:
        response.headers[WARNINGS_HEADER] = str(warnings)
    return _add_validators(response, None, None)


def send_points(answer: PointAnswer, encoding: Encoding, name: str) -> Response:
    """Return the response with ``answer``; ``name`` is the suggested file name without extension."""
    if answer.body is None:
        response = answer_unchanged()
    else:
        response = _describe_file(_send_body(answer.body, MEDIA_TYPES[encoding]), encoding, name)
        if MEDIA_TYPES[encoding] == PARQUET:
            # Readers of Parquet request the end of the file first, then single columns.
            _adapt_range(answer.body.size)
            response.make_conditional(request, accept_ranges=True, complete_length=answer.body.size)
    return _add_validators(response, answer.etag, answer.cursor)


def _adapt_range(size: int) -> None:
    """Apply the rules for ``Range`` that Werkzeug does not know.

    The last bytes of a file are all of it if it has fewer: https://www.rfc-editor.org/rfc/rfc9110#section-14.1.2.
    Unknown units are ignored: https://www.rfc-editor.org/rfc/rfc9110#section-14.2.
    """
    requested = request.range
    if requested is None:
        return
    if requested.units != "bytes":
        del request.environ["HTTP_RANGE"]
    elif len(requested.ranges) == 1 and requested.ranges[0][0] < -size:
        request.environ["HTTP_RANGE"] = f"bytes=-{size}"


def send_no_points(etag: str | None, encoding: Encoding, name: str, *, has_ranges: bool = False) -> Response:
    """Return the response to HEAD, without Content-Length; 304 if ``If-None-Match`` has ``etag`` or is ``*``.

    ``has_ranges`` is whether GET supports ``Range`` for Parquet.
    """
    if request.if_none_match.star_tag or (etag is not None and request.if_none_match.contains_weak(etag)):
        response = answer_unchanged()
    else:
        response = _describe_file(Response(mimetype=MEDIA_TYPES[encoding]), encoding, name)
        response.automatically_set_content_length = False
        if has_ranges and MEDIA_TYPES[encoding] == PARQUET:
            response.accept_ranges = "bytes"
    return _add_validators(response, etag, None)


def _describe_file(response: Response, encoding: Encoding, name: str) -> Response:
    if encoding in SAVED:
        file_name = f"{UNFIT_FOR_NAMES.sub('_', name)}.{SAVED[encoding]}"
        response.headers["Content-Disposition"] = f'attachment; filename="{file_name}"'
    return response


def _add_validators(response: Response, etag: str | None, cursor: str | None) -> Response:
    if etag is not None:
        # Weak, because some clients get a compressed body: https://www.rfc-editor.org/rfc/rfc9110#section-8.8.1
        response.set_etag(etag, weak=True)
    response.headers["Cache-Control"] = "private, no-cache"
    response.vary.add("Accept")
    if cursor is not None:
        response.headers[CURSOR_HEADER] = cursor
    return response


def _send_body(body: PointBody, media_type: str) -> Response:
    """Return a response with Content-Length. Servers that support it send a file with sendfile."""
    if body.file is None:
        return Response(body.content, mimetype=media_type)
    response = Response(wrap_file(request.environ, body.file), mimetype=media_type, direct_passthrough=True)
    response.content_length = body.size
    return response
