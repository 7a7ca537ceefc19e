"""The charts in a real Chromium: the view in the address, preview, axes, empty charts, downloads."""

import csv
import io
import re
import subprocess
import sys
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.conftest import Row, Store, at
from tests.faults import wait_until
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, colour_of, count_pixels, download, hover, open_view
from tests.web.pages import BEGAN, charts, open_dashboard, pick, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@on_one_version
def test_two_runs_are_overlaid_and_the_address_holds_the_view(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        for name in workloads:
            pick(page, name)
        legend = chart(page).locator(".legend")
        for name in workloads:
            expect(legend).to_contain_text(name)
        page.get_by_label("X axis").select_option("time")
        page.get_by_label("logarithmic").check()
        expect(page).to_have_url(re.compile("axis=time.*log=1"))
        shared = page.url
        page.go_back()
        expect(page.get_by_label("logarithmic")).not_to_be_checked()
        page.goto("about:blank")
        page.goto(shared)
        expect(page.get_by_label("logarithmic")).to_be_checked()
        expect(page.get_by_label("X axis")).to_have_value("time")
        expect(chart(page).locator(".legend")).to_contain_text(workloads[1])


@on_one_version
def test_back_undoes_one_movement_of_the_smoothing(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[:1], ("m", "loss"), ("log", "1"))
        slider = page.get_by_role("slider", name="Smoothing")
        for _ in range(2):
            slider.hover()  # waits until it no longer moves
            box = slider.bounding_box()
            assert box
            page.mouse.down()
            for part in (0.6, 0.7, 0.8):
                page.mouse.move(box["x"] + box["width"] * part, box["y"] + box["height"] / 2)
            page.mouse.up()
            expect(page).to_have_url(re.compile("smooth=0[.]"))
            page.go_back()
            expect(slider).to_have_value("0")
            expect(page.get_by_label("logarithmic")).to_be_checked()
        # Each press of a key is a movement, however long it is held down.
        slider.focus()
        slider.press("ArrowRight")
        for _ in range(3):
            page.keyboard.down("ArrowRight")
        page.keyboard.up("ArrowRight")
        expect(slider).to_have_value("0.04")
        for value in ("0.01", "0"):
            page.go_back()
            expect(slider).to_have_value(value)
        expect(page.get_by_label("logarithmic")).to_be_checked()


@on_one_version
@pytest.mark.parametrize("axis", ["iteration", "time"])
def test_the_legend_directly_follows_the_x_axis(address: str, workloads: list[str], axis: str) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"), ("axis", axis))
        plot, legend = chart(page).locator(".plot").bounding_box(), chart(page).locator(".legend").bounding_box()
        assert plot
        assert legend
        assert 0 <= legend["y"] - plot["y"] - plot["height"] < 5
        expect(chart(page).locator(".notes")).to_be_empty()


@on_one_version
def test_times_have_24_hours_and_iso_dates(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[1:], ("m", "loss"), ("axis", "time"))
        labels = re.findall(r'text-anchor="middle">([^<]*)<', download(page, "SVG"))
        assert len(labels) > 3
        assert [label for label in labels if not re.fullmatch(r"\d\d:\d\d|2023-11-\d\d", label)] == []
        assert len([label for label in labels if label.startswith("2023")]) == 1
        hover(chart(page))
        expect(chart(page).locator(".tooltip .at")).to_have_text(re.compile(r"^2023-11-\d\d \d\d:\d\d:\d\d$"))


@on_one_version
def test_a_request_is_copied_without_a_clipboard(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads[:1], ("m", "loss"))
        for result, words in (("true", "Copied"), ("false", "Not copied")):
            page.evaluate(
                f"navigator.clipboard.writeText = () => Promise.reject();document.execCommand = () => {result};"
            )
            chart(page).get_by_label(re.compile("^Download:")).click()
            button = chart(page).get_by_role("button", name="Copy as curl")
            button.press("Enter")
            expect(page.locator("#status")).to_have_text(words)
            expect(button).to_be_focused()
            button.press("Escape")
            expect(button).to_be_hidden()


@on_one_version
def test_the_request_of_a_chart_can_be_copied(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_view(page, address, workloads[:1], ("m", "loss"), ("with", "lr"), ("range", "20..29"))
        page.evaluate("sessionStorage.setItem('lens_perf.token', 'secret')")
        chart(page).get_by_label(re.compile("^Download:")).click()
        copied = {}
        for kind in ("curl", "pandas"):
            button = chart(page).get_by_role("button", name=f"Copy as {kind}")
            button.click()
            expect(button).to_have_text("Copied")
            copied[kind] = page.evaluate("navigator.clipboard.readText()")
        assert "secret" not in "".join(copied.values())
        assert "Bearer YOUR_TOKEN" in copied["pandas"]
        (url,) = re.findall("'(http[^']*)'", copied["curl"])
        assert f'pandas.read_csv("{url}", ' in copied["pandas"]
        rows = list(csv.DictReader(io.StringIO(page.request.get(url).text())))
        assert {(row["workload_uid"], row["metric_name"]) for row in rows} == {
            (workloads[0], "loss"), (workloads[0], "lr")
        }  # fmt: skip
        assert sorted({int(row["iteration"]) for row in rows}) == [*range(20, 30)]


@on_one_version
def test_a_request_that_is_too_long_for_a_url_is_copied_as_a_form(address: str, workloads: list[str]) -> None:
    others = [("m", f"{'x' * 100}{number}") for number in range(50)]
    with open_page() as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        open_view(page, address, workloads[:1], ("m", "loss"), *(("with", name) for _, name in others))
        chart(page).get_by_label(re.compile("^Download:")).click()
        chart(page).get_by_role("button", name="Copy as pandas").click()
        expect(page.locator("#status")).to_have_text("Copied")
        script = page.evaluate("navigator.clipboard.readText()")
    assert "urlopen" in script
    script += "\nprint(*frame.metric_name.unique())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["loss"]


@on_one_version
def test_one_request_reads_all_runs_and_metrics(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url) if "max_points" in request.url else None)
        open_view(page, address, workloads, ("m", "loss"), ("m", "lr"))
        full = [url for url in asked if "method=stride" not in url]
        assert len(full) == 1
        assert full[0].count("workload=") == full[0].count("metric=") == 2
        # Loaded data are not requested again.
        page.get_by_label("logarithmic").check()
        page.get_by_label("logarithmic").uncheck()
        assert len([url for url in asked if "method=stride" not in url]) == 1


@on_one_version
def test_a_preview_is_shown_before_the_full_chart(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile(r"/metrics/data\?.*after="), hold)
        page.goto(f"{address}/lens/#w=alpha/{workloads[1]}")
        expect(charts(page).first).to_be_visible()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "true")
        expect(chart(page)).to_have_attribute("data-metrics", "loss")
        assert count_pixels(chart(page), colour_of(page, workloads[1])) > 50
        held.pop().continue_()
        wait_for_charts(page)


