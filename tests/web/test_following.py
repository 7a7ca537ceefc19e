"""What the page does by itself, in a real Chromium: new points, new states, and the focus that stays."""

import re
import time

import pytest
from playwright.sync_api import expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import charts, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@pytest.fixture
def running(store: Store, uid: str) -> str:
    """A workload whose last record, of iteration 300, is of now."""
    now = time.time() * 1000
    store(uid, [Row({"loss": 1 / index, "lr": 1e-4}, index, at(now - 1000 * (300 - index))) for index in range(1, 301)])
    return uid


def store_next(store: Store, uid: str) -> None:
    """Store iteration 301."""
    store(uid, [Row({"loss": 7, "lr": 1e-4}, 301, at(time.time() * 1000))])


@on_one_version
def test_new_points_appear_in_the_same_chart(address: str, running: str, store: Store) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{running}&m=loss&m=lr")
        expect(charts(page)).to_have_count(2)
        wait_for_charts(page)
        table = page.locator("figure.chart").nth(1).get_by_text("Values as a table")
        table.click()
        rows = page.locator("figure.chart").nth(1).locator("tbody tr")
        expect(rows.last).to_contain_text("300")
        canvas = page.locator("figure.chart canvas").first.element_handle()
        store_next(store, running)
        expect(rows.last).to_contain_text("301", timeout=15_000)
        assert canvas.evaluate("canvas => canvas.isConnected"), "the chart was replaced, which flickers"
        expect(table).to_be_focused()


@on_one_version
def test_the_skip_link_keeps_the_view(address: str, running: str) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{running}&m=loss&m=lr")
        expect(charts(page)).to_have_count(2)
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#content")).to_be_focused()
        expect(charts(page)).to_have_count(2)
        expect(page).to_have_url(re.compile("m=lr"))


@on_one_version
def test_progress_is_read_without_a_new_point(address: str, running: str) -> None:
    with open_page() as page:
        page.clock.install()
        page.goto(f"{address}/lens/#w=alpha/{running}")
        wait_for_charts(page)
        with page.expect_response("**/metrics/progress?*"):
            page.clock.fast_forward(11_000)
