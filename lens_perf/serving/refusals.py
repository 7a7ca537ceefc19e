"""Error responses for requests that gunicorn refuses, in the format of the application's errors."""

import json
from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    ForbiddenProxyRequest,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)

MALFORMED = (HTTPStatus.BAD_REQUEST, "The request is not well-formed")
INTERNAL_ERROR = (HTTPStatus.INTERNAL_SERVER_ERROR, "Internal server error")
TOO_SLOW = (HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive")
# The first matching class applies.
REFUSALS: tuple[tuple[type[Exception], tuple[HTTPStatus, str]], ...] = (
    (
        LimitRequestLine,
        (
            HTTPStatus.REQUEST_URI_TOO_LONG,
            (
                "The request line is longer than 8190 bytes; request fewer metrics or workloads, or send the parameters"
                " by POST where the endpoint supports it"
            ),
        ),
    ),
    (LimitRequestHeaders, (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large")),
    (UnsupportedTransferCoding, (HTTPStatus.NOT_IMPLEMENTED, "The transfer coding is not supported")),
    (ExpectationFailed, (HTTPStatus.EXPECTATION_FAILED, "The only expectation that can be met is 100-continue")),
    (ForbiddenProxyRequest, (HTTPStatus.FORBIDDEN, "Forbidden")),
    # Of the application's making.
    (InvalidResponseHeader, INTERNAL_ERROR),
    (InvalidResponseHeaderName, INTERNAL_ERROR),
    (ParseException, MALFORMED),
    (OSError, MALFORMED),
)
HEADERS = (
    "Connection: close\r\n"
    "Content-Type: application/json\r\n"
    "Cache-Control: no-store\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
)


def find_refusal(error: BaseException) -> tuple[HTTPStatus, str]:
    """Return the status and the message for an exception of gunicorn."""
    return next((refusal for kind, refusal in REFUSALS if isinstance(error, kind)), INTERNAL_ERROR)


def format_refusal(status: HTTPStatus, message: str) -> bytes:
    """Return the complete response."""
    body = json.dumps({"code": status, "status": status.phrase, "message": message}, separators=(",", ":")) + "\n"
    return f"HTTP/1.1 {status.value} {status.phrase}\r\n{HEADERS}Content-Length: {len(body)}\r\n\r\n{body}".encode()