@on_one_version
def test_any_metric_is_an_x_axis(address: str, store: Store, uid: str) -> None:
    rows = [
        Row({"loss": 9 / index, "tokens": index * 4096}, index, at(BEGAN + index * 1000)) for index in range(1, 101)
    ]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        page.get_by_label("X axis").select_option("tokens")
        wait_for_charts(page)
        hover(chart(page), 0.999)
        expect(chart(page).locator(".tooltip .at")).to_have_text("tokens 409,600")
        page.get_by_label("X axis").select_option("relative_time")
        wait_for_charts(page)
        hover(chart(page), 0.999)
        expect(chart(page).locator(".tooltip .at")).to_have_text("1 min 39 s")


@on_one_version
def test_the_values_as_a_table_are_the_latest_ones_along_any_axis(address: str, store: Store, uid: str) -> None:
    """Along a learning rate that falls, the latest values are the leftmost ones."""
    rows = [
        Row({"loss": 1000 + index, "lr": 1 - index / 200}, index, at(BEGAN + index * 1000)) for index in range(1, 101)
    ]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), ("axis", "lr"))
        figure = chart(page)
        figure.get_by_text("Values as a table").click()
        expect(figure.locator("thead th")).to_have_text(["run", "iteration", "time", "lr", "value"])
        cells = figure.locator("tbody tr")
        expect(cells).to_have_count(40)
        for row, iteration, rate in ((cells.first, 61, "0.695"), (cells.last, 100, "0.5")):
            time = re.compile(r"^2023-11-\d\d \d\d:\d\d:\d\d$")
            expect(row.locator("td")).to_have_text([uid, str(iteration), time, rate, f"1,{iteration:03}"])
        page.get_by_label("X axis").select_option("relative_time")
        expect(figure.locator("thead th").nth(3)).to_have_text("relative time")
        expect(cells.last.locator("td").nth(3)).to_have_text("1 min 39 s")
        page.get_by_label("X axis").select_option("iteration")
        expect(figure.locator("thead th")).to_have_text(["run", "iteration", "time", "value"])
        expect(cells.last.locator("td").nth(1)).to_have_text("100")


