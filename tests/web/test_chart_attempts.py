"""Attempts in the charts: restarts as in progress, discarded iterations, separate and aligned attempts."""

import re

import pytest
from playwright.sync_api import expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, colour_of, count_pixels, drag, hover, open_view, read_tooltip
from tests.web.pages import BEGAN, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@pytest.fixture
def resumed(store: Store, uid: str) -> str:
    """Attempt 1 trains iterations 1 to 200, attempt 2 trains 101 to 400, attempt 3 trains 401 to 500."""
    parts = [(0, 1, 200, 10.0), (1, 101, 400, 20.0), (2, 401, 500, 30.0)]
    rows = []
    time = BEGAN
    for serial, first, last, loss in parts:
        for index in range(first, last + 1):
            rows.append(Row({"loss": loss}, index, at(time), serial=serial))
            time += 1000
        time += 60_000
    store(uid, rows)
    return uid


@on_one_version
def test_restarts_are_those_of_progress_and_discarded_iterations_are_marked(address: str, resumed: str) -> None:
    with open_page() as page:
        open_view(page, address, [resumed], ("m", "loss"))
        # A restart without redone iterations counts, too.
        expect(chart(page).locator(".notes")).to_contain_text("2 restarts")
        expect(chart(page).locator(".notes")).to_contain_text("discarded")
        hover(chart(page), 0.3)
        assert [row[:2] for row in read_tooltip(chart(page))] == [
            [resumed, "20"],
            [f"{resumed} (discarded)", "10"],
        ]


@on_one_version
def test_a_run_of_several_attempts_is_described_once(address: str, resumed: str) -> None:
    with open_page() as page:
        open_view(page, address, [resumed], ("m", "loss"))
        label = f"loss along iteration: {resumed}, last 30 at 500. Arrow keys move the cursor."
        expect(chart(page).locator(".plot")).to_have_attribute("aria-label", label)
        page.get_by_label(f"3 attempts of {resumed}").click()
        page.get_by_label("Draw attempts apart").check()
        expect(chart(page).locator(".kinds li")).to_have_count(3)
        expect(chart(page).locator(".plot")).to_have_attribute("aria-label", label)


@on_one_version
def test_separate_attempts_have_different_styles(address: str, resumed: str) -> None:
    with open_page() as page:
        open_view(page, address, [resumed], ("m", "loss"), ("attempts", f"1,2@alpha/{resumed}"))
        hover(chart(page), 0.3)
        names = [row[0] for row in read_tooltip(chart(page))]
        assert names == [f"{resumed} · attempt 2", f"{resumed} · attempt 1 (discarded)"]
        strokes = chart(page).locator(".tooltip tr:not([hidden]) line")
        looks = [(each.get_attribute("stroke"), each.get_attribute("stroke-dasharray")) for each in strokes.all()]
        assert len(set(looks)) == 2
        # Attempt 3, which trained 401 to 500, is hidden.
        hover(chart(page), 0.999)
        expect(chart(page).locator(".tooltip .at")).to_have_text(re.compile("39[89]|400"))


@on_one_version
def test_the_last_of_separate_attempts_has_the_colour_of_the_run(address: str, resumed: str) -> None:
    with open_page() as page:
        open_view(page, address, [resumed], ("m", "loss"), ("attempts", f"1,2,3@alpha/{resumed}"))
        # The last attempt trained the last fifth of the iterations, without a dash.
        assert count_pixels(chart(page), colour_of(page, resumed)) > 100
        entries = chart(page).locator(".kinds li")
        expect(entries).to_have_text([f"attempt {number}" for number in (1, 2, 3)])
        looks = [
            (str(line.get_attribute("stroke")), line.get_attribute("stroke-dasharray"))
            for line in entries.locator("line").all()
        ]
        assert looks[2] == (colour_of(page, resumed), "")
        assert [dash for _, dash in looks] == ["", "", ""]
        # Earlier attempts are lighter.
        sums = [sum(bytes.fromhex(colour[1:])) for colour, _ in looks]
        assert sums == sorted(sums, reverse=True)
        assert len(set(sums)) == 3
        page.get_by_label(f"3 attempts of {resumed}").click()
        page.get_by_label("Draw attempts apart").uncheck()
        expect(entries).to_have_count(0)


@on_one_version
@pytest.mark.parametrize("axis", ["iteration", "time"])
def test_alignment_at_the_restart_compares_redone_iterations(address: str, resumed: str, axis: str) -> None:
    with open_page() as page:
        open_view(page, address, [resumed], ("m", "loss"), ("axis", axis))
        page.get_by_text("More", exact=True).click()
        page.get_by_label("aligned at the restart").check()
        page.get_by_text("More", exact=True).click()
        hover(chart(page), 0.001)
        assert [row[:2] for row in read_tooltip(chart(page))] == [
            [f"{resumed} · attempt 2", "20"],
            [f"{resumed} · attempt 1 · discarded", "10"],
        ]
        expect(chart(page).locator(".tooltip .at")).to_have_text("0")
        # 100 iterations were trained again; somewhat more of the new attempt is shown.
        hover(chart(page), 0.999)
        assert [row[1] for row in read_tooltip(chart(page))] == ["20"]
        # A range is one of what is aligned.
        drag(page, chart(page), (0.2, 0.3), (0.4, 0.31))
        expect(page).to_have_url(re.compile("range="))
        wait_for_charts(page)
        hover(chart(page), 0.5)
        assert [row[1] for row in read_tooltip(chart(page))] == ["20", "10"]


@on_one_version
def test_without_redone_iterations_there_is_nothing_to_align(address: str, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1}, index, at(BEGAN + 1000 * index)) for index in range(1, 50)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        page.get_by_text("More", exact=True).click()
        expect(page.get_by_label("without outliers")).to_be_visible()
        expect(page.get_by_label("aligned at the restart")).to_be_hidden()
        open_view(page, address, [uid], ("m", "loss"), ("align", "restart"))
        expect(chart(page).locator(".reason")).to_have_text("No attempt redid iterations of this metric.")
