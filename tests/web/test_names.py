"""Long names in a real Chromium: cut in the middle, so that the runs of a sweep can be distinguished."""

import base64
import csv
import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import gunicorn, on_one_version
from tests.web.chart_pages import chart, download, hover, open_view
from tests.web.pages import BEGAN, both_clusters, check_access, wait_for_charts, wait_until_listed
from tests.web_browser import open_page

pytestmark = needs("chromium")

# Whether the end of a name is drawn, as far as its room goes; the text of the element, a copy of it, and the title.
READ_NAME = """(element, end) => {
    const { content } = getComputedStyle(element, "::after");
    const isDrawn = content.includes(`${end}\\u2069"`) && element.scrollWidth <= element.clientWidth;
    getSelection().selectAllChildren(element);
    return [isDrawn, element.textContent, getSelection().toString().trim(), element.title];
}"""


# Whether the end of a name that is not cut follows its begin without a gap.
IS_CLOSED = """(element) => {
    const begin = element.querySelector(".begin");
    const range = document.createRange();
    range.selectNodeContents(begin);
    return Math.abs(range.getBoundingClientRect().right - begin.getBoundingClientRect().right) < 1;
}"""


# Whether the begin of a name is whole.
IS_WHOLE = """(element) => {
    const begin = element.querySelector(".begin");
    return begin.scrollWidth <= begin.clientWidth;
}"""
# The height of what is drawn in the four leftmost columns that are not empty of a picture on white paper.
MEASURE_INK = """async (text) => {
    const bitmap = await createImageBitmap(new Blob([Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))]));
    const ctx = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    ctx.drawImage(bitmap, 0, 0);
    const { data } = ctx.getImageData(0, 0, bitmap.width, bitmap.height);
    const places = [...Array(data.length / 4).keys()].filter((place) => data[4 * place] < 200);
    const left = Math.min(...places.map((place) => place % bitmap.width));
    const leftmost = places.filter((place) => place % bitmap.width < left + 4);
    const rows = leftmost.map((place) => Math.floor(place / bitmap.width));
    return Math.max(...rows) - Math.min(...rows) + 1;
}"""


@pytest.fixture
def sweep(store: Store, uid: str) -> list[str]:
    """Runs whose long names differ at the end, with a loss, a validation loss and a metric with a long name."""
    names = [f"{uid}-sweep-gpt2-medium-bs512-lr-0.0003-seed-{seed}" for seed in range(5)]
    for seed, name in enumerate(names):
        rows = [
            Row(
                {"loss": 2 + seed, "val/loss": 3 + seed, "evaluation/average_episode_reward": seed},
                index,
                at(BEGAN + index * 1000 + seed),
            )
            for index in range(1, 201)
        ]
        store(name, rows)
    return names


def check_name(element: Locator, name: str, end: str) -> None:
    """Check that ``end`` is drawn, and that the text, a copy of it and the title have the whole name."""
    # The workload list is redrawn when states arrive, and a replaced element has no size.
    for _ in range(50):
        is_drawn, text, copied, title = element.evaluate(READ_NAME, end)
        if is_drawn:
            break
        element.page.wait_for_timeout(100)
    assert is_drawn
    assert (text, copied) == (name, name)
    assert title.startswith(name)


def read_label(page: Page, role: str, name: str) -> list[str]:
    """Return the accessible names with ``name`` of elements with ``role``, as Chromium computes them."""
    session = page.context.new_cdp_session(page)
    root = session.send("DOM.getDocument")["root"]["nodeId"]
    found = session.send("Accessibility.queryAXTree", {"nodeId": root, "role": role})["nodes"]
    names = [str(each["name"]["value"]) for each in found if not each["ignored"]]
    return [each for each in names if name in each]


@on_one_version
def test_names_of_a_sweep_can_be_distinguished(address: str, sweep: list[str]) -> None:
    with open_page() as page:
        wait_until_listed(page, address, sweep[0])
        open_view(page, address, sweep, ("m", "loss"))
        # Others that were active later would be listed before them.
        page.get_by_label("Search").fill(sweep[0][:-1])
        expect(page.locator("#workloads li")).to_have_count(len(sweep))
        for name in sweep:
            end = name[-14:]
            check_name(page.locator("#workloads .name", has_text=name), name, end)
            check_name(page.locator("#runs tbody .name", has_text=name), name, end)
            check_name(chart(page).locator(".legend button span", has_text=name).first, name, end)
            assert len(read_label(page, "checkbox", name)) >= 2
            assert len(read_label(page, "rowheader", name)) >= 1
        check_access(page)
        page.set_viewport_size({"width": 390, "height": 844})
        for name in sweep:
            check_name(page.locator("#runs tbody .name", has_text=name), name, name[-6:])
            check_name(page.locator("#workloads .name", has_text=name), name, name[-14:])


