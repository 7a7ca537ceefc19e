"""Zooming in x and y, and lines that leave the range, in a real Chromium."""

import csv
import io
import re
import time
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.conftest import Row, Store, at
from tests.faults import wait_until
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, colour_of, download, drag, hover, open_view, read_values
from tests.web.pages import BEGAN, pick, wait_for_charts, wait_until_listed
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
def test_a_zoom_between_two_iterations_survives_a_reload(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"), ("range", "1008..1013"))
        # Around iteration 1011 alone: from 1010.75 to 1011.25.
        drag(page, chart(page), (0.55, 0.5), (0.65, 0.52))
        expect(page).to_have_url(re.compile(r"range=1010\.\.1012"))
        wait_for_charts(page)
        iterations = [row["iteration"] for row in csv.DictReader(io.StringIO(download(page, "CSV")))]
        assert iterations == ["1010", "1011", "1012"]
        page.reload()
        wait_for_charts(page)
        expect(page.get_by_role("button", name="Show the whole range")).to_be_visible()
        assert [row["iteration"] for row in csv.DictReader(io.StringIO(download(page, "CSV")))] == iterations


@on_one_version
def test_a_range_of_relative_time_is_read_finely_by_its_address(
    address: str, workloads: list[str], store: Store, uid: str
) -> None:
    """Also of a run that is added, and of one whose progress cannot be read at first."""
    store(other := f"{uid}-other", [Row({"loss": 1 / index}, index, at(BEGAN + 50 * index)) for index in range(1, 50)])

    def read_range(asked: list[str], begin: int) -> bool:
        return any(f"&start={begin + 90_000}&end={begin + 180_000}&after=" in url for url in asked)

    with open_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        zoomed = (("m", "loss"), ("axis", "relative_time"), ("range", "90000..180000"))
        open_view(page, address, workloads[1:], *zoomed)
        assert read_range(asked, BEGAN + 900)
        wait_until_listed(page, address, other)
        page.get_by_label("Search").fill(other)
        pick(page, other)
        wait_until(lambda: page.evaluate("1") and read_range(asked, BEGAN + 50), 30)
        whole = [url for url in asked if "after=" in url and "start=" not in url and "axis=time" in url]
        assert whole == []
        # Without its progress, the whole is read.
        page.route("**/metrics/progress?*", answer_nothing_yet)
        page.clock.install()
        asked.clear()
        open_view(page, address, workloads[1:], *zoomed)
        assert not read_range(asked, BEGAN + 900)
        page.unroute("**/metrics/progress?*")
        page.clock.fast_forward(11_000)  # the page asks again after 10 seconds
        wait_until(lambda: page.evaluate("1") and read_range(asked, BEGAN + 900), 30)


def answer_nothing_yet(route: Route) -> None:
    """Answer as the service does about workloads that it cannot read now."""
    named = parse_qs(urlsplit(route.request.url).query)["workload"]
    pairs = [name.split("/") for name in named]
    warnings = [{"cluster": cluster, "workload_uid": uid, "message": "37 % done"} for cluster, uid in pairs]
    route.fulfill(json={"workloads": [], "warnings": warnings})


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


def read_ends(page: Page, index: int = 0) -> list[tuple[float, float]]:
    """Return where the lines of a chart begin and end, as shares of the width of its plot."""
    text = download(page, "SVG", index)
    ((left, width),) = re.findall(r'<clipPath id="clip1"><path d="M([\d.]+) [\d.]+h([\d.]+)', text)
    colour = colour_of(page, "")
    drawn = text.partition("</clipPath>")[2]
    paths = re.findall(rf'<path d="([^"]*)" fill="none" stroke="{colour}"', drawn)
    places = [[float(x) for x in re.findall(r"[ML]([\d.]+) ", path)] for path in paths if path.count("L")]
    return [tuple((each[end] - float(left)) / float(width) for end in (0, -1)) for each in places]  # type: ignore[misc]


def store_sparse(store: Store, uid: str) -> None:
    """Store a loss of each of 3,000 iterations, and a validation loss of every 1,000th."""
    rows = [
        Row(
            {"loss": 5 - index / 1000} | ({"val": 6 - index / 1000} if index % 1000 == 0 else {}),
            index,
            at(BEGAN + index * 1000),
        )
        for index in range(3001)
    ]
    store(uid, rows)


@on_one_version
def test_lines_reach_the_ends_of_the_range(address: str, store: Store, uid: str) -> None:
    store_sparse(store, uid)
    with open_page() as page:
        # Nothing is held of the whole; one point of the validation loss is in the first range, none in the second.
        for span, points in (((900, 1300), 1), ((1200, 1300), 0)):
            open_view(page, address, [uid], ("m", "val"), ("m", "loss"), ("range", "{}..{}".format(*span)))
            for index in range(2):
                assert read_ends(page, index) == [pytest.approx((0, 1), abs=0.01)]
            saved = [list(csv.DictReader(io.StringIO(download(page, "CSV", index)))) for index in range(2)]
            assert len(saved[0]) == points
            assert [int(row["iteration"]) for row in saved[1]] == list(range(span[0], span[1] + 1))
            shown = [float(each) for each in read_values(page)]
            assert 4.6 < min(shown) < max(shown) < 5.2
        hover(chart(page))
        expect(chart(page).locator(".tooltip")).to_be_hidden()
        # Beyond the last point there is no line.
        open_view(page, address, [uid], ("m", "val"), ("range", "3500..4000"))
        expect(chart(page)).to_contain_text("No data points of val in this range.")


@on_one_version
@pytest.mark.parametrize("axis", ["time", "relative_time"])
def test_lines_reach_the_ends_of_a_range_of_time(address: str, store: Store, uid: str, axis: str) -> None:
    store_sparse(store, uid)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "val"), ("m", "loss"), ("axis", axis))
        # Between two points of the validation loss, in a chart of the other loss.
        drag(page, chart(page, 1), (0.41, 0.3), (0.45, 0.31))
        expect(page).to_have_url(re.compile(r"range="))
        wait_for_charts(page)
        for index in range(2):
            assert read_ends(page, index) == [pytest.approx((0, 1), abs=0.01)]


