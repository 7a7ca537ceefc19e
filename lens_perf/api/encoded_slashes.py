"""Routes %2F as a character within a segment, so that a uid may contain slashes; WSGI itself decodes it."""

import re
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from flask import Request, request
from werkzeug.routing import MapAdapter

ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)
# Scheme and host of an absolute target, the path, and the rest.
TARGET = re.compile(r"(?:[a-z]+://[^/?#]*)?([^?#]*).*", re.IGNORECASE | re.DOTALL)
# Unicode assigns none of these characters, and no request line is long enough to contain all of them.
PRIVATE_USE = range(0xE000, 0xF900)
STAND_IN_KEY = "lens_perf.slash"


def mark_encoded_slashes(adapter: MapAdapter, current: Request) -> None:
    """Replace each encoded slash in the path that ``adapter`` matches by another character."""
    # The request's target as sent, in gunicorn and in other servers.
    target = str(current.environ.get("RAW_URI") or current.environ.get("REQUEST_URI", ""))
    if not ENCODED_SLASH.search(target) or (match := TARGET.fullmatch(target)) is None:
        return
    stand_in = next(character for character in map(chr, PRIVATE_USE) if character not in adapter.path_info)
    # The adapter's path begins with one slash, however many were sent.
    marked = "/" + _decode(ENCODED_SLASH.sub(quote(stand_in), match[1])).lstrip("/")
    # The target begins with the application's root path, unless a proxy has removed it.
    for prefix in ("", current.root_path):
        if marked.replace(stand_in, "/") == prefix + adapter.path_info:
            adapter.path_info = marked[len(prefix) :]
            current.environ[STAND_IN_KEY] = stand_in
            return


def restore_slashes(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Restore the slashes in the values from the path."""
    stand_in = request.environ.get(STAND_IN_KEY)
    if values and stand_in is not None:
        values.update({name: value.replace(stand_in, "/") for name, value in values.items()})


def _decode(path: str) -> str:
    """Decode a WSGI path, whose characters are bytes, as Werkzeug does."""
    return unquote_to_bytes(path.encode("latin-1", "replace")).decode("utf-8", "replace")
