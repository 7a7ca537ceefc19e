"""The dashboard on paper, printed by a real Chromium: all charts, nothing cut, no controls."""

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import COUNT_PIXELS, chart, colour_of, open_view
from tests.web.pages import BEGAN, check_access, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")

METRICS = [f"metric-{number}" for number in range(8)]
# A4 within margins of 1 cm, in CSS pixels.
PAPER = (718, 1047)
# Keep what the charts and the page are like while they are printed.
RECORD = f"""(colour) => matchMedia("print").addEventListener("change", ({{ matches }}) => {{
  if (!matches) return;
  const count = {COUNT_PIXELS};
  const canvases = [...document.querySelectorAll(".plot canvas:not(.dots)")];
  const paper = getComputedStyle(document.documentElement).getPropertyValue("--paper");
  window.printed = {{ counts: canvases.map((canvas) => count(canvas, colour)), paper }};
}})"""
# What is wider or higher than its box, or beyond the right edge of the paper.
FIND_CUT = """() => [...document.querySelectorAll("main *")]
  .filter((each) => each.checkVisibility() && !each.matches(".unseen, .plot *, svg *"))
  .filter((each) => {
    const style = getComputedStyle(each);
    const isClipped = style.overflow !== "visible" && style.display !== "inline" &&
      (each.scrollWidth > each.clientWidth + 1 || each.scrollHeight > each.clientHeight + 1);
    return isClipped || each.getBoundingClientRect().right > innerWidth;
  })
  .map((each) => each.outerHTML.slice(0, 100))"""


@pytest.fixture
def runs(store: Store, uid: str) -> list[str]:
    """More runs than the run table and the legends show at once, with long names and metrics for several pages."""
    names = [f"{uid}-sweep-gpt2-medium-bs512-warmup-2000-cosine-decay-lr-0.0003-seed-{seed}" for seed in range(12)]
    for seed, name in enumerate(names):
        rows = [Row(dict.fromkeys(METRICS, seed + 1), index, at(BEGAN + 1000 * index)) for index in range(1, 51)]
        store(name, rows)
    return names


def open_all(page: Page, address: str, runs: list[str]) -> None:
    """Open a view of all runs and metrics."""
    open_view(page, address, runs, *(("m", name) for name in METRICS), ("hide", f"alpha/{runs[1]}"))
    expect(page.locator("#runs tbody").get_by_text("Ended")).to_have_count(len(runs))
    wait_for_charts(page)


def simulate(page: Page) -> None:
    """Show the page as it is on paper."""
    page.set_viewport_size({"width": PAPER[0], "height": PAPER[1]})
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")


@on_one_version
def test_all_charts_are_printed_in_the_light_theme(address: str, runs: list[str]) -> None:
    with open_page() as page:
        page.emulate_media(color_scheme="dark")
        open_all(page, address, runs)
        # Those that are far below are not drawn for the screen.
        assert page.locator(".plot canvas:not(.dots)").count() < len(METRICS)
        width = chart(page).locator(".uplot").evaluate("(plot) => plot.clientWidth")
        page.evaluate(RECORD, colour_of(page, runs[0]))
        pages = re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4"))
        assert 2 <= len(pages) <= 5
        printed: Any = page.evaluate("printed")
        assert len(printed["counts"]) == len(METRICS)
        assert min(printed["counts"]) > 100
        assert printed["paper"] == "#ffffff"
        # The screen is as it was.
        wait_for_charts(page)
        assert page.evaluate("document.documentElement.dataset.theme") is None
        expect(page.locator("body")).to_have_css("background-color", "rgb(16, 21, 28)")
        plot = chart(page).locator(".uplot")
        page.wait_for_function("([plot, width]) => plot.clientWidth === width", arg=[plot.element_handle(), width])


@on_one_version
def test_nothing_is_cut_on_paper(address: str, runs: list[str]) -> None:
    with open_page() as page:
        open_all(page, address, runs)
        simulate(page)
        for place in ("aside", ".bar", "#chart-controls", "#runs .tools", ".grip", ".buttons", ".tooltip", "input"):
            for element in page.locator(place).all():
                expect(element).to_be_hidden()
        # The legend has the runs that are drawn.
        expect(page.locator("button:visible:not(thead button)")).to_have_count((len(runs) - 1) * len(METRICS))
        expect(page.get_by_text("Values as a table").first).to_be_hidden()
        assert page.evaluate(FIND_CUT) == []
        name = page.locator("#runs tbody .name").first
        assert name.evaluate("(name) => getComputedStyle(name, '::after').content") == "none"
        expect(name.locator(".undrawn")).to_have_css(
            "font-size", name.evaluate("(name) => getComputedStyle(name).fontSize")
        )
        expect(page.locator("#runs .swatch").first).to_have_css("print-color-adjust", "exact")
        for figure in page.locator("figure.chart").all():
            expect(figure).to_have_css("break-inside", "avoid")
            stage, picture = figure.locator(".stage").bounding_box(), figure.locator("canvas").first.bounding_box()
            assert stage
            assert picture
            assert picture["width"] == pytest.approx(stage["width"])
            assert picture["height"] == pytest.approx(stage["height"])
        check_access(page)


@on_one_version
def test_what_is_unfolded_is_printed(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads, ("m", "loss"))
        page.get_by_role("button", name=f"2 attempts of {workloads[0]}").click()
        chart(page).get_by_text("Values as a table").click()
        expect(chart(page).locator("tbody tr").first).to_be_attached()
        simulate(page)
        expect(page.get_by_text("Attempt 1")).to_be_visible()
        expect(chart(page).locator("details tbody tr").first).to_be_visible()
        expect(chart(page)).to_have_css("break-inside", "auto")
        assert page.evaluate(FIND_CUT) == []
        page.emulate_media(media="screen")
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        page.locator("#runs > details > summary").press("Enter")
        simulate(page)
        expect(page.locator("#runs")).not_to_contain_text("Runs (2)", use_inner_text=True)