@on_one_version
def test_runs_without_the_metric_of_the_x_axis_are_named(address: str, store: Store, uid: str) -> None:
    plain, other = f"{uid}-plain", f"{uid}-tokens"
    store(plain, [Row({"loss": 9 / index}, index, at(BEGAN + index * 1000)) for index in range(1, 101)])
    store(
        other,
        [Row({"loss": 8 / index, "tokens": 4096 * index}, index, at(BEGAN + index * 1000)) for index in range(1, 101)],
    )
    with open_page() as page:
        open_view(page, address, [plain], ("m", "loss"), ("m", "nothing"), ("axis", "tokens"))
        expect(chart(page).locator(".reason")).to_have_text("No record has both loss and tokens.")
        expect(chart(page, 1).locator(".reason")).to_have_text("No data points of nothing.")
        open_view(page, address, [plain, other], ("m", "loss"), ("m", "tokens"), ("axis", "tokens"))
        expect(chart(page).locator(".notes")).to_have_text(f"not shown: {plain} (no tokens)")
        expect(chart(page).locator(".legend button")).to_have_text([plain, other])
        expect(chart(page, 1).locator(".notes")).to_be_empty()
        open_view(page, address, [plain, other], ("m", "loss"), ("axis", "tokens"), ("range", "4000..90000"))
        expect(chart(page).locator(".notes")).to_have_text(f"not shown: {plain} (no tokens)")


@on_one_version
def test_an_empty_chart_says_why(address: str, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1 / index}, index, None) for index in range(1, 50)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), ("axis", "time"))
        expect(chart(page).locator(".reason")).to_have_text(
            "These records have no times. Choose iterations as the x axis."
        )
        assert "1970" not in page.locator("#charts").inner_text()
        page.get_by_label("X axis").select_option("iteration")
        expect(chart(page).locator(".reason")).to_be_hidden()
        chart(page).locator(".legend button").click()
        expect(chart(page).locator(".reason")).to_have_text("All runs are hidden.")
        open_view(page, address, [uid], ("m", "nothing"))
        expect(chart(page).locator(".reason")).to_have_text("No data points of nothing.")


@on_one_version
@pytest.mark.parametrize("count", [1, 3])
def test_few_points_and_points_without_neighbours_are_visible(address: str, store: Store, uid: str, count: int) -> None:
    store(
        uid,
        [
            Row({"loss": index, "alone": 1.0 if index == 2 else "NaN"}, index, at(BEGAN))
            for index in range(1, count + 1)
        ],
    )
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"), *([("m", "alone")] if count > 1 else []))
        colour = colour_of(page, uid)
        assert count_pixels(chart(page), colour) >= 8 * count
        if count > 1:
            assert count_pixels(chart(page, 1), colour) >= 8
            expect(chart(page, 1).locator(".notes")).to_contain_text("2 \u00d7 NaN")


