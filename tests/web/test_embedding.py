"""The dashboard inside pages of other origins: allowed by the settings, and its content there."""

import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.front.programs import needs
from tests.test_serving import gunicorn, on_one_version
from tests.web.pages import check_access, one_cluster, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@pytest.fixture
def other_origin() -> Iterator[str]:
    """The origin of another server, which answers every request with an empty page."""

    class EmptyPage(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<!DOCTYPE html><title>Other</title>")

        def log_message(self, *_arguments: object) -> None:
            """Log nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), EmptyPage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def embed(page: Page, origin: str, address: str) -> None:
    """Open a page of ``origin`` that shows ``address`` in a frame."""
    page.goto(origin)
    page.evaluate(
        "address => document.body.append(Object.assign(document.createElement('iframe'),"
        " {src: address, width: 900, height: 600, title: 'Chart'}))",
        address,
    )


@on_one_version
def test_a_chart_in_a_frame_of_an_allowed_origin(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], workloads: list[str], other_origin: str
) -> None:
    settings = f'{one_cluster(postgres)}[http]\nframe_ancestors = ["{other_origin}"]\n'
    with gunicorn(write_settings(settings)) as address, open_page() as page:
        embed(page, other_origin, f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&embed=1")
        frame = page.frame_locator("iframe")
        expect(frame.locator("#charts")).to_have_attribute("aria-busy", "false")
        expect(frame.locator("figure.chart canvas").first).to_be_visible()
        for hidden in (".bar", "aside", "#runs", "#chart-controls"):
            expect(frame.locator(hidden)).to_be_hidden()
        expect(frame.get_by_role("link", name="Open in the dashboard")).to_have_attribute(
            "href", f"#w=alpha%2F{workloads[0]}&m=loss"
        )


@on_one_version
@pytest.mark.parametrize("metrics", ["m=loss", "m=loss&with=lr&axis=time"])
def test_a_chart_fits_into_the_documented_height(address: str, workloads: list[str], metrics: str) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": 500, "height": 400})
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&{metrics}&embed=1")
        wait_for_charts(page)
        expect(page.get_by_role("link", name="Open in the dashboard")).to_be_in_viewport(ratio=1)
        height = page.locator(".plot").evaluate("plot => plot.clientHeight")
        assert page.evaluate("document.documentElement.scrollHeight") == 400
        page.get_by_text("Values as a table").click()
        page.get_by_role("button", name=re.compile(f"^{workloads[1]}$")).click()
        wait_for_charts(page)
        assert page.locator(".plot").evaluate("plot => plot.clientHeight") == height


@on_one_version
def test_a_chart_follows_the_height_of_its_frame(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        for height in (400, 800, 300):
            page.set_viewport_size({"width": 500, "height": height})
            if height == 400:
                page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&embed=1")
                wait_for_charts(page)
            page.wait_for_function(
                "height => Math.abs(document.body.getBoundingClientRect().height - height) < 12", arg=height
            )


@on_one_version
def test_a_chart_fills_its_frame_again_after_full_screen(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": 500, "height": 400})
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&embed=1")
        wait_for_charts(page)
        plot = page.locator(".plot")
        before = plot.evaluate("plot => plot.clientHeight")
        page.get_by_label("Full screen").click()
        expect(page.locator("figure.chart:fullscreen")).to_be_visible()
        expect(plot).not_to_have_css("min-height", f"{before}px")
        page.get_by_text("Values as a table").click()
        expect(page.locator("figure.chart td").first).to_be_visible()
        page.get_by_label("Full screen").click()
        expect(page.locator("figure.chart:fullscreen")).to_have_count(0)
        # The canvas, which is in the plot, has that height, too.
        page.wait_for_function("height => document.querySelector('.plot').clientHeight === height", arg=before)


@on_one_version
def test_a_workload_that_does_not_exist_is_named(address: str, workloads: list[str]) -> None:
    words = "No such workload: alpha/nothing"
    with open_page() as page:
        for view in ("m=loss&embed=1", "m=loss"):
            page.goto(f"{address}/lens/#w=alpha/nothing&{view}")
            expect(page.locator("figure.chart .reason")).to_have_text(words)
            expect(page.locator("#banner")).to_be_visible(visible=view.endswith("embed=1"))
        for view in ("", f"&w=alpha/{workloads[0]}"):
            page.goto(f"{address}/lens/#w=alpha/nothing&embed=1{view}")
            expect(page.locator("#banner")).to_have_text(words)
        expect(page.locator("figure.chart .reason").first).to_be_hidden()
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&embed=1")
        expect(page.locator("#banner")).to_be_hidden()


@on_one_version
def test_no_other_origin_may_frame_it(address: str, workloads: list[str], other_origin: str) -> None:
    with open_page(tolerated="Framing '") as page:
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text))
        embed(page, other_origin, f"{address}/lens/#w=alpha/{workloads[0]}&embed=1")
        page.wait_for_timeout(1000)
        assert any(re.search("frame-ancestors 'none'", text) for text in refused), refused


@on_one_version
def test_embedded_pages_are_accessible(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&embed=1")
        wait_for_charts(page)
        expect(page.locator("aside")).to_be_hidden()
        check_access(page)
