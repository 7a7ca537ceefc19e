"""The headers of all responses: CORS, caching, security, and trusted proxies; with Chromium where browsers decide."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ConfigError
from tests.conftest import READER, running_app
from tests.front.programs import needs
from tests.test_serving import serve
from tests.web_browser import open_page

SOURCES = "/lens/v1/workloads/w/metrics/sources?cluster=nobody"
DATA_POLICY = "default-src 'none'; frame-ancestors 'none'"
ORIGIN = "https://grafana.example.org"
PREFLIGHT = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
NOBODY = '[clusters.alpha]\ndsn = "host=/nonexistent"\n'

MakeApp = Callable[[str], Flask]


@pytest.fixture
def make_app(write_settings: Callable[[str], Path]) -> Iterator[MakeApp]:
    """Make an application with the lines given below [http]."""
    with ExitStack() as stack:
        yield lambda lines: stack.enter_context(running_app(write_settings(f"{NOBODY}[http]\n{lines}\n")))


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application with default settings."""
    return make_app("")


@pytest.mark.parametrize(
    ("path", "status"),
    [(SOURCES, 400), ("/lens/openapi.json", 200), ("/nowhere", 404), ("/healthz", 200), ("/lens/docs", 200)],
)
def test_every_response_has_the_fixed_headers(client: FlaskClient, path: str, status: int) -> None:
    response = client.get(path)
    assert response.status_code == status
    assert response.headers.getlist("X-Content-Type-Options") == ["nosniff"]
    assert response.headers.getlist("Referrer-Policy") == ["no-referrer"]
    assert response.headers.getlist("Cross-Origin-Resource-Policy") == ["same-origin"]
    (policy,) = response.headers.getlist("Content-Security-Policy")
    assert (policy == DATA_POLICY) is (path != "/lens/docs")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    assert "Access-Control-Allow-Origin" not in response.headers
    # Pages are equal for all callers, but may be compressed. Errors are not.
    vary = "Authorization" if path == SOURCES else "Accept-Encoding" if status == 200 else None
    assert response.headers.get("Vary") == vary
    response.close()


def test_an_unchanged_page_keeps_its_policy(client: FlaskClient) -> None:
    """A browser takes the headers of a 304 for those of the page that it has."""
    page = client.get("/lens/docs")
    unchanged = client.get("/lens/docs", headers={"If-None-Match": page.headers["ETag"]})
    assert unchanged.status_code == 304
    assert unchanged.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"] != DATA_POLICY
    page.close()
    unchanged.close()


def test_the_dashboard_is_framed_by_the_origins_of_the_settings(make_app: MakeApp) -> None:
    client = make_app(f'frame_ancestors = ["self", "{ORIGIN}"]').test_client()
    assert client.get("/lens/").headers["Content-Security-Policy"].endswith(f"; frame-ancestors 'self' {ORIGIN}")
    for path in ("/lens/docs", SOURCES, "/nowhere"):
        response = client.get(path)
        assert response.headers["Content-Security-Policy"].endswith("frame-ancestors 'none'")
        response.close()


@pytest.mark.parametrize("ancestors", ['["https://example.org/path"]', '["none"]', '["example.org; script-src *"]'])
def test_ancestors_must_be_origins(make_app: MakeApp, ancestors: str) -> None:
    with pytest.raises(ConfigError, match=re.escape("http.frame_ancestors: expected origins as https://example.org")):
        make_app(f"frame_ancestors = {ancestors}")


def test_no_origin_is_allowed_by_default(client: FlaskClient) -> None:
    for method in ("get", "options"):
        response = getattr(client, method)(SOURCES, headers={"Origin": ORIGIN, **PREFLIGHT})
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]


def test_the_origins_of_the_settings_are_allowed(make_app: MakeApp) -> None:
    client = make_app(f'cors_origins = ["{ORIGIN}", "http://localhost:3000"]').test_client()
    for origin in (ORIGIN, "http://localhost:3000"):
        response = client.get(SOURCES, headers={"Origin": origin})
        assert response.headers.getlist("Access-Control-Allow-Origin") == [origin]
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in response.headers
        assert response.vary.as_set() == {"origin", "authorization"}


