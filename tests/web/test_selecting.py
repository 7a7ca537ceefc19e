"""The list of workloads in a real Chromium: search, order, states, and the selection."""

import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
from playwright.sync_api import Page, Route, expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import behind_a_prefix, gunicorn, on_one_version
from tests.web.pages import BEGAN, charts, check_access, one_cluster, open_dashboard, pick, row_of, wait_until_listed
from tests.web_browser import open_page

pytestmark = needs("chromium")

Write = Callable[[str], Path]


def listed(page: Page) -> list[str]:
    """Return the names in the list."""
    return page.locator("#workloads .name").all_text_contents()


@on_one_version
def test_first_view_and_selecting(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        expect(page.get_by_text("Select a workload to see its progress and its metrics.")).to_be_visible()
        expect(page.locator("#workloads")).to_contain_text("ended")
        pick(page, workloads[0])
        expect(row_of(page, workloads[0])).to_contain_text("Ended")
        expect(charts(page).first).to_be_visible()
        check_access(page)


@on_one_version
def test_the_running_workloads_are_offered(address: str, store: Store, workloads: list[str], running: str) -> None:
    """Those of the list, in which the two others have ended."""
    with open_page() as page:
        open_dashboard(page, address, workloads[0])
        offer = page.get_by_role("button", name="Show the")
        expect(page.locator("#workloads")).to_contain_text("ended")
        expect(offer).to_be_hidden()
        page.get_by_label("Search").fill(running)
        expect(offer).to_have_text("Show the running workload")
        store(f"{running}-too", [Row({"loss": 1}, 1, at(time.time() * 1000))])
        wait_until_listed(page, address, f"{running}-too")
        page.get_by_label("Order").select_option("Name")
        expect(offer).to_have_text("Show the 2 running workloads")
        check_access(page)
        offer.press("Enter")
        expect(page.locator("#runs tbody .name")).to_have_count(2)
        expect(page.locator("#content")).to_be_focused()
        expect(offer).to_be_hidden()


ONE_LINE_CUT_IN_THE_MIDDLE = """() => {
    const name = document.querySelector("#workloads .name");
    if (!name || name.offsetHeight === 0 || name.offsetHeight >= 30) return false;
    const begin = name.querySelector(".begin");
    // The end is drawn beside the beginning, with room for all of it.
    return name.scrollWidth <= name.clientWidth && begin.scrollWidth > begin.clientWidth && begin.clientWidth > 20 &&
        name.clientWidth - begin.clientWidth > 80 && getComputedStyle(name, "::after").content.includes("long-name-");
}"""


@on_one_version
def test_searching_and_sorting(address: str, store: Store, uid: str) -> None:
    uid = uid.replace("b", "c")  # else one in twenty has the searched 8b
    names = [f"{uid}-llama-8b", f"{uid}-llama-70b", f"{uid}-qwen-8b-{'with-a-very-long-name-' * 4}"]
    for place, name in enumerate(names):
        store(name, [Row({"loss": 1}, 10 - place, at(BEGAN + 1000 * place))])
    with open_page() as page:
        open_dashboard(page, address, f"8B {uid}")
        expect(page.locator("#workloads li")).to_have_count(2)
        assert listed(page) == [names[2], names[0]]
        expect(page.locator("#workload-count")).to_have_text("2 of 2")
        # The list is redrawn when the states arrive, and a replaced element has no size.
        page.wait_for_function(ONE_LINE_CUT_IN_THE_MIDDLE)
        long = page.locator("#workloads .name").first
        expect(long).to_have_attribute("title", names[2])
        page.get_by_label("Search").fill(f"/{uid}-llama-(8|70)b$/")
        expect(page.locator("#workloads .name")).to_have_text([names[1], names[0]])
        page.get_by_label("Order").select_option("Name")
        expect(page.locator("#workloads .name")).to_have_text([names[1], names[0]])
        page.get_by_label("Order").select_option("Iteration")
        expect(page.locator("#workloads .name")).to_have_text([names[0], names[1]])
        page.get_by_label("Search").fill("/(/")
        expect(page.locator("#workloads")).to_contain_text("Not a regular expression")
        expect(page.locator("#workload-count")).to_have_text(re.compile("^0 of [1-9]"))
        expect(page.get_by_role("button", name="Select all 0")).to_be_disabled()
        page.get_by_label("Search").fill(uid)
        expect(page.locator("#workloads li")).to_have_count(3)
        page.get_by_role("button", name="Select all 3").click()
        expect(page.locator("#runs tbody tr")).to_have_count(3)
        page.get_by_role("button", name="Clear selection").click()
        expect(page.locator("#runs")).to_be_hidden()


@on_one_version
def test_more_workloads_than_a_page(address: str, store: Store, uid: str) -> None:
    for place in range(35):
        store(f"{uid}-{place}", [Row({"loss": 1}, 1, at(BEGAN + 1000 * place))])
    with open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.locator("#workload-count")).to_have_text("30 of 35")
        page.get_by_role("button", name="Show more").click()
        expect(page.locator("#workload-count")).to_have_text("35 of 35")
        expect(page.locator("#workloads li")).to_have_count(35)
        expect(page.get_by_role("button", name="Show more")).to_be_hidden()


