"""The scales of the y axis, of all charts and of one, in a real Chromium."""

import re

import pytest
from playwright.sync_api import expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, open_view, read_values
from tests.web.pages import BEGAN, check_access, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@on_one_version
def test_ranges_of_y(address: str, store: Store, uid: str) -> None:
    values = [1e6 if index == 100 else 1 + index / 1000 for index in range(1, 301)]
    store(uid, [Row({"loss": value}, index, at(BEGAN + index)) for index, value in enumerate(values, 1)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        assert "1,000,000" in read_values(page)
        more = page.get_by_text("More", exact=True)
        more.click()
        page.get_by_label("without outliers").check()
        more.click()
        assert float(read_values(page)[-1]) < 2
        more.click()
        page.get_by_label("without outliers").uncheck()
        page.get_by_label("y from", exact=True).fill("0.5")
        page.get_by_label("y to", exact=True).fill("1.5")
        page.get_by_label("y to", exact=True).press("Enter")
        more.click()
        expect(page).to_have_url(re.compile(r"y=0\.5\.\.1\.5"))
        shown = [float(each) for each in read_values(page)]
        assert min(shown) >= 0.5
        assert max(shown) <= 1.5
        page.get_by_label("logarithmic").check()
        assert [float(each) for each in read_values(page)] != shown


@on_one_version
def test_a_chart_has_its_own_scale(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"), ("m", "lr"))
        linear = read_values(page)
        own = chart(page).get_by_role("button", name="Log scale: loss")
        own.press("Enter")
        expect(own).to_have_attribute("aria-pressed", "true")
        expect(page).to_have_url(re.compile("log=1%40loss"))
        wait_for_charts(page)
        assert read_values(page) != linear
        everywhere = page.get_by_label("logarithmic y axis")
        expect(everywhere).not_to_be_checked()
        expect(chart(page, 1).get_by_role("button", name="Log scale")).to_have_attribute("aria-pressed", "false")
        everywhere.check()
        own.click()
        expect(page).to_have_url(re.compile("log=1&log=0%40loss"))
        page.reload()
        wait_for_charts(page)
        assert read_values(page) == linear
        expect(chart(page, 1).get_by_role("button", name="Log scale")).to_have_attribute("aria-pressed", "true")
        # A chart that agrees with the others follows them again.
        own.click()
        expect(page).not_to_have_url(re.compile("%40loss"))
        everywhere.uncheck()
        expect(own).to_have_attribute("aria-pressed", "false")
        page.go_back()
        expect(own).to_have_attribute("aria-pressed", "true")


@on_one_version
def test_a_chart_has_its_own_range(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[:1], ("m", "loss"), ("y", "0..4"), ("zoom", "1..2@loss"))
        opener = chart(page).get_by_label("Range of the y axis")
        opener.press("Enter")
        low, high = (page.get_by_label(f"y {end}: loss") for end in ("from", "to"))
        expect(low).to_be_focused()
        expect(high).to_have_attribute("placeholder", "4")
        low.fill("9")
        high.fill("0.5")
        high.press("Enter")
        expect(high).to_have_attribute("aria-invalid", "true")
        expect(chart(page).get_by_text("“from” must be less than “to”.")).to_be_visible()
        check_access(page)
        low.fill("0,25")
        low.press("Enter")
        expect(chart(page).get_by_text("Enter numbers, such as 0.5 or 1e-4.")).to_be_visible()
        low.fill("0.25")
        low.press("Enter")
        # What was zoomed in makes room for it.
        expect(page).to_have_url(re.compile(r"y=0\.\.4&y=0\.25\.\.0\.5%40loss"))
        expect(page).not_to_have_url(re.compile("zoom="))
        low.press("Escape")
        expect(low).to_be_hidden()
        expect(opener).to_be_focused()
        wait_for_charts(page)
        assert {float(each) for each in read_values(page)} <= {0.25 + step / 100 for step in range(26)}
        # The range stays with the chart while a metric joins it.
        chart(page).get_by_label(re.compile("^Add a metric")).click()
        chart(page).get_by_label("Metric to add").fill("lr")
        chart(page).get_by_label("Metric to add").press("Enter")
        expect(page).to_have_url(re.compile(r"%40loss%2C\+lr"))
        page.go_back()
        opener.click()
        expect(low).to_have_value("0.25")
        low.fill("")
        high.fill("")
        high.press("Enter")
        expect(page).not_to_have_url(re.compile("%40loss"))
        wait_for_charts(page)
        assert float(read_values(page)[-1]) > 3


@on_one_version
def test_one_end_of_y_is_fixed(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[:1], ("m", "loss"), ("m", "lr"))
        automatic = read_values(page)
        chart(page).get_by_label("Range of the y axis").press("Enter")
        low, high = (page.get_by_label(f"y {end}: loss") for end in ("from", "to"))
        expect(low).to_be_focused()
        high.fill("3")
        high.press("Enter")
        expect(page).to_have_url(re.compile(r"y=\.\.3%40loss"))
        high.press("Escape")
        wait_for_charts(page)
        assert read_values(page)[0] == automatic[0]
        assert read_values(page)[-1] == "3"
        # The other end is that of all charts.
        page.get_by_text("More", exact=True).click()
        page.get_by_label("y from", exact=True).fill("-1")
        page.get_by_label("y from", exact=True).press("Tab")
        expect(page).to_have_url(re.compile(r"y=-1\.\.&"))
        page.keyboard.press("Escape")
        wait_for_charts(page)
        assert [read_values(page)[end] for end in (0, -1)] == ["-1", "3"]
        page.reload()
        wait_for_charts(page)
        assert [read_values(page)[end] for end in (0, -1)] == ["-1", "3"]
        expect(low).to_have_attribute("placeholder", "-1")
        expect(low).to_have_value("")
        expect(high).to_have_value("3")


@on_one_version
@pytest.mark.parametrize("width", [1280, 360])
def test_the_fields_of_a_range_have_room(address: str, workloads: list[str], width: int) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": width, "height": 740})
        open_view(page, address, workloads[:1], ("m", "loss"), ("y", "-0.0001234..123456.5"))
        for opener in (chart(page).get_by_label("Range of the y axis"), page.get_by_text("More", exact=True)):
            opener.click()
            for end in page.locator(".end:visible").all():
                expect(end).to_be_in_viewport(ratio=1)
                # What is shown as a placeholder takes as much room as a value.
                assert end.evaluate("end => (end.value ||= end.placeholder, end.scrollWidth <= end.clientWidth)")
            opener.click()


@on_one_version
def test_what_is_zoomed_in_stays_while_a_metric_joins(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[:1], ("m", "loss"), ("zoom", "1..2@loss"))
        chart(page).get_by_label(re.compile("^Add a metric")).click()
        chart(page).get_by_label("Metric to add").fill("lr")
        chart(page).get_by_label("Metric to add").press("Enter")
        expect(page).to_have_url(re.compile(r"zoom=1\.\.2%40loss%2C\+lr"))
        wait_for_charts(page)
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("zoom="))