STRANGERS = (
    "null",
    "*",
    f"{ORIGIN}.evil.org",
    f"{ORIGIN}/",
    f"{ORIGIN}:443",
    ORIGIN.upper(),
    "http://grafana.example.org",
    "https://grafanaXexample.org",
    "",
)


@pytest.mark.parametrize("origin", STRANGERS)
def test_other_origins_are_not_allowed(make_app: MakeApp, origin: str) -> None:
    client = make_app(f'cors_origins = ["{ORIGIN}"]').test_client()
    for response in (
        client.get(SOURCES, headers={"Origin": origin}),
        client.options(SOURCES, headers={"Origin": origin, **PREFLIGHT}),
    ):
        assert not [name for name, _ in response.headers if name.startswith("Access-Control")]
        assert "origin" in response.vary


def test_a_star_allows_all_origins(make_app: MakeApp) -> None:
    response = make_app('cors_origins = ["*"]').test_client().get(SOURCES, headers={"Origin": "null"})
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "origin" not in response.vary


API_PATHS = [
    *(f"/lens/v1/workloads/w/{each}" for each in ("metrics/sources", "metrics/available", "progress")),
    *(f"/lens/v1/workloads/w/metrics/{each}" for each in ("data", "data?format=csv", "iteration-times")),
    *("/lens/v1/workloads", "/lens/v1/clusters"),
]


@pytest.mark.parametrize("path", API_PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("cluster", ["alpha", "away"])
def test_proxies_must_not_store_responses_of_the_api(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], path: str, method: str, cluster: str
) -> None:
    dsn = postgres18.dsn("alpha", READER) if cluster == "alpha" else "host=/nonexistent"
    with running_app(write_settings(f'[clusters.{cluster}]\ndsn = "{dsn}"')) as app:
        response = app.test_client().open(path, method=method)
    assert response.status_code in {200, 503}
    caching = "no-store" if response.status_code == 503 else "private, no-cache"
    assert response.headers.getlist("Cache-Control") == [caching]
    assert "authorization" in response.vary


@pytest.mark.parametrize("path", ["/lens/", "/lens/docs", "/lens/docs/docs.js", "/lens/openapi.json", "/nowhere"])
def test_all_other_responses_have_cache_control(client: FlaskClient, path: str) -> None:
    with client.get(path) as response:
        assert response.headers.getlist("Cache-Control") == ["no-store" if path == "/nowhere" else "no-cache"]


@pytest.mark.parametrize("query", ["", "?x=//evil.org"])
@pytest.mark.parametrize("headers", [{}, {"Host": "evil.org"}, {"X-Forwarded-Prefix": "//evil.org"}])
def test_the_redirect_for_a_missing_slash_is_relative(make_app: MakeApp, query: str, headers: dict[str, str]) -> None:
    response = make_app("trusted_proxies = 1").test_client().get(f"/lens{query}", headers=headers)
    assert response.status_code == 308
    assert response.headers["Location"] == f"./lens/{query}"
    assert response.headers["Cache-Control"] == "no-cache"
    assert response.data == b""


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_and_metrics_are_not_shared(make_app: MakeApp, path: str) -> None:
    response = make_app('cors_origins = ["*"]').test_client().get(path, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in response.headers


def test_preflight(make_app: MakeApp) -> None:
    client = make_app(f'cors_origins = ["{ORIGIN}"]').test_client()
    response = client.options(SOURCES, headers={"Origin": ORIGIN, **PREFLIGHT})
    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS, POST"
    assert "Authorization" in response.headers["Access-Control-Allow-Headers"].split(", ")
    assert "Content-Type" not in response.headers
    plain = client.options("/lens/v1/workloads/w/metrics/sources")
    assert (plain.status_code, plain.allow.as_set()) == (200, {"get", "head", "options"})


@pytest.mark.parametrize(
    "origins", ['["*", "https://a.org"]', '["https://a.org/"]', '["a.org"]', '["null"]', '["https://*.a.org"]', '[""]']
)
def test_invalid_origins_are_refused(make_app: MakeApp, origins: str) -> None:
    with pytest.raises(ConfigError, match=re.escape("http.cors_origins: expected origins as https://example.org")):
        make_app(f"cors_origins = {origins}")


FORWARDED = {
    "X-Forwarded-For": "6.6.6.6, 10.0.0.1, 10.0.0.2",
    "X-Forwarded-Proto": "gopher, https, http",
    "X-Forwarded-Host": "evil.org, lens.example.org, inner",
    "X-Forwarded-Prefix": "/evil, /training, /inner",
    "X-Forwarded-Port": "1, 2, 3",
}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ("127.0.0.1", "http://localhost/here", "")),
        (1, ("10.0.0.2", "http://inner/inner/here", "/inner")),
        (2, ("10.0.0.1", "https://lens.example.org/training/here", "/training")),
        # If fewer proxies have added headers than are trusted, none of the headers is used.
        (4, ("127.0.0.1", "http://localhost/here", "")),
    ],
)
def test_as_many_proxies_are_trusted_as_configured(
    make_app: MakeApp, count: int, expected: tuple[str, str, str]
) -> None:
    app = make_app(f"trusted_proxies = {count}")
    seen: list[tuple[Any, ...]] = []
    app.add_url_rule("/here", "e", lambda: seen.append((request.remote_addr, request.url, request.script_root)) or "")
    assert app.test_client().get("/here", headers=FORWARDED).status_code == 200
    assert seen == [expected]


