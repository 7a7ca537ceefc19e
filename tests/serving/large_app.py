"""An application with large answers, in memory or from a file, for clients that may pause for one second only."""

import tempfile
from collections.abc import Iterable
from typing import Any

from lens_perf.serving import answer_socket

SIZE = 64 * 2**20

answer_socket.UNREAD_SECONDS = 1.0


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer with zeros."""
    if environ["PATH_INFO"] == "/small":
        start_response("200 OK", [("Content-Length", "0")])
        return [b""]
    start_response("200 OK", [("Content-Length", str(SIZE))])
    if environ["PATH_INFO"] == "/memory":
        return [bytes(SIZE)]
    file = tempfile.TemporaryFile()  # noqa: SIM115 - gunicorn closes it
    file.truncate(SIZE)
    wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](file)
    return wrapped
