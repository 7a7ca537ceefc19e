"""The metrics panel in a real Chromium: search, groups, order, pins, and hundreds of names."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, open_view
from tests.web.pages import BEGAN, check_access, open_dashboard, pick, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")


@pytest.fixture
def many(store: Store, uid: str) -> str:
    """A workload of 306 metrics in groups."""
    names = ["train/loss", "val/loss", "train/lr", "train/grad_norm", "_runtime", "accuracy"]
    names += [f"layer{number}/weight{place}" for number in range(30) for place in range(10)]
    store(uid, [Row(dict.fromkeys(names, step), step, at(BEGAN + 1000 * step)) for step in range(1, 9)])
    return uid


def open_panel(page: Page) -> Locator:
    panel = page.locator("#metrics-panel")
    expect(panel.get_by_label("Find metrics")).to_be_visible()
    return panel


def list_charts(page: Page) -> list[str | None]:
    return [each.get_attribute("data-metrics") for each in page.locator("figure.chart").all()]


@on_one_version
def test_the_first_choice_has_the_loss_of_each_run(address: str, store: Store, uid: str) -> None:
    """Also of runs that are added to it, and of one whose loss is NaN, until other charts are chosen."""
    records = ({"loss": 1, "lr": 1}, {"train/loss": 2}, {"lm_loss": "NaN", "lr": 1})
    for place, record in enumerate(records):
        store(f"{uid}-{place}", [Row(record, index, at(BEGAN + 1000 * index)) for index in range(1, 50)])
    with open_page() as page:
        open_dashboard(page, address, uid)
        titles = page.locator("figure.chart .title")
        pick(page, f"{uid}-0")
        expect(titles).to_have_text(["loss", "lr"])
        pick(page, f"{uid}-1")
        expect(titles).to_have_text(["loss", "train/loss", "lr"])
        page.get_by_role("button", name="Select all 3").click()
        expect(titles).to_have_text(["loss", "train/loss", "lm_loss", "lr"])
        page.get_by_role("checkbox", name="lm_loss", exact=True).uncheck()
        expect(titles).to_have_text(["loss", "train/loss", "lr"])
        page.get_by_role("button", name=f"Remove {uid}-2").click()
        pick(page, f"{uid}-2")
        wait_for_charts(page)
        expect(titles).to_have_text(["loss", "train/loss", "lr"])


@on_one_version
def test_the_first_choice(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many])
        assert list_charts(page) == ["train/loss val/loss", "train/lr", "train/grad_norm"]


@on_one_version
def test_search_groups_and_selection(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"))
        panel = open_panel(page)
        expect(panel.locator("summary").first).to_have_text(re.compile("1 of 306"))
        expect(panel.locator(".group")).to_have_count(34)
        search = panel.get_by_label("Find metrics")
        search.fill("weight3 layer1/")
        expect(panel.locator("li:visible")).to_have_count(1)
        search.fill(r"/^(train|val)\/lo/")
        expect(panel.locator("li:visible")).to_have_count(2)
        search.fill("/(/")
        expect(panel.get_by_text("This is not a regular expression.")).to_be_visible()
        search.fill("/loss")
        panel.get_by_role("button", name="Select matching").click()
        expect(page.locator("figure.chart")).to_have_count(3)
        search.fill("")
        panel.get_by_label("All of layer2", exact=True).check()
        expect(page.locator("figure.chart")).to_have_count(13)
        panel.get_by_label("All of layer2", exact=True).uncheck()
        expect(page.locator("figure.chart")).to_have_count(3)
        panel.locator("li", has_text="val/loss").get_by_role("checkbox").uncheck()
        assert list_charts(page) == ["accuracy", "train/loss"]
        check_access(page)


@on_one_version
def test_order_pins_and_folded_groups_are_in_the_address(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"), ("m", "train/loss"), ("m", "train/lr"))
        chart(page, 0).get_by_label(re.compile("^Move later")).click()
        expect(chart(page)).to_have_attribute("data-metrics", "train/loss")
        chart(page, 2).get_by_label(re.compile("^Pin")).click()
        expect(chart(page)).to_have_attribute("data-metrics", "train/lr")
        panel = open_panel(page)
        panel.locator("summary", has_text="layer3 ").click()
        expect(page).to_have_url(re.compile("fold=layer3"))
        expect(page).to_have_url(re.compile("pin=train%2Flr"))
        order = list_charts(page)
        page.reload()
        wait_for_charts(page)
        assert list_charts(page) == order == ["train/lr", "train/loss", "accuracy"]
        panel = open_panel(page)
        expect(panel.locator(".group[open]")).to_have_count(33)


@on_one_version
def test_several_metrics_in_one_chart(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "train/loss"), ("m", "accuracy"))
        chart(page).get_by_label(re.compile("^Add a metric")).click()
        field = chart(page).get_by_role("combobox")
        field.fill("val/loss")
        field.press("Enter")
        expect(chart(page)).to_have_attribute("data-metrics", "train/loss val/loss")
        expect(chart(page).locator(".kinds li")).to_have_count(2)
        expect(page).to_have_url(re.compile("m=train%2Floss&with=val%2Floss&m=accuracy"))
        dashes = {each.get_attribute("stroke-dasharray") for each in chart(page).locator(".kinds line").all()}
        assert len(dashes) == 2


@on_one_version
def test_the_focus_stays_while_metrics_are_added_and_removed(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"), ("m", "train/lr"))
        chart(page).get_by_label(re.compile("^Add a metric")).press("Enter")
        field = chart(page).get_by_role("combobox")
        for name in ("val/loss", "train/lr"):
            expect(field).to_be_focused()
            page.keyboard.type(name)
            page.keyboard.press("Enter")
            expect(chart(page)).to_have_attribute("data-metrics", re.compile(f" {name}$"))
            expect(field).to_have_value("")
        assert list_charts(page) == ["accuracy val/loss train/lr"]
        expect(chart(page).locator(".title")).to_have_text("accuracy, val/loss, train/lr")
        expect(chart(page).get_by_role("button", name=re.compile("^Remove"))).to_have_count(3)
        expect(page.get_by_role("button", name="Remove val/loss: accuracy, val/loss, train/lr")).to_be_visible()
        for number in range(2):
            expect(field).to_be_focused()
            page.keyboard.press("Tab")
            page.keyboard.press("Enter")
            expect(chart(page).get_by_role("button", name=re.compile("^Remove"))).to_have_count(2 - 2 * number)
        expect(field).to_be_focused()
        assert list_charts(page) == ["train/lr"]
        wait_for_charts(page)
        expect(chart(page).locator(".plot")).to_have_attribute("aria-label", re.compile("^train/lr along"))


@on_one_version
def test_the_focus_stays_while_charts_are_pinned_and_moved(address: str, many: str) -> None:
    with open_page() as page:
        names = ["accuracy", "train/loss", "train/lr", "val/loss"]
        open_view(page, address, [many], *(("m", name) for name in names), ("columns", "1"))
        pin = page.get_by_role("button", name="Pin to the top: val/loss")
        for order in (["val/loss", *names[:3]], names):
            pin.press("Enter")
            expect(chart(page)).to_have_attribute("data-metrics", order[0])
            assert list_charts(page) == order
            expect(pin).to_be_focused()
            expect(pin).to_be_in_viewport()
        earlier = page.get_by_role("button", name="Move earlier: val/loss")
        for order in (["accuracy", "train/loss", "val/loss", "train/lr"], ["accuracy", "val/loss", *names[1:3]]):
            earlier.press("Enter")
            expect(chart(page, order.index("val/loss"))).to_have_attribute("data-metrics", "val/loss")
            assert list_charts(page) == order
            expect(earlier).to_be_focused()
            expect(earlier).to_be_in_viewport()


@on_one_version
def test_charts_do_not_move_beyond_the_ends_of_the_grid(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"), ("m", "train/lr"), ("m", "val/loss"))
        earlier, later = (page.get_by_role("button", name=f"Move {where}: accuracy") for where in ("earlier", "later"))
        expect(earlier).to_be_disabled()
        later.press("Enter")
        expect(earlier).to_be_enabled()
        later.press("Enter")
        expect(later).to_be_disabled()
        assert list_charts(page) == ["train/lr", "val/loss", "accuracy"]
        expect(earlier).to_be_focused()
        # A pinned chart stays first.
        page.get_by_role("button", name="Pin to the top: train/lr").click()
        expect(page.get_by_role("button", name="Move later: train/lr")).to_be_disabled()
        expect(page.get_by_role("button", name="Move earlier: val/loss")).to_be_disabled()


@on_one_version
def test_a_chart_stays_in_full_screen_while_its_metrics_change(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"), ("m", "train/lr"))
        figure = page.locator("figure.chart:fullscreen")
        chart(page, 1).get_by_label(re.compile("^Full screen")).click()
        figure.get_by_label(re.compile("^Pin")).click()
        expect(page).to_have_url(re.compile("pin=train%2Flr"))
        assert list_charts(page) == ["train/lr", "accuracy"]
        figure.get_by_label(re.compile("^Add a metric")).click()
        expect(figure.get_by_role("combobox")).to_be_focused()
        page.keyboard.type("accuracy")
        page.keyboard.press("Enter")
        expect(figure).to_have_attribute("data-metrics", "train/lr accuracy")
        expect(figure.locator(".kinds li")).to_have_count(2)
        page.go_back()
        expect(figure).to_have_attribute("data-metrics", "train/lr")
        assert list_charts(page) == ["train/lr", "accuracy"]
        page.go_back()
        assert list_charts(page) == ["accuracy", "train/lr"]
        expect(figure).to_have_attribute("data-metrics", "train/lr")


@on_one_version
def test_a_metric_to_add_is_typed_at_once_and_must_exist(address: str, many: str) -> None:
    with open_page() as page:
        open_view(page, address, [many], ("m", "accuracy"))
        expect(page.locator("#metrics-panel summary").first).to_have_text(re.compile("1 of 306"))
        chart(page).get_by_label(re.compile("^Add a metric")).click()
        expect(chart(page).get_by_role("combobox")).to_be_focused()
        page.keyboard.type("val")
        page.keyboard.press("Enter")
        expect(chart(page).get_by_text("No run has a metric val", exact=True)).to_be_visible()
        check_access(page)
        assert list_charts(page) == ["accuracy"]
        page.keyboard.type("/loss")
        expect(chart(page).get_by_role("status")).to_be_empty()
        page.keyboard.press("Enter")
        expect(chart(page)).to_have_attribute("data-metrics", "accuracy val/loss")


@on_one_version
def test_hundreds_of_charts_are_drawn_as_they_come_into_view(address: str, many: str) -> None:
    with open_page() as page:
        open_view(
            page,
            address,
            [many],
            *(("m", f"layer{number}/weight{place}") for number in range(10) for place in range(10)),
        )
        expect(page.locator("figure.chart")).to_have_count(100)
        assert page.locator("figure.chart canvas.dots").count() < 40
        last = page.locator("figure.chart").last
        last.scroll_into_view_if_needed()
        expect(last.locator("canvas.dots")).to_be_attached()
