"""Accessibility of the page: themes, a phone, the keyboard alone, axe-core."""

import re
from typing import Any

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import BEGAN, charts, check_access, open_dashboard, pick, row_of, wait_for_charts
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
def test_the_panels_follow_the_width_until_they_are_folded_by_hand(address: str, workloads: list[str]) -> None:
    wide, narrow = (ViewportSize(width=width, height=740) for width in (1280, 360))
    with open_page() as page:
        page.set_viewport_size(narrow)
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss")
        wait_for_charts(page)
        listed, metrics = page.get_by_label("Search"), page.get_by_label("Find metrics")
        for size in (narrow, wide, narrow):
            page.set_viewport_size(size)
            for field in (listed, metrics):
                expect(field).to_be_visible(visible=size == wide)
        page.locator("#workload-panel summary").click()
        expect(listed).to_be_visible()
        for size in (wide, narrow):
            page.set_viewport_size(size)
            expect(metrics).to_be_visible(visible=size == wide)
            expect(listed).to_be_visible()
        # What is being typed into stays.
        page.set_viewport_size(wide)
        metrics.press_sequentially("l")
        page.set_viewport_size(narrow)
        expect(page.locator("#chart-controls output")).to_be_hidden()
        expect(metrics).to_be_focused()


@on_one_version
def test_with_the_keyboard_alone(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the charts")).to_be_focused()
        page.keyboard.press("/")
        expect(page.get_by_label("Search")).to_be_focused()
        page.keyboard.type(uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        for _ in range(6):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('#workloads input')"):
                break
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        box = page.locator("#workloads").get_by_role("checkbox", name=re.compile(workloads[0]))
        expect(box).to_be_checked()
        expect(box).to_be_focused()
        wait_for_charts(page)
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("?")
        expect(page.get_by_role("dialog", name="Keys")).to_contain_text("Search workloads")
        check_access(page)
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()


@on_one_version
def test_a_popover_closes_when_the_focus_leaves_it(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&with=lr")
        wait_for_charts(page)
        for name, onward in (("Add a metric", "Tab"), ("Range of the y axis", "Tab"), ("Download", "Shift+Tab")):
            opener = charts(page).get_by_label(re.compile(f"^{name}:"))
            popover = opener.locator("xpath=..")
            opener.press("Enter")
            expect(popover).to_have_attribute("open", "")
            if name != "Download":
                expect(popover.locator("input").first).to_be_focused()
            # A click on its edge does not close it.
            popover.locator("> div").click(position={"x": 2, "y": 2})
            expect(popover).to_have_attribute("open", "")
            opener.focus()
            for _ in range(10):
                page.keyboard.press(onward)
                if not popover.evaluate("popover => popover.contains(document.activeElement)"):
                    break
            expect(popover).not_to_have_attribute("open", "")
            assert page.evaluate("Boolean(document.activeElement.closest('figure.chart'))")


@on_one_version
def test_at_most_ten_tab_presses_to_the_first_chart(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&m=loss")
        wait_for_charts(page)
        expect(row_of(page, workloads[0])).to_contain_text("Ended")
        stops = []
        for _ in range(10):
            page.keyboard.press("Tab")
            stops.append(page.evaluate("document.activeElement.outerHTML.slice(0, 80)"))
            if page.evaluate("Boolean(document.activeElement.closest('figure.chart'))"):
                break
        assert page.evaluate("Boolean(document.activeElement.closest('figure.chart'))"), stops


@on_one_version
def test_the_run_table_is_one_tab_stop(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&m=loss")
        wait_for_charts(page)
        expect(page.locator("#runs tbody tr")).to_have_count(2)
        assert page.locator("#runs table [tabindex='0']").count() == 1
        buttons = page.get_by_role("toolbar", name="Run table")
        buttons.locator("summary").focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("button", name="Download the runs as CSV")).to_be_focused()
        assert buttons.locator("[tabindex='0']").count() == 1
        page.get_by_role("checkbox", name=f"Show {workloads[0]}").focus()
        page.keyboard.press("ArrowDown")
        expect(page.get_by_role("checkbox", name=f"Show {workloads[1]}")).to_be_focused()
        page.keyboard.press("End")
        expect(page.get_by_role("button", name=f"Remove {workloads[1]}")).to_be_focused()


@on_one_version
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (360, 740)])
def test_with_twenty_runs_the_first_chart_is_on_the_first_screen(
    address: str, store: Store, uid: str, width: int, height: int
) -> None:
    uids = [f"{uid}-{number}-with-a-name-of-some-length" for number in range(20)]
    for each in uids:
        store(each, [Row({"loss": 1 / index}, index, at(BEGAN + 1000 * index)) for index in range(1, 30)])
    with open_page() as page:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(f"{address}/lens/#m=loss&" + "&".join(f"w=alpha/{each}" for each in uids))
        expect(page.locator("#runs tbody").get_by_text("Ended")).to_have_count(20)
        wait_for_charts(page)
        box = page.locator("figure.chart canvas").first.bounding_box()
        assert box
        assert box["y"] + box["height"] <= height
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_access(page)