ASK = """async (url) => {
    try { return (await fetch(url, {headers: {Authorization: "Bearer x"}})).status } catch (error) { return error.name }
}"""


def bare_page(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/html")])
    return [b"<!DOCTYPE html><title>A page of somebody else</title><link rel=icon href=data:,>"]


@contextmanager
def page_of_another_origin(address: str) -> Iterator[Page]:
    with open_page() as page:
        page.goto(address)
        yield page


@needs("chromium")
def test_chromium_allows_only_the_origins(make_app: MakeApp, app: Flask) -> None:
    with serve(bare_page) as elsewhere:
        shared = make_app(f'cors_origins = ["{elsewhere}"]')
        with serve(shared) as address, page_of_another_origin(elsewhere) as page:
            assert page.evaluate(ASK, f"{address}/lens/openapi.json") == 200
        refused = pytest.raises(AssertionError, match="blocked by CORS policy")
        with serve(app) as address, refused, page_of_another_origin(elsewhere) as page:
            assert page.evaluate(ASK, f"{address}/lens/openapi.json") == "TypeError"


PROBE = """() => new Promise((resolve) => {
    document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective))
    const script = document.createElement("script")
    script.textContent = "document.title = 'inline script ran'"
    document.body.append(script)
})"""


@needs("chromium")
def test_the_page_does_not_violate_its_policy(app: Flask) -> None:
    """Chromium reports each violation as an error on the page's console."""
    with serve(app) as address, open_page() as page:
        page.goto(f"{address}/lens/docs")
        # The models are below the operations, so they are drawn last.
        expect(page.locator(".models button").first).to_be_visible(timeout=120_000)
        # Swagger UI draws all open operations again with each click.
        for operation in page.locator(".opblock").all():
            operation.locator(".opblock-summary-path").click()
            expect(operation.locator(".responses-table")).to_be_visible()
            operation.get_by_role("tab", name="Schema").first.click()
            operation.locator(".opblock-summary-path").click()
        page.locator(".models button").first.click()
        expect(page.locator(".models .model-container").first).to_be_visible()


@needs("chromium")
def test_chromium_runs_no_inline_script_on_the_page(app: Flask) -> None:
    """The page itself, without any violation, is tried out in tests/test_serving.py."""
    refused = pytest.raises(AssertionError, match=r"violates .*Content Security Policy directive")
    with serve(app) as address, refused, open_page() as page:
        page.goto(f"{address}/lens/docs")
        assert page.evaluate(PROBE) == "script-src-elem"
        assert page.title() == "Training Performance API"
