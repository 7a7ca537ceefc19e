"""The tooltip, the legend, smoothing and the keyboard of charts, in a real Chromium."""

import re

import pytest
from playwright.sync_api import FloatRect, Locator, Page, expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, colour_of, count_dots, count_pixels, hover, open_view, read_tooltip
from tests.web.pages import BEGAN
from tests.web_browser import open_page

pytestmark = needs("chromium")


def store_constants(store: Store, uid: str, values: dict[str, float]) -> list[str]:
    """Store a workload for each name, whose loss is constant; return their uids."""
    for name, value in values.items():
        rows = [Row({"loss": value, "lr": value / 10}, index, at(BEGAN + index * 1000)) for index in range(1, 201)]
        store(f"{uid}-{name}", rows)
    return [f"{uid}-{name}" for name in values]


@on_one_version
def test_one_tooltip_has_all_runs_sorted_by_value(address: str, store: Store, uid: str) -> None:
    names = store_constants(store, uid, {"a": 2, "b": 7, "c": 5})
    with open_page() as page:
        open_view(page, address, names, ("m", "loss"), ("m", "lr"))
        hover(chart(page))
        assert [row[:2] for row in read_tooltip(chart(page))] == [[names[1], "7"], [names[2], "5"], [names[0], "2"]]
        # The other charts mark the same place.
        expect(page.locator(".tooltip:visible")).to_have_count(1)
        page.wait_for_timeout(100)
        assert count_dots(chart(page, 1)) > 30
        for index, is_own in ((0, True), (1, False)):
            expect(chart(page, index).locator(".u-cursor-x")).to_have_css("display", "block")
            expect(chart(page, index).locator(".u-cursor-y")).to_have_css("display", "block" if is_own else "none")
        hover(chart(page, 1))
        assert [row[1] for row in read_tooltip(chart(page, 1))] == ["0.7", "0.5", "0.2"]
        expect(chart(page).locator(".tooltip")).to_be_hidden()
        page.mouse.move(2, 2)
        expect(page.locator(".tooltip:visible")).to_have_count(0)


def box_of(element: Locator) -> FloatRect:
    box = element.bounding_box()
    assert box
    return box


def check_tooltip(page: Page, figure: Locator, width: int, height: int) -> None:
    """Check that the tooltip is within the window, and that it leaves the chart visible."""
    tooltip, plot = box_of(figure.locator(".tooltip")), box_of(figure.locator(".u-over"))
    assert tooltip["x"] >= 0
    assert tooltip["x"] + tooltip["width"] <= width
    assert tooltip["y"] >= 0
    assert tooltip["y"] + tooltip["height"] <= height
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    is_across = tooltip["x"] < plot["x"] + plot["width"] and plot["x"] < tooltip["x"] + tooltip["width"]
    is_down = tooltip["y"] < plot["y"] + plot["height"] and plot["y"] < tooltip["y"] + tooltip["height"]
    assert not (is_across and is_down)


@on_one_version
@pytest.mark.parametrize(("count", "window"), [(5, (1280, 900)), (10, (1280, 700)), (5, (390, 844))])
def test_a_wide_tooltip_is_beside_the_chart(
    address: str, store: Store, uid: str, count: int, window: tuple[int, int]
) -> None:
    width, height = window
    names = [f"{uid}-a-long-name-of-a-run-lr-0.0003-seed-{seed}" for seed in range(count)]
    for seed, name in enumerate(names):
        # At every 16th iteration, the validation loss is at the position of the pointer or near it.
        records = [{"loss": seed, "lr": 1, **({"val/loss": seed} if index % 16 == 0 else {})} for index in range(200)]
        store(name, [Row(record, index, at(BEGAN + index * 1000)) for index, record in enumerate(records)])
    with open_page() as page:
        page.set_viewport_size({"width": width, "height": height})
        open_view(page, address, names, ("m", "loss"), ("with", "val/loss"), ("m", "lr"), ("m", "val/loss"))
        for share in (0.05, 0.3, 0.5, 0.7, 0.95):
            hover(chart(page), share)
            assert len(read_tooltip(chart(page))) == 2 * count
            check_tooltip(page, chart(page), width, height)
            for row in chart(page).locator(".tooltip tr:not([hidden])").all():
                value, tooltip = box_of(row.locator(".value")), box_of(chart(page).locator(".tooltip"))
                assert value["x"] + value["width"] <= tooltip["x"] + tooltip["width"]


