"""Updates of the page in a real Chromium: new points, new states, and a focus that remains."""

import re
import time

from playwright.sync_api import Route, expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import BEGAN, charts, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


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
        expect(page.locator("#charts")).to_be_focused()
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


@on_one_version
def test_the_tab_and_a_notification_say_that_a_run_stalled(address: str, running: str) -> None:
    with open_page() as page:
        # Chromium without a window shows no notifications: what the page passes to the browser is recorded.
        page.add_init_script(
            "window.shown = []; window.Notification = class { constructor(text) { window.shown.push(text); }"
            " static permission = 'granted'; };"
        )
        page.clock.install()
        page.goto(f"{address}/lens/#w=alpha/{running}")
        expect(page).to_have_title(re.compile(rf"^Running 30 % \xb7 {running}"))
        expect(page.locator("link[rel=icon]")).to_have_attribute("data-state", "running")
        page.get_by_role("button", name="Notifications").click()
        expect(page.get_by_role("button", name="Notifications")).to_have_attribute("aria-pressed", "true")
        page.route("**/metrics/progress?*", _answer_stalled)
        page.clock.fast_forward(11_000)
        expect(page).to_have_title(re.compile("^Stalled"))
        expect(page.locator("#status")).to_have_text(f"{running} has stalled.")
        assert page.evaluate("window.shown") == [f"{running} has stalled"]
        expect(page.locator("link[rel=icon]")).to_have_attribute("data-state", "stalled")


def _answer_stalled(route: Route) -> None:
    answer = route.fetch()
    body = answer.json()
    for each in body["workloads"]:
        each["state"] = "stalled"
    route.fulfill(response=answer, json=body)


@on_one_version
def test_twenty_ended_runs_cost_fewer_than_ten_requests_a_minute(address: str, store: Store, uid: str) -> None:
    uids = [f"{uid}-{number}" for number in range(20)]
    for each in uids:
        store(each, [Row({"loss": 1 / index}, index, at(BEGAN + 1000 * index)) for index in range(1, 20)])
    with open_page() as page:
        page.clock.install()
        page.goto(f"{address}/lens/#" + "&".join(f"w=alpha/{each}" for each in uids))
        expect(page.locator("#runs tbody").get_by_text("Ended")).to_have_count(20)
        wait_for_charts(page)
        page.clock.run_for(15_000)  # the states of the list are read once
        page.wait_for_timeout(1000)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        for _ in range(60):
            page.clock.run_for(5000)
        page.wait_for_timeout(1000)
        assert 0 < len(asked) < 50, asked
