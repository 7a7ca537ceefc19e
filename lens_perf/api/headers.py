"""The headers of every answer: what browsers may load, who may keep it, whose pages may read it.

And which proxies are believed.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect

from lens_perf.api.access_check import GUARDED_BLUEPRINTS
from lens_perf.config import Settings
from lens_perf.errors import ConfigError

# JSON is nothing to run or to frame, also where somebody makes a browser show it.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# A page may load what comes with the service, and has nothing inline. Images may be data: Swagger UI's, the tab's icon.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
# They serve pages and what these load.
PAGE_BLUEPRINTS = frozenset({"docs", "dashboard"})
# The page that other pages may show in a frame, where the settings say so.
FRAMED_ENDPOINT = "dashboard.show"
SELF = "self"
POLICY_HEADER = "Content-Security-Policy"
FIXED_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # Bounds only what pages embed without asking; what they fetch is left to CORS.
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
DATA_HEADERS = (*FIXED_HEADERS, (POLICY_HEADER, DATA_POLICY))

# What the API answers depends on who asks: a proxy between must not keep it, a browser asks again before it shows it.
API_CACHING = "private, no-cache"
# Pages, scripts and the description are the same for all.
PAGE_CACHING = "no-cache"

Headers = Sequence[tuple[str, str]]

ANY_ORIGIN = "*"
# As browsers write it: lower case, no path, not even a slash.
ORIGIN = re.compile(r"https?://[a-z0-9.\-\[\]:]+")
PREFLIGHT_HEADERS = (
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Request-Id"),
    ("Access-Control-Max-Age", "600"),
)
# Beyond the few that CORS itself lets a page read.
EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Cursor, X-Request-Id, X-Warnings"
)
# What machines ask of the service itself is nothing for pages.
UNSHARED_BLUEPRINT = "health"


def install_headers(app: Flask, settings: Settings) -> None:
    """Have every answer of ``app`` carry its headers, and believe as many proxies as ``settings`` say.

    To be installed ahead of what asks for tokens: a browser's preflight cannot carry one. Raises ConfigError.
    """
    ancestors = _write_ancestors(settings)
    app.after_request(_make_redirect_relative)
    app.wsgi_app = FixedHeaders(app.wsgi_app, ancestors)  # type: ignore[method-assign]  # Flask's own way to put a layer around an app
    if settings.http.cors_origins:
        _share(app, _check_origins(settings))
    if count := settings.http.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]  # likewise
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_port=0, x_prefix=count
        )


class FixedHeaders:
    """The layer that says what browsers may load and who may keep an answer, unless the view has said so.

    It adds to complete answers, where nothing copies and checks the headers again.
    """

    def __init__(self, wsgi_app: Callable[..., Iterable[bytes]], ancestors: str) -> None:
        self._wsgi_app = wsgi_app
        self._page = (*FIXED_HEADERS, (POLICY_HEADER, PAGE_POLICY.format(ancestors="'none'")))
        self._framed_page = (*FIXED_HEADERS, (POLICY_HEADER, PAGE_POLICY.format(ancestors=ancestors)))

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""

        def start(status: str, headers: Headers, exc_info: object = None) -> Any:
            asked: Request = environ["werkzeug.request"]
            blueprint = asked.blueprint
            names = [name for name, _ in headers]
            fixed = self._choose(asked.endpoint, blueprint)
            caching = PAGE_CACHING
            if blueprint in GUARDED_BLUEPRINTS:
                caching = API_CACHING
                headers = _vary_by_token(headers) if "Vary" in names else [*headers, ("Vary", "Authorization")]
            if "Cache-Control" not in names:
                headers = [*headers, ("Cache-Control", caching)]
            return start_response(status, [*headers, *fixed], exc_info)

        return self._wsgi_app(environ, start)

    def _choose(self, endpoint: str | None, blueprint: str | None) -> Headers:
        if blueprint not in PAGE_BLUEPRINTS:
            return DATA_HEADERS
        return self._framed_page if endpoint == FRAMED_ENDPOINT else self._page


def _vary_by_token(headers: Headers) -> Headers:
    return [(name, f"{value}, Authorization" if name == "Vary" else value) for name, value in headers]


def _write_ancestors(settings: Settings) -> str:
    """Return the sources of ``frame-ancestors``. Raises ConfigError."""
    ancestors = settings.http.frame_ancestors
    if not all(each in (SELF, ANY_ORIGIN) or ORIGIN.fullmatch(each) for each in ancestors):
        raise ConfigError(
            f"{settings.path}: http.frame_ancestors: expected origins as https://example.org, without a path, "
            '"self" or "*"'
        )
    return " ".join("'self'" if each == SELF else each for each in ancestors) or "'none'"


def _make_redirect_relative(response: Response) -> Response:
    """Add the missing slash relative to the path that was requested, so that a forged Host leads nowhere."""
    if response.status_code == HTTPStatus.PERMANENT_REDIRECT and isinstance(request.routing_exception, RequestRedirect):
        target = urlsplit(request.routing_exception.new_url)
        # "./" keeps a colon in the segment from being read as a scheme.
        segment = target.path.removesuffix("/").rpartition("/")[2]
        query = f"?{target.query}" if target.query else ""
        response.headers["Location"] = f"./{segment}/{query}"
        response.set_data(b"")  # the page repeats the absolute address
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
