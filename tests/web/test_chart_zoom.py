"""Zooming in x and y, and the ranges of the axes, in a real Chromium."""

import re

from playwright.sync_api import expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, drag, open_view, read_values
from tests.web.pages import BEGAN, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@on_one_version
def test_zooming_fetches_finer_data(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"))
        with page.expect_response(re.compile("start_iteration=.*after=")) as answered:
            drag(page, chart(page), (0.4, 0.3), (0.5, 0.33))
        (series,) = answered.value.json()["series"]
        assert answered.value.json()["sampling"]["points_total"] == len(series["values"])
        assert 1000 < series["iterations"][0] < series["iterations"][-1] < 1700
        expect(page).to_have_url(re.compile(r"range=\d+\.\.\d+"))
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("range="))


@on_one_version
def test_zooming_in_y_and_in_both_and_back(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"))
        whole = read_values(page)
        drag(page, chart(page), (0.5, 0.6), (0.505, 0.95))
        expect(page).not_to_have_url(re.compile("range="))
        expect(page).to_have_url(re.compile(r"zoom=[\d.]+\.\.[\d.]+%40loss"))
        narrow = read_values(page)
        assert float(narrow[-1]) < float(whole[-1])
        # The address has the range, and each way back leads to the whole one.
        page.reload()
        wait_for_charts(page)
        assert read_values(page) == narrow
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("zoom="))
        expect(page.get_by_role("button", name="Show the whole range")).to_be_hidden()
        wait_for_charts(page)
        assert read_values(page) == whole
        page.go_back()
        expect(page).to_have_url(re.compile("zoom="))
        wait_for_charts(page)
        assert read_values(page) == narrow
        drag(page, chart(page), (0.2, 0.2), (0.6, 0.8))
        expect(page).to_have_url(re.compile(r"range=\d+\.\.\d+"))
        wait_for_charts(page)
        chart(page).locator(".u-over").dblclick()
        expect(page).not_to_have_url(re.compile("range="))
        wait_for_charts(page)
        assert read_values(page) == whole


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
        page.get_by_label("y from").fill("0.5")
        page.get_by_label("y to").fill("1.5")
        page.get_by_label("y to").press("Enter")
        more.click()
        expect(page).to_have_url(re.compile(r"y=0\.5\.\.1\.5"))
        shown = [float(each) for each in read_values(page)]
        assert min(shown) >= 0.5
        assert max(shown) <= 1.5
        page.get_by_label("logarithmic").check()
        assert [float(each) for each in read_values(page)] != shown


@on_one_version
def test_zooming_along_a_metric_fetches_finer_data(address: str, store: Store, uid: str) -> None:
    rows = [
        Row({"loss": 9 / index + index % 7 / 50, "tokens": index * 4096}, index, at(BEGAN + index * 1000))
        for index in range(1, 20_001)
    ]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), ("axis", "tokens"))
        with page.expect_response(re.compile("start_iteration=.*after=")) as answered:
            drag(page, chart(page), (0.4, 0.3), (0.42, 0.31))
        (series,) = answered.value.json()["series"]
        # Every record of the range, and of the points around it that were at hand.
        found = series["iterations"]
        assert found == list(range(found[0], found[-1] + 1))
        assert series["axis_values"] == [4096 * iteration for iteration in found]
        low, high = map(float, re.findall(r"range=([\d.]+)\.\.([\d.]+)", page.url)[0])
        assert found[0] * 4096 <= low < high <= found[-1] * 4096
        assert 7000 < found[0] < found[-1] < 9500
        wait_for_charts(page)
        # A view that is opened by its address is as fine.
        with page.expect_response(re.compile("start_iteration=.*after=")) as again:
            page.reload()
        assert again.value.json()["series"][0]["iterations"] == found
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("range="))
        wait_for_charts(page)
