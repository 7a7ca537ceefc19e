"""The security, caching and CORS headers of all responses, and the number of proxies whose headers are trusted."""

from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Request, Response, request
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import RequestRedirect

from lens_perf.api.access_check import GUARDED_BLUEPRINTS
from lens_perf.settings import ANY_ORIGIN, SELF, Settings

# If a browser displays a JSON response, it must neither run nor load anything, and no page may frame it.
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
# Pages load only files of the service and have no inline code. Swagger UI and the tab's icon use data: images.
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
# They serve pages and what these load.
PAGE_BLUEPRINTS = frozenset({"docs", "dashboard"})
# The page that http.frame_ancestors allows other pages to frame.
FRAMED_ENDPOINT = "dashboard.show"
POLICY_HEADER = "Content-Security-Policy"
FIXED_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # Affects only resources that pages embed; CORS decides which ones they may fetch.
    ("Cross-Origin-Resource-Policy", "same-origin"),
)
DATA_HEADERS = (*FIXED_HEADERS, (POLICY_HEADER, DATA_POLICY))

# Responses of the API depend on the token: proxies must not store them, and browsers must revalidate them.
API_CACHING = "private, no-cache"
# Pages, scripts and the OpenAPI description are equal for all callers.
PAGE_CACHING = "no-cache"

Headers = Sequence[tuple[str, str]]

PREFLIGHT_HEADERS = (
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS, POST"),
    ("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match, X-Request-Id"),
    ("Access-Control-Max-Age", "600"),
)
# In addition to the few headers that pages may always read.
EXPOSED_HEADERS = (
    "Content-Disposition, ETag, Retry-After, Server-Timing, WWW-Authenticate, X-Cursor, X-Request-Id, X-Warnings"
)
# Pages have no need of probes and metrics of the service.
UNSHARED_BLUEPRINT = "health"


def install_headers(app: Flask, settings: Settings) -> None:
    """Add the headers to all responses of ``app``, and trust ``http.trusted_proxies`` proxies.

    Install it before the access check, because a browser sends preflight requests without a token.
    """
    ancestors = _write_ancestors(settings)
    app.after_request(_make_redirect_relative)
    app.wsgi_app = FixedHeaders(app.wsgi_app, ancestors)  # type: ignore[method-assign]  # Flask's own way to put a layer around an app
    if settings.http.cors_origins:
        _share(app, frozenset(settings.http.cors_origins))
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
            current: Request = environ["werkzeug.request"]
            blueprint = current.blueprint
            names = [name for name, _ in headers]
            fixed = self._choose(current.endpoint, blueprint)
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
    """Return the sources of ``frame-ancestors``."""
    ancestors = settings.http.frame_ancestors
    return " ".join("'self'" if each == SELF else each for each in ancestors) or "'none'"


def _make_redirect_relative(response: Response) -> Response:
    """Make a redirect that adds a missing slash relative, so that a forged Host header has no effect."""
    if response.status_code == HTTPStatus.PERMANENT_REDIRECT and isinstance(request.routing_exception, RequestRedirect):
        target = urlsplit(request.routing_exception.new_url)
        # "./" keeps a colon in the segment from being read as a scheme.
        segment = target.path.removesuffix("/").rpartition("/")[2]
        query = f"?{target.query}" if target.query else ""
        response.headers["Location"] = f"./{segment}/{query}"
        response.set_data(b"")  # the default body contains the absolute address
    return response


def _share(app: Flask, origins: frozenset[str]) -> None:
    """Allow pages of ``origins`` to read responses. The service uses no cookies, so credentials are not allowed."""
    any_origin = ANY_ORIGIN in origins

    def answer_preflight() -> Response | None:
        if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
            return None
        response = Response(status=HTTPStatus.NO_CONTENT)
        del response.headers["Content-Type"]  # there is no body
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
