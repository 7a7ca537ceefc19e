"""Refuses callers on other machines, unless tokens are in use or the settings allow access without tokens.

``config/gunicorn.conf.py`` already refuses to start on other addresses. This check also covers other servers and other
settings of gunicorn.
"""

from collections.abc import Mapping
from typing import Any

from flask import Flask, Request, request

from lens_perf.access.addresses import is_local_peer
from lens_perf.api.access_check import GUARDED_BLUEPRINTS
from lens_perf.errors import ForbiddenError
from lens_perf.settings import Settings

NOT_OPEN = (
    "This service has no tokens and answers only callers on its own machine; its operator can set access.token_file or "
    "access.open_without_tokens = true"
)


def install_local_callers(app: Flask, settings: Settings) -> None:
    """Refuse callers on other machines, unless there are tokens or ``access.open_without_tokens`` is set."""
    if settings.access.token_file is not None or settings.access.open_without_tokens:
        return

    def check() -> None:
        current: Request = request._get_current_object()  # type: ignore[attr-defined]  # the proxy's own method
        if current.blueprint in GUARDED_BLUEPRINTS and not is_local_peer(_find_peer(current.environ)):
            raise ForbiddenError(NOT_OPEN)

    app.before_request(check)


def _find_peer(environ: Mapping[str, Any]) -> str:
    """Return the address at the other end of the connection, whatever a proxy says of callers behind it."""
    believed = environ.get("werkzeug.proxy_fix.orig", environ)
    return str(believed.get("REMOTE_ADDR") or "")