@on_one_version
def test_non_finite_values_are_marked_within_the_chart(address: str, store: Store, uid: str) -> None:
    rows = [Row({"loss": 2 / index if index <= 350 else "NaN"}, index, at(BEGAN + index)) for index in range(1, 401)]
    store(uid, rows)
    with open_page() as page:
        open_view(page, address, [uid], ("m", "loss"))
        expect(chart(page).locator(".notes")).to_contain_text("50 \u00d7 NaN")
        bad = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--bad').trim()")
        assert count_pixels(chart(page), bad) > 30
        hover(chart(page), 0.998)
        expect(chart(page).locator(".tooltip .at")).to_have_text(re.compile("399|400"))
        expect(chart(page).locator(".tooltip .value").first).to_have_text("NaN")


@on_one_version
def test_downloads(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, workloads, ("m", "loss"), ("smooth", "0.9"))
        rows = list(csv.DictReader(io.StringIO(download(page, "CSV"))))
        assert {row["run"] for row in rows} == {f"alpha/{name}" for name in workloads}
        spike = next(row for row in rows if row["iteration"] == "77" and row["run"].endswith("first"))
        assert spike["value"] == "9"
        assert any(row["smoothed"] for row in rows)
        assert "NaN" in {row["value"] for row in rows}
        svg = download(page, "SVG")
        for name in workloads:
            assert f">{name}<" in svg
        assert svg.count("<path") > 4
        page.locator("figure.chart").get_by_label(re.compile("^Download:")).click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download as PNG").click()
        assert saved.value.suggested_filename == "loss.png"
        assert saved.value.path().read_bytes().startswith(b"\x89PNG")


@on_one_version
def test_a_short_logarithmic_axis_has_ticks(address: str, store: Store, uid: str) -> None:
    """There is no digit times a power of ten between 410 and 440."""
    store(uid, [Row({"tflops": 410 + index % 31}, index, at(BEGAN + index)) for index in range(1, 401)])
    with open_page() as page:
        open_view(page, address, [uid], ("m", "tflops"), ("log", "1"))
        svg = download(page, "SVG")
        assert {"410", "420", "430", "440"} <= set(re.findall(r">([^<]*)</text>", svg))


@on_one_version
def test_columns_height_and_full_screen(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        metrics = [("m", "loss"), ("m", "lr"), ("m", "target_iteration")]
        for width, columns in ((2560, 3), (1280, 2), (400, 1)):
            page.set_viewport_size({"width": width, "height": 900})
            open_view(page, address, workloads, *metrics)
            tracks = "getComputedStyle(document.querySelector('#charts')).gridTemplateColumns.split(' ').length"
            assert page.evaluate(tracks) == columns
        page.set_viewport_size({"width": 1280, "height": 900})
        page.get_by_text("More", exact=True).click()
        page.get_by_label("Charts per row").select_option("1")
        page.keyboard.press("Escape")
        expect(page).to_have_url(re.compile("columns=1"))
        plot = chart(page).locator(".u-over")
        before: Any = plot.bounding_box()
        chart(page).locator(".grip").scroll_into_view_if_needed()
        grip: Any = chart(page).locator(".grip").bounding_box()
        page.mouse.move(grip["x"] + 50, grip["y"] + 3)
        page.mouse.down()
        page.mouse.move(grip["x"] + 50, grip["y"] + 83, steps=4)
        page.mouse.up()
        expect(page).to_have_url(re.compile("height=3[34]"))
        after: Any = plot.bounding_box()
        assert 70 < after["height"] - before["height"] < 90
        chart(page).get_by_label(re.compile("^Full screen")).click()
        expect(page.locator("figure.chart:fullscreen")).to_be_visible()
        empty = "figure => innerHeight - figure.lastElementChild.getBoundingClientRect().bottom"
        wait_until(lambda: 0 <= chart(page).evaluate(empty) < 1)
        assert chart(page).evaluate("figure => figure.scrollHeight <= figure.clientHeight")
        chart(page).get_by_label(re.compile("^Full screen")).click()
        expect(page.locator("figure.chart:fullscreen")).to_have_count(0)
