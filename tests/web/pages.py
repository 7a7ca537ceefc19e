"""Functions for tests of pages: opening the dashboard, selecting workloads, checking accessibility with axe-core."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from playwright.sync_api import Locator, Page, expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER
from tests.web_browser import open_page

WEB = Path(__file__).parent.parent.parent / "lens_perf" / "web"
AXE = WEB / "npm" / "node_modules" / "axe-core" / "axe.min.js"
BEGAN = 1_700_000_000_000


def one_cluster(postgres: EmbeddedPostgres) -> str:
    """Return settings for one cluster of ``postgres``."""
    return f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha", READER)}"\n'


def both_clusters(postgres: EmbeddedPostgres) -> str:
    """Return settings for both clusters of ``postgres``."""
    dsn = postgres.dsn("beta", READER)
    return f'default_cluster = "alpha"\n{one_cluster(postgres)}[clusters.beta]\ndsn = "{dsn}"\n'


def open_dashboard(page: Page, address: str, uid: str = "", hash_text: str = "") -> None:
    """Open the dashboard, and search for ``uid``."""
    if uid:
        wait_until_listed(page, address, uid)
    page.goto(f"{address}/lens/{hash_text}")
    expect(page.get_by_role("heading", name="Training workloads")).to_be_visible()
    if uid:
        page.get_by_label("Search").fill(uid)


def wait_until_listed(page: Page, address: str, search: str) -> None:
    """Wait for up to two seconds: the service shares a list for one, and the page reads it again only after 30."""
    for _ in range(40):
        answer = page.request.get(f"{address}/lens/v1/workloads?search={quote(search)}")
        if not answer.ok or answer.json()["workloads"]:
            return
        page.wait_for_timeout(50)


def pick(page: Page, name: str) -> None:
    """Select a workload in the list."""
    page.locator("#workloads").get_by_role("checkbox", name=re.compile(re.escape(name))).check()


def charts(page: Page) -> Locator:
    """Return the charts; those that are not on the screen are not drawn yet."""
    return page.locator("figure.chart")


def row_of(page: Page, name: str) -> Locator:
    """Return the row of a run in the run table."""
    return page.locator("#runs tr.of-run", has=page.get_by_text(name, exact=True))


def wait_for_charts(page: Page) -> None:
    """Wait until the full charts have replaced their previews."""
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")


def check_access(page: Page, *tolerated: str) -> None:
    """Check the page with the accessibility rules of axe-core, except those ``tolerated``."""
    page.evaluate(AXE.read_text("utf-8"))  # the page's policy allows no other script
    result: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (each["id"], [node["html"] for node in each["nodes"]][:3])
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"} and each["id"] not in tolerated
    ]
    assert grave == []


@contextmanager
def tolerant_page() -> Iterator[Page]:
    """Open a page on which the browser may log error responses."""
    with open_page(tolerated="Failed to load resource") as page:
        yield page