@on_one_version
def test_a_line_grows_out_of_the_range(address: str, store: Store, running: str) -> None:
    with open_page() as page:
        open_view(page, address, [running], ("m", "loss"), ("range", "290..300"))
        assert read_ends(page) == [pytest.approx((0, 1), abs=0.01)]
        open_view(page, address, [running], ("m", "loss"), ("range", "290..310"))
        assert read_ends(page) == [pytest.approx((0, 0.5), abs=0.01)]
        store(running, [Row({"loss": 0.001}, 400, at(time.time() * 1000))])
        expect(chart(page).locator(".plot")).to_have_attribute("aria-label", re.compile("at 300"))
        for _ in range(60):
            if len(ends := read_ends(page)) == 1 and ends[0][1] > 0.9:
                break
            page.wait_for_timeout(250)
        assert ends == [pytest.approx((0, 1), abs=0.01)]


@on_one_version
def test_the_menus_of_a_narrow_chart_are_within_the_window(address: str, store: Store, uid: str) -> None:
    long = "evaluation/average_episode_reward_of_the_last_100_episodes"
    store(uid, [Row({"loss": 1, long: 2}, index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        page.set_viewport_size({"width": 360, "height": 800})
        open_view(page, address, [uid], ("m", "loss"), ("with", long))
        for title in ("Add a metric", "Range of the y axis", "Download"):
            opener = chart(page).get_by_label(re.compile(f"^{title}: "))
            opener.click()
            menu = opener.locator("xpath=following-sibling::div")
            expect(menu).to_be_visible()
            box, below = menu.bounding_box(), opener.bounding_box()
            assert box
            assert below
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= 360
            assert below["y"] + below["height"] <= box["y"] + 1 < below["y"] + below["height"] + 9
            page.keyboard.press("Escape")