@on_one_version
@pytest.mark.parametrize("width", [1024, 390])
def test_letters_of_names_are_not_cut(address: str, store: Store, uid: str, width: int) -> None:
    """Where there is no room for the whole end of a name, it begins with an ellipsis: with a dot."""
    names = [f"{uid}-{'m' * 20}-{place}" for place in range(3)]
    for name in names:
        store(name, [Row({"loss": 1}, index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        page.set_viewport_size({"width": width, "height": 900})
        open_view(page, address, names, ("m", "loss"))
        for name in names:
            element = page.locator("#runs tbody .name", has_text=name)
            picture = base64.b64encode(element.screenshot()).decode()
            assert page.evaluate(MEASURE_INK, picture) <= 4
            check_name(element, name, name[-18:])
            page.evaluate("getSelection().removeAllRanges()")


@on_one_version
def test_names_in_legends_are_whole_where_there_is_room(address: str, sweep: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, sweep, ("m", "loss"))
        names = chart(page).locator(".legend .cut")
        expect(names).to_have_count(len(sweep))
        assert all(name.evaluate(IS_WHOLE) for name in names.all())
        first, second = chart(page).locator(".legend button").all()[:2]
        first.focus()
        page.keyboard.press("Tab")
        expect(second).to_be_focused()
        # Outside the button, the list would cut its outline.
        expect(second).to_have_css("outline-style", "solid")
        expect(second).to_have_css("outline-offset", "-2px")
        page.set_viewport_size({"width": 390, "height": 844})
        expect(names).to_have_count(len(sweep))
        assert not any(name.evaluate(IS_WHOLE) for name in names.all())
        for place, name in enumerate(sweep):
            check_name(names.nth(place), name, name[-14:])


@on_one_version
def test_the_rows_of_a_tooltip_name_the_metric(address: str, sweep: list[str]) -> None:
    with open_page() as page:
        open_view(page, address, sweep[:2], ("m", "loss"), ("with", "val/loss"), ("attempts", f"1@alpha/{sweep[0]}"))
        hover(chart(page))
        labels = chart(page).locator(".tooltip tr:not([hidden]) .cut")
        expect(labels).to_have_count(4)
        for label, seed, metric in ((0, 1, "val/loss"), (1, 0, "val/loss"), (2, 1, "loss"), (3, 0, "loss")):
            suffix = f" \u00b7 {metric}" + (" \u00b7 attempt 1" if seed == 0 else "")
            check_name(labels.nth(label), f"{sweep[seed]}{suffix}", f"seed-{seed}{suffix}")


@on_one_version
def test_runs_of_one_name_are_shown_with_their_clusters(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str
) -> None:
    uid = f"{uid}-gpt2-medium-bs512-lr-0.0003-seed-0"
    for value, cluster in ((1, "alpha"), (2, "beta")):
        store(uid, [Row({"loss": value}, index, at(BEGAN + 1000 * index)) for index in range(1, 9)], cluster)
    names = [f"{uid} \u00b7 alpha", f"{uid} \u00b7 beta"]
    with gunicorn(write_settings(both_clusters(postgres))) as address, open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}&m=loss")
        rows = page.locator("#runs tbody .name")
        expect(rows).to_have_text([uid])
        wait_for_charts(page)
        page.goto(f"{address}/lens/#w=alpha/{uid}&w=beta/{uid}&m=loss")
        expect(rows).to_have_text(names)
        expect(page.get_by_role("button", name="Remove ")).to_have_count(2)
        wait_for_charts(page)
        hover(chart(page))
        labels = chart(page).locator(".tooltip tr:not([hidden]) .cut")
        expect(labels).to_have_text(names[::-1])
        legend = chart(page).locator(".legend .cut")
        expect(legend).to_have_text(names)
        for place, cluster in enumerate(("alpha", "beta")):
            expect(rows.nth(place)).to_have_attribute("title", f"{uid}, cluster {cluster}")
            check_name(legend.nth(place), names[place], f"seed-0 \u00b7 {cluster}")
            assert f">{names[place]}</text>" in download(page, "SVG")
        chart(page).get_by_text("Values as a table").click()
        cells = chart(page).locator("details tbody td:first-child")
        expect(cells).to_have_text([names[0]] * 8 + [names[1]] * 8)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download the runs as CSV").click()
        table = csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8")))
        assert [(row["run"], row["cluster"]) for row in table] == [(uid, "alpha"), (uid, "beta")]
        page.get_by_role("button", name=f"Remove {names[1]}").click()
        expect(rows).to_have_text([uid])
        expect(page.get_by_role("button", name=f"Remove {uid}", exact=True)).to_be_visible()


@on_one_version
def test_metrics_of_a_group_are_shown_without_its_name(address: str, store: Store, sweep: list[str], uid: str) -> None:
    long = "a-group-with-a-name-that-is-longer-than-the-panel-is-wide"
    store(f"{uid}-long", [Row({f"{long}/loss": 1, f"{long}.": 2}, index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        open_view(page, address, [sweep[0], f"{uid}-long"], ("m", "loss"))
        panel = page.locator("#metrics-panel")
        reward = panel.get_by_role("checkbox", name="evaluation/average_episode_reward", exact=True)
        expect(reward).to_be_visible()
        assert read_label(page, "checkbox", "average_episode") == ["evaluation/average_episode_reward"]
        label = panel.locator("li label", has_text="evaluation/average_episode_reward")
        expect(label).to_have_attribute("title", "evaluation/average_episode_reward: 200 data points")
        name = label.locator(".cut")
        check_name(name, "evaluation/average_episode_reward", "reward")
        expect(name.locator(".undrawn").first).to_have_text("evaluation/")
        expect(name.locator(".undrawn").first).to_have_css("font-size", "0px")
        summary = panel.locator("summary", has_text=long)
        check_name(summary.locator(".cut"), long, "panel-is-wide")
        box, count = summary.bounding_box(), summary.locator("small").bounding_box()
        assert box
        assert count
        assert box["height"] < 30
        assert count["x"] + count["width"] <= box["x"] + box["width"]


@on_one_version
def test_titles_of_charts_are_cut_in_the_middle(address: str, store: Store, uid: str) -> None:
    layers = [f"train/loss_per_expert_layer_12/router_and_expert_{kind}_loss" for kind in ("z", "balance")]
    store(uid, [Row(dict.fromkeys([*layers, "train/grad_norm"], 1), index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        charts = [("m", layers[0]), ("m", layers[1]), ("m", layers[0]), ("with", "train/grad_norm")]
        open_view(page, address, [uid], *charts, ("m", "train/grad_norm"), ("columns", "2"))
        titles = page.locator("figcaption .title")
        check_name(titles.nth(0), layers[0], "z_loss")
        check_name(titles.nth(1), layers[1], "balance_loss")
        check_name(titles.nth(2), f"{layers[0]}, train/grad_norm", "train/grad_norm")
        assert titles.nth(3).evaluate(IS_CLOSED)
        # The buttons are beside the title, not on it.
        title, buttons = (chart(page).locator(part).bounding_box() for part in (".title", ".buttons"))
        assert title
        assert buttons
        assert title["x"] + title["width"] <= buttons["x"]
        check_access(page)


@on_one_version
def test_titles_of_narrow_charts_have_the_room_of_the_buttons(address: str, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1}, index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        open_view(page, address, [uid], ("m", "loss"), ("columns", "3"))
        title, buttons = chart(page).locator("figcaption"), chart(page).locator(".buttons")

        def has_room() -> bool:
            shown = title.bounding_box()
            beside = buttons.bounding_box()
            assert shown
            assert beside
            return shown["x"] + shown["width"] > beside["x"] + beside["width"] / 2

        page.mouse.move(0, 0)
        expect(buttons).to_have_css("opacity", "0")
        assert has_room()
        chart(page).hover()
        expect(buttons).to_have_css("opacity", "1")
        assert not has_room()
        page.mouse.move(0, 0)
        expect(buttons).to_have_css("opacity", "0")
        chart(page).get_by_role("button", name="Log scale: loss").focus()
        expect(buttons).to_have_css("opacity", "1")


@on_one_version
def test_names_in_pictures_are_cut_in_the_middle(address: str, sweep: list[str]) -> None:
    is_within = """(text) => {
        const picture = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
        document.body.append(picture);
        const ends = [...picture.querySelectorAll("text")].map((each) => each.getBBox()).map(({x, width}) => x + width);
        return Math.max(...ends) <= picture.width.baseVal.value;
    }"""
    with open_page() as page:
        page.set_viewport_size({"width": 360, "height": 800})
        charts = ("m", "loss"), ("with", "val/loss"), ("with", "evaluation/average_episode_reward")
        open_view(page, address, sweep[:2], *charts)
        picture = download(page, "SVG")
        for end in ("age_episode_reward", *(f"-seed-{seed} \u00b7 val/loss" for seed in range(2))):
            assert re.search(f">[^<]*\u2026[^<]*{end}</text>", picture)
        assert page.evaluate(is_within, picture)


@on_one_version
def test_short_names_of_a_sweep_can_be_distinguished_on_a_phone(address: str, store: Store, uid: str) -> None:
    names = [f"swp{uid[-4:]}-lr-{place:02}" for place in range(3)]
    for name in names:
        store(name, [Row({"loss": 1}, index, at(BEGAN + index)) for index in range(1, 9)])
    with open_page() as page:
        page.set_viewport_size({"width": 360, "height": 800})
        open_view(page, address, names, ("m", "loss"))
        for name in names:
            element = page.locator("#runs tbody .name", has_text=name)
            check_name(element, name, name[-6:])
