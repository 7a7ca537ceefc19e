"""Functions for tests of charts: reading pixels, moving the pointer, opening views."""

import re
from collections.abc import Sequence
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect

from tests.web.pages import wait_for_charts

# The number of pixels of a canvas whose colour is similar to a given one, to allow for antialiasing.
COUNT_PIXELS = """(canvas, colour) => {
  const wanted = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] > 200 && wanted.every((part, index) => Math.abs(part - data[at + index]) < 40)) count += 1;
  }
  return count;
}"""


def open_view(page: Page, address: str, workloads: Sequence[str], *parameters: tuple[str, str]) -> None:
    """Open the dashboard with workloads of alpha and a view in the address, and wait for the charts."""
    view = urlencode([*(("w", f"alpha/{uid}") for uid in workloads), *parameters])
    page.goto("about:blank")
    page.goto(f"{address}/lens/#{view}")
    expect(page.locator("figure.chart").first).to_be_visible()
    wait_for_charts(page)


def chart(page: Page, index: int = 0) -> Locator:
    """Return a chart's figure."""
    return page.locator("figure.chart").nth(index)


def colour_of(page: Page, name: str) -> str:
    """Return the colour of a run, as the legend shows it."""
    line = chart(page).locator(".legend button", has_text=name).locator("line")
    return str(line.get_attribute("stroke"))


def count_pixels(figure: Locator, colour: str) -> int:
    """Return how many pixels of a chart's lines are of ``colour``."""
    return int(figure.locator("canvas:not(.dots)").evaluate(COUNT_PIXELS, colour))


def count_dots(figure: Locator) -> int:
    """Return the number of marked pixels at the pointer."""
    pixels = "(canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data"
    return int(
        figure.locator("canvas.dots").evaluate(f"(canvas) => ({pixels})(canvas).filter((each) => each > 0).length")
    )


def hover(figure: Locator, share: float = 0.5) -> None:
    """Move the pointer to a place of the plot, a share of its width from the left."""
    wait_for_charts(figure.page)
    plot = figure.locator(".u-over")
    box = plot.bounding_box()
    assert box
    plot.hover(position={"x": box["width"] * share, "y": box["height"] / 2})


def drag(page: Page, figure: Locator, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag between two places of the plot, in shares of its width and height."""
    wait_for_charts(page)
    plot = figure.locator(".u-over")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (begin, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def read_tooltip(figure: Locator) -> list[list[str]]:
    """Return the rows of the tooltip: name, value, and the value before smoothing."""
    expect(figure.locator(".tooltip")).to_be_visible()
    rows = figure.locator(".tooltip tr:not([hidden])")
    return [row.locator("th, .value, .raw").all_inner_texts() for row in rows.all()]


def read_values(page: Page, index: int = 0) -> list[str]:
    """Return the labels of the y axis of a chart, as its SVG has them."""
    text = download(page, "SVG", index)
    return re.findall(r'text-anchor="end">([^<]*)<', text)


def download(page: Page, kind: str, index: int = 0) -> str:
    """Save a chart as ``kind``, and return the text of the file."""
    figure = chart(page, index)
    figure.get_by_label(re.compile("^Download:")).click()
    with page.expect_download() as saved:
        figure.get_by_role("button", name=f"Download as {kind}").click()
    return saved.value.path().read_text("utf-8")
