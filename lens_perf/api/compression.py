"""Compresses responses for clients that accept gzip, unless a trusted proxy does so."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from http import HTTPStatus

from flask import Flask, Response, request

from lens_perf.instrumentation.timing import note_streamed
from lens_perf.settings import Settings

# Smaller bodies gain less than the headers cost.
LEAST_BYTES = 1000
COMPRESSIBLE = frozenset(
    {"application/json", "application/x-ndjson", "text/csv", "text/html", "text/css", "text/javascript"}
)
# The fastest level shrinks data points to about an eighth; a level that takes three times as long gains little.
LEVEL = 1
GZIP_WINDOW = 16 + zlib.MAX_WBITS


def install_compression(app: Flask, settings: Settings) -> None:
    """Compress the responses of ``app``, unless a proxy is trusted, which then compresses them."""
    if settings.http.trusted_proxies == 0:
        app.after_request(_compress)


def _compress(response: Response) -> Response:
    is_unchanged = response.status_code == HTTPStatus.NOT_MODIFIED
    if not is_unchanged and (response.status_code != HTTPStatus.OK or response.mimetype not in COMPRESSIBLE):
        return response
    # Also if the body is small or not sent: its size does not depend on the request alone.
    vary = response.headers.get("Vary")
    response.headers["Vary"] = f"{vary}, Accept-Encoding" if vary else "Accept-Encoding"
    size = sum(map(len, response.response)) if response.is_sequence else response.content_length
    if is_unchanged or (size or 0) < LEAST_BYTES:
        return response
    if request.accept_encodings.best_match(("gzip", "identity"), "identity") != "gzip":
        return response
    if response.is_sequence:
        response.set_data(gzip.compress(response.get_data(), LEVEL, mtime=0))
    else:
        note_streamed(size or 0)
        response.response = _stream(response.response)  # type: ignore[arg-type]  # a file's blocks, which are bytes
        response.direct_passthrough = False
        del response.headers["Content-Length"]
    response.headers["Content-Encoding"] = "gzip"
    return response


def _stream(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield ``blocks`` compressed; close them at the end or when the response is abandoned."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP_WINDOW)
    try:
        for block in blocks:
            if part := compressor.compress(block):
                yield part
        yield compressor.flush()
    finally:
        if hasattr(blocks, "close"):
            blocks.close()
