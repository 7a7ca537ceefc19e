"""What every answer tells browsers: what it may load and whose pages may read it. And which proxies are believed."""

import re
from http import HTTPStatus

from flask import Flask, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix

from lens_perf.config import Settings
from lens_perf.errors import ConfigError

# JSON is nothing to run or to frame, also where somebody makes a browser show it.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# A page may load what comes with the service, and nothing stands in it itself. Swagger UI's sheet holds images as data.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
FIXED_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # Bounds only what pages embed without asking; what they fetch is left to CORS.
    ("Cross-Origin-Resource-Policy", "same-origin"),
)

ANY_ORIGIN = "*"
# As browsers write it: lower case, no path, not even a slash.
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
PREFLIGHT_HEADERS = (
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Request-Id"),
    ("Access-Control-Max-Age", "600"),
)
# Beyond the few that CORS itself lets a page read.
EXPOSED_HEADERS = "Content-Disposition, ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Cursor, X-Request-Id"
# What machines ask of the service itself is nothing for pages.
UNSHARED_BLUEPRINT = "health"


def install_headers(app: Flask, settings: Settings) -> None:
    """Have every answer of ``app`` carry its headers, and believe as many proxies as ``settings`` say.

    To be installed ahead of what asks for tokens: a browser's preflight cannot carry one. Raises ConfigError.
    """
    app.after_request(_add_fixed_headers)
    if settings.http.cors_origins:
        _share(app, _check_origins(settings))
    if count := settings.http.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # Flask's own way to put a layer around an app
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=0, x_prefix=count
        )


def _add_fixed_headers(response: Response) -> Response:
    headers = response.headers
    for name, value in FIXED_HEADERS:
        headers.add(name, value)
    headers.add("Content-Security-Policy", PAGE_POLICY if response.mimetype == "text/html" else DATA_POLICY)
    return response


def _check_origins(settings: Settings) -> frozenset[str]:
    origins = frozenset(settings.http.cors_origins)
    if origins != {ANY_ORIGIN} and not all(ORIGIN.fullmatch(each) for each in origins):
        raise ConfigError(
            f'{settings.path}: http.cors_origins: expected origins as https://example.org, without a path, or "*" alone'
        )
    return origins


def _share(app: Flask, origins: frozenset[str]) -> None:
    """Let pages of ``origins`` read the answers. No cookie is ever looked at, so none is allowed."""
    any_origin = ANY_ORIGIN in origins

    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        response = Response(status=HTTPStatus.NO_CONTENT)
        del response.headers["Content-Type"]  # of nothing
        if request.headers.get("Origin") in origins or any_origin:
            response.headers.extend(PREFLIGHT_HEADERS)
        return response

    def share(response: Response) -> Response:
        if request.blueprint == UNSHARED_BLUEPRINT:
            return response
        if not any_origin:
            response.vary.add("Origin")
        origin = request.headers.get("Origin")
        if any_origin or origin in origins:
            response.headers["Access-Control-Allow-Origin"] = ANY_ORIGIN if any_origin else str(origin)
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
        return response

    app.before_request(answer_preflight)
    app.after_request(share)
