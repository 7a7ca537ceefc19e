"""The page for everybody: themes, a phone, the keyboard alone, axe-core."""

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import charts, check_access, open_dashboard, pick
from tests.web_browser import open_page

pytestmark = needs("chromium")


@on_one_version
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(address: str, workloads: list[str], uid: str, scheme: Any) -> None:
    with open_page() as page:
        page.emulate_media(color_scheme=scheme)
        open_dashboard(page, address, uid)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()
        colour = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(colour)
        check_access(page)
        page.get_by_role("button", name="Switch between light and dark").click()
        assert page.evaluate(colour) != before
        check_access(page)
        page.reload()
        assert page.evaluate(colour) != before


@on_one_version
def test_a_phone_needs_no_sideways_scrolling(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": 360, "height": 740})
        open_dashboard(page, address, uid)
        for name in workloads:
            pick(page, name)
        expect(charts(page).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        check_access(page)


@on_one_version
def test_with_the_keyboard_alone(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the charts")).to_be_focused()
        while not page.get_by_label("Search").evaluate("field => field === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.type(uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.key?.includes('-first') ?? false"):
                break
        page.keyboard.press("Space")
        expect(page.get_by_role("checkbox", name=re.compile(workloads[0]))).to_be_checked()
        expect(page.get_by_role("checkbox", name=re.compile(workloads[0]))).to_be_focused()
        plot = page.get_by_role("img", name=re.compile("^loss along iteration"))
        expect(plot).to_be_visible()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        plot.focus()
        value = page.locator("figure.chart").first.locator(".u-legend .u-value").first
        page.keyboard.press("End")
        expect(value).to_have_text("299")
        page.keyboard.press("ArrowLeft")
        expect(value).to_have_text("298")
        page.keyboard.press("Home")
        expect(value).to_have_text("1")
