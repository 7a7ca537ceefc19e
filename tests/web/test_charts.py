"""The charts in a real Chromium: what they show, zoom, smoothing, the preview."""

import re

from playwright.sync_api import Route, expect

from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import charts, open_dashboard, pick
from tests.web_browser import open_page

pytestmark = needs("chromium")


@on_one_version
def test_two_runs_are_overlaid_and_the_address_holds_the_view(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        for name in workloads:
            pick(page, name)
        legend = page.locator("figure.chart").first.locator(".u-legend")
        for name in workloads:
            expect(legend).to_contain_text(name)
        page.get_by_label("time", exact=True).check()
        page.get_by_label("logarithmic").check()
        expect(page).to_have_url(re.compile("axis=time.*log=1"))
        shared = page.url
        page.go_back()
        expect(page.get_by_label("logarithmic")).not_to_be_checked()
        page.goto("about:blank")
        page.goto(shared)
        expect(page.get_by_label("logarithmic")).to_be_checked()
        expect(page.locator(".card")).to_have_count(2)
        expect(page.locator("figure.chart").first.locator(".u-legend")).to_contain_text(workloads[1])


@on_one_version
def test_zooming_fetches_finer_data(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[1])
        plot = page.locator("figure.chart .u-over").first
        # The chart replaces its preview, and moves down when the card is filled.
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".card progress")).to_be_visible()
        expect(plot).to_be_visible()
        box = plot.bounding_box()
        assert box
        with page.expect_response(re.compile("start_iteration=")) as answered:
            page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=5)
            page.mouse.up()
        series = answered.value.json()["series"][0]
        assert answered.value.json()["sampling"]["points_total"] == len(series["values"])
        assert 1000 < series["iterations"][0] < series["iterations"][-1] < 1700
        expect(page).to_have_url(re.compile(r"range=\d+\.\.\d+"))
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("range="))


@on_one_version
def test_a_preview_comes_before_the_full_chart(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile(r"/metrics/data\?.*axis="), hold)
        page.goto(f"{address}/lens/#w=alpha/{workloads[1]}")
        expect(charts(page).first).to_be_visible()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "true")
        expect(page.get_by_role("checkbox", name="loss")).to_be_checked()
        held.pop().continue_()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")


@on_one_version
def test_smoothing_keeps_the_raw_line(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[1])
        expect(charts(page).first).to_be_visible()
        page.get_by_label("Smoothing").fill("0.9")
        legend = page.locator("figure.chart").first.locator(".u-legend .u-label")
        expect(legend.filter(has_text=re.compile(f"^{workloads[1]}$"))).to_have_count(1)
        expect(legend.filter(has_text=f"{workloads[1]}, smoothed")).to_have_count(1)
        expect(page).to_have_url(re.compile("smooth=0.9"))