# Where the sidebar and its list end, how many workloads can be seen there, and what scrolls but the lists.
READ_SIDEBAR = """() => {
    const [aside, list] = ["aside", ".listed"].map((selector) => document.querySelector(selector));
    const { bottom } = list.getBoundingClientRect();
    const isSeen = (item) => item.getBoundingClientRect().bottom <= bottom;
    return {
        bottom: aside.getBoundingClientRect().bottom,
        list: list.clientHeight,
        seen: [...list.querySelectorAll("li")].filter(isSeen).length,
        scrolls: aside.scrollHeight > aside.clientHeight,
        pageScrolls: document.documentElement.scrollHeight > innerHeight,
    };
}"""


@on_one_version
def test_the_list_takes_the_height_of_the_window(address: str, store: Store, uid: str) -> None:
    values = {"loss": 1, **{f"layer/{index}": 1 for index in range(40)}}
    for place in range(35):
        store(f"{uid}-{place}", [Row(values, 1, at(BEGAN + 1000 * place))])
    with open_page() as page:
        for size, least, least_with_metrics in (((1280, 800), 11, 4), ((1440, 900), 13, 6), ((1920, 1080), 17, 8)):
            page.set_viewport_size({"width": size[0], "height": size[1]})
            open_dashboard(page, address, uid)
            expect(page.locator("#workload-count")).to_have_text("30 of 35")
            sidebar = page.evaluate(READ_SIDEBAR)
            assert size[1] - 40 < sidebar["bottom"] < size[1]
            assert sidebar["seen"] >= least
            assert not sidebar["scrolls"]
            assert not sidebar["pageScrolls"]
            pick(page, f"{uid}-34")
            expect(page.get_by_text("Metrics \u00b7 1 of 41")).to_be_visible()
            sidebar = page.evaluate(READ_SIDEBAR)
            assert size[1] - 40 < sidebar["bottom"] < size[1]
            assert sidebar["seen"] >= least_with_metrics
            assert not sidebar["scrolls"]
        # A short list leaves the rest of the window empty; in a low window, the sidebar scrolls.
        page.get_by_label("Search").fill(f"{uid}-34")
        expect(page.locator("#workload-count")).to_have_text("1 of 1")
        assert page.evaluate(READ_SIDEBAR)["list"] < 80
        page.get_by_label("Search").fill(uid)
        expect(page.locator("#workload-count")).to_have_text("30 of 35")
        page.set_viewport_size({"width": 1280, "height": 500})
        assert page.evaluate(READ_SIDEBAR)["seen"] >= 3
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate(READ_SIDEBAR)["list"] < 300