@on_one_version
def test_a_tooltip_is_hidden_while_a_selection_is_dragged(address: str, store: Store, uid: str) -> None:
    names = store_constants(store, uid, {"a": 2})
    with open_page() as page:
        open_view(page, address, names, ("m", "loss"))
        hover(chart(page), 0.3)
        tooltip = chart(page).locator(".tooltip")
        expect(tooltip).to_be_visible()
        plot = box_of(chart(page).locator(".u-over"))
        assert plot["x"] < box_of(tooltip)["x"] < plot["x"] + plot["width"]
        page.mouse.down()
        page.mouse.move(plot["x"] + plot["width"] * 0.5, plot["y"] + plot["height"] / 2, steps=4)
        expect(tooltip).to_be_hidden()
        page.mouse.up()
        expect(page).to_have_url(re.compile("range="))
        expect(tooltip).to_be_visible()


@on_one_version
def test_hovering_keeps_the_smoothed_line_and_shows_both_values(address: str, store: Store, uid: str) -> None:
    values = [10.0 if index % 2 else 0.0 for index in range(400)]
    store(uid, [Row({"loss": value}, index, at(BEGAN + index)) for index, value in enumerate(values, 1)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        colour = colour_of(page, uid)
        page.get_by_label("Smoothing", exact=True).fill("0.9")
        expect(page).to_have_url(re.compile("smooth=0.9"))
        before = count_pixels(chart(page), colour)
        assert before > 300
        hover(chart(page))
        (row,) = read_tooltip(chart(page))
        assert 4.5 < float(row[1]) < 5.5
        assert row[2] in {"0", "10"}
        assert count_pixels(chart(page), colour) == before
        page.get_by_text("More", exact=True).click()
        for kind in ("gaussian", "average"):
            page.get_by_label("Kind of smoothing").select_option(kind)
            hover(chart(page), 0.6)
            assert 4 < float(read_tooltip(chart(page))[0][1]) < 6


@on_one_version
def test_smoothing_does_not_depend_on_the_sampling(address: str, store: Store, uid: str) -> None:
    """A sample of 20,000 iterations keeps every spike, but the smoothed curve is that of all points."""
    values = [1 + 2 / (1 + index / 2000) + (50 if index % 500 == 250 else 0) for index in range(20_000)]
    store(uid, [Row({"loss": value}, index, at(BEGAN + index)) for index, value in enumerate(values)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), ("smooth", "0.95"))
        hover(chart(page), 0.8)
        shown = float(read_tooltip(chart(page))[0][1])
        mean = sum(values[15_000:16_000]) / 1000
        assert abs(shown - mean) < 0.2


@on_one_version
def test_a_sparse_line_is_visible_on_a_dense_one_of_its_colour(address: str, store: Store, uid: str) -> None:
    """A halo sets it off; the tooltip says where its nearest point is."""
    rows = [
        Row({"loss": 1 + index % 2} | ({"val/loss": 1.5} if index % 100 == 0 else {}), index, at(BEGAN + index))
        for index in range(1, 2001)
    ]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        dense = count_pixels(chart(page), colour_of(page, uid))
        open_view(page, address, [uid], ("m", "loss"), ("with", "val/loss"))
        assert count_pixels(chart(page), colour_of(page, uid)) < dense - 1000
        expect(chart(page).locator(".kinds li", has_text="val/loss").locator("circle")).not_to_have_attribute(
            "fill", "none"
        )
        hover(chart(page), 0.51)
        (loss, evaluation) = sorted(row[0] for row in read_tooltip(chart(page)))
        assert loss == f"{uid} \u00b7 loss"
        assert evaluation == f"{uid} \u00b7 val/loss"
        place = chart(page).locator(".tooltip .place").filter(has_text="at ")
        expect(place).to_have_text("at 1,000")
        expect(chart(page).locator(".tooltip .at")).to_have_text(re.compile("^1,0[12][0-9]$"))
        page.get_by_label("X axis").select_option("time")
        hover(chart(page), 0.51)
        expect(place).to_have_text(re.compile(r"^at \d\d:\d\d:\d\d$"))


@on_one_version
def test_a_click_in_the_legend_hides_the_whole_run(address: str, store: Store, uid: str) -> None:
    rows = [Row({"loss": 5 + serial}, index, at(BEGAN + 1000 * (400 * serial + index)), serial=serial)
            for serial in (0, 1, 2) for index in range(1 + 50 * serial, 200 + 50 * serial)]  # fmt: skip
    store(f"{uid}-many", rows)
    (other,) = store_constants(store, uid, {"other": 1})
    with open_page() as page:
        open_view(page, address, [f"{uid}-many", other], ("m", "loss"), ("m", "lr"))
        colour = colour_of(page, f"{uid}-many")
        assert count_pixels(chart(page), colour) > 100
        button = chart(page).locator(".legend button", has_text=f"{uid}-many")
        button.click()
        expect(button).to_have_attribute("aria-pressed", "false")
        assert count_pixels(chart(page), colour) == 0
        expect(page).to_have_url(re.compile("hide="))
        hover(chart(page))
        assert [row[0] for row in read_tooltip(chart(page))] == [other]
        button.click()
        expect(page).not_to_have_url(re.compile("hide="))
        button.click(modifiers=["Alt"])
        expect(chart(page).locator(".legend button", has_text=other)).to_have_attribute("aria-pressed", "false")
        assert count_pixels(chart(page), colour) > 100


@on_one_version
def test_the_legend_leaves_out_runs_without_the_metric(address: str, store: Store, uid: str) -> None:
    store(f"{uid}-plain", [Row({"loss": 1}, index, at(BEGAN + index)) for index in range(1, 101)])
    (other,) = store_constants(store, uid, {"other": 1})
    with open_page() as page:
        names = [f"{uid}-plain", other]
        open_view(page, address, names, ("m", "loss"), ("m", "lr"), ("m", "none"), ("range", "50..60"))
        expect(chart(page).locator(".legend button")).to_have_text(names)
        expect(chart(page, 1).locator(".legend button")).to_have_text([other])
        expect(chart(page, 2).locator(".legend button")).to_have_count(0)
        # A run without points in the range, or one that is hidden, is still listed.
        open_view(page, address, names, ("m", "lr"), ("range", "150..160"), ("hide", f"alpha/{other}"))
        expect(chart(page).locator(".legend button")).to_have_text([other])


@on_one_version
def test_a_legend_shows_five_long_names_and_scrolls_to_others(address: str, store: Store, uid: str) -> None:
    names = [f"{uid}-{'with-a-very-long-name-' * 3}{place}" for place in range(9)]
    for name in names:
        store(name, [Row({"loss": 1, "lr": 1}, index, at(BEGAN + index)) for index in range(1, 11)])
    fifth = """(legend) => {
        const { bottom } = legend.children[4].getBoundingClientRect();
        return bottom <= legend.getBoundingClientRect().bottom;
    }"""
    with open_page() as page:
        open_view(page, address, names, ("m", "loss"), ("m", "lr"))
        legend = chart(page).locator(".legend .runs")
        assert legend.evaluate("(legend) => legend.scrollHeight > legend.clientHeight")
        assert legend.evaluate(fifth)


@on_one_version
def test_the_arrow_keys_move_the_cursor_of_all_charts(address: str, store: Store, uid: str) -> None:
    names = store_constants(store, uid, {"a": 2})
    with open_page() as page:
        open_view(page, address, names, ("m", "loss"), ("m", "lr"))
        chart(page).locator(".plot").focus()
        place = chart(page).locator(".tooltip .at")
        for key, shown in (("End", "200"), ("ArrowLeft", "199"), ("PageUp", "179"), ("Home", "1"), ("ArrowRight", "2")):
            page.keyboard.press(key)
            expect(place).to_have_text(shown)
        page.wait_for_timeout(100)
        assert count_dots(chart(page, 1)) > 10
        expect(page.get_by_role("img", name=re.compile("^loss along iteration"))).to_be_focused()


@on_one_version
def test_the_arrow_keys_pass_points_of_one_position(address: str, store: Store, uid: str) -> None:
    """They begin where the pointer is."""
    rows = [Row({"loss": index, "epoch": index // 20}, index, at(BEGAN + index * 1000)) for index in range(200)]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), ("axis", "epoch"))
        hover(chart(page), 0.45)
        place = chart(page).locator(".tooltip .at")
        expect(place).to_have_text("epoch 4")
        chart(page).locator(".plot").focus()
        for key, shown in (("ArrowRight", "5"), ("ArrowRight", "6"), ("ArrowLeft", "5"), ("End", "9"), ("Home", "0")):
            page.keyboard.press(key)
            expect(place).to_have_text(f"epoch {shown}")