@on_one_version
def test_more_is_shown_before_the_clusters_are_known(address: str, store: Store, uid: str) -> None:
    for place in range(35):
        store(f"{uid}-{place}", [Row({"loss": 1}, 1, at(BEGAN + 1000 * place))])
    with open_page() as page:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route("**/clusters", hold)
        open_dashboard(page, address, uid)
        expect(page.locator("#workload-count")).to_have_text("30 of 35")
        page.get_by_role("button", name="Show more").click()
        expect(page.locator("#workload-count")).to_have_text("35 of 35")
        held.pop().continue_()
        expect(page.locator("#cluster option")).to_have_count(2)
        page.wait_for_timeout(300)
        expect(page.locator("#workload-count")).to_have_text("35 of 35")


CUT_OFF = "facts => facts.scrollWidth > facts.clientWidth || facts.scrollHeight > facts.clientHeight"


@on_one_version
def test_the_cluster_of_a_workload_is_not_cut_off(
    postgres: EmbeddedPostgres, write_settings: Write, store: Store, uid: str
) -> None:
    store(uid, [Row({"loss": 1}, 1_234_567, at(BEGAN))])
    settings = one_cluster(postgres).replace("alpha]", "eu-west-production-training]")
    path = write_settings(f'default_cluster = "alpha"\n{settings}{one_cluster(postgres)}')
    with gunicorn(path) as address, open_page() as page:
        open_dashboard(page, address, uid)
        facts = page.locator("#workloads .facts")
        expect(facts).to_contain_text(["ended", "ended"])
        expect(facts.filter(has_text="iteration 1,234,567 · eu-west-production-training")).to_have_count(1)
        assert not any(each.evaluate(CUT_OFF) for each in facts.all())


@on_one_version
def test_a_uid_of_any_characters(address: str, store: Store, uid: str) -> None:
    hard = f"{uid}/a//b %2F?#&=+"
    store(hard, [Row({"loss": 1 / index}, index, at(BEGAN + 1000 * index)) for index in range(1, 50)])
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, uid)
        expect(row_of(page, hard)).to_contain_text("49")
        expect(charts(page).first).to_be_visible()
        page.reload()
        expect(row_of(page, hard)).to_contain_text("49")


@on_one_version
def test_no_workloads(address: str, store: Store, uid: str) -> None:
    store(f"{uid}-timeless", [Row({"loss": 1 / index}, index, None) for index in range(1, 50)])
    with open_page() as page:
        open_dashboard(page, address, f"{uid}-nothing")
        expect(page.get_by_text("No workload matches.")).to_be_visible()
        page.goto(f"{address}/lens/#w=alpha/{uid}-unknown&w=alpha/{uid}-timeless")
        page.reload()
        expect(row_of(page, f"{uid}-unknown")).to_contain_text("No such workload")
        expect(row_of(page, f"{uid}-timeless")).to_contain_text("No times")
        expect(row_of(page, f"{uid}-timeless")).to_contain_text("49")


@on_one_version
def test_behind_a_prefix(postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str) -> None:
    settings = write_settings(one_cluster(postgres))
    with behind_a_prefix(settings, "/behind/a/proxy") as address, open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()


@on_one_version
def test_links_between_the_pages(address: str) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens")
        expect(page).to_have_url(re.compile("/lens/$"))
        page.get_by_role("link", name="API").click()
        expect(page).to_have_url(re.compile("/lens/docs$"))
        page.get_by_role("link", name="Dashboard").click()
        expect(page).to_have_url(re.compile("/lens/$"))


INSERT_LONG = """
    INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance)
    SELECT %(uid)s, 'log', each, now() - make_interval(secs => %(last)s - each), %(performance)s
      FROM generate_series(1, %(last)s) AS each
"""


@on_one_version
def test_a_long_workload_has_a_state_without_being_read(address: str, postgres: EmbeddedPostgres, uid: str) -> None:
    last = 300_001
    parameters = {"uid": uid, "last": last, "performance": f'{{"loss": 1, "target_iteration": {last}}}'}
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(INSERT_LONG, parameters)
    with open_page() as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        open_dashboard(page, address, uid)
        facts = page.locator("#workloads li", has_text=uid).locator(".facts")
        expect(facts).to_contain_text("finished")
        expect(facts).to_have_attribute("title", re.compile("^Estimated"))
        assert not [url for url in asked if uid in url and "progress" in url]
