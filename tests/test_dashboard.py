"""The dashboard in a real Chromium, over a real service: every state it has, every thing one does there."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from lens_perf.access.token_file import create_token
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, at, two_clusters
from tests.front.programs import needs
from tests.test_serving import behind_a_prefix, gunicorn, on_one_version
from tests.web_browser import open_page

pytestmark = needs("chromium")

WEB = Path(__file__).parent.parent / "lens_perf" / "web"
AXE = WEB / "npm" / "node_modules" / "axe-core" / "axe.min.js"
BEGAN = 1_700_000_000_000
DEAD = '\n[clusters.gone]\ndsn = "host=127.0.0.1 port=1 dbname=lens"\n'


Write = Callable[[str], Path]


def one_cluster(postgres: EmbeddedPostgres) -> str:
    return f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha", READER)}"\n'


@pytest.fixture
def workloads(store: Store, uid: str) -> list[str]:
    """Two workloads: one with a restart and a value that is no number, one straight; a spike in each."""
    first, second = f"{uid}-first", f"{uid}-second"
    falling = [*range(1, 200), *range(150, 300)]
    values = {50: "NaN", 77: 9}
    rows = [
        Row(
            {"loss": values.get(index, 2 / (1 + index / 50)), "lr": 1e-4, "target_iteration": 1000},
            index,
            at(BEGAN + 1000 * place),
        )
        for place, index in enumerate(falling)
    ]
    store(first, rows)
    store(second, [Row({"loss": 3 / (1 + index / 40)}, index, at(BEGAN + 900 * index)) for index in range(1, 3000)])
    return [first, second]


@pytest.fixture
def address(postgres: EmbeddedPostgres, write_settings: Write) -> Iterator[str]:
    with gunicorn(write_settings(one_cluster(postgres))) as address:
        yield address


def open_dashboard(page: Page, address: str, uid: str = "", hash_text: str = "") -> None:
    page.goto(f"{address}/lens/{hash_text}")
    expect(page.get_by_role("heading", name="Training workloads")).to_be_visible()
    if uid:
        page.get_by_label("Search").fill(uid)


def pick(page: Page, name: str) -> None:
    page.get_by_role("checkbox", name=re.compile(name)).check()


def charts(page: Page) -> Locator:
    return page.locator("figure.chart canvas")


def check_access(page: Page) -> None:
    """Hold the page to the rules of accessibility, as axe-core knows them."""
    page.evaluate(AXE.read_text("utf-8"))  # as the page's own policy admits no further script
    result: Any = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    grave = [
        (each["id"], [node["html"] for node in each["nodes"]][:3])
        for each in result["violations"]
        if each["impact"] in {"serious", "critical"}
    ]
    assert grave == []


@on_one_version
def test_first_view_and_picking(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        expect(page.get_by_text("Pick a workload to see how it is doing.")).to_be_visible()
        pick(page, workloads[0])
        card = page.locator(".card")
        expect(card).to_contain_text("Ended")
        expect(card).to_contain_text("299 of 1,000 iterations, 29.9 %")
        expect(card).to_contain_text("1 (50 redone iterations")
        expect(charts(page).first).to_be_visible()
        expect(page.locator(".notes").first).to_contain_text("1 \u00d7 NaN")
        expect(page.locator(".notes").first).to_contain_text("1 restart")
        check_access(page)


@on_one_version
def test_a_uid_of_any_characters(address: str, store: Store, uid: str) -> None:
    hard = f"{uid}/a//b %2F?#&=+"
    store(hard, [Row({"loss": 1 / index}, index, at(BEGAN + 1000 * index)) for index in range(1, 50)])
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, uid)
        expect(page.locator(".card h2")).to_contain_text(hard)
        expect(page.locator(".card")).to_contain_text("iteration 49")
        expect(charts(page).first).to_be_visible()
        page.reload()
        expect(page.locator(".card")).to_contain_text("iteration 49")


@on_one_version
def test_two_are_overlaid_and_the_address_tells_the_view(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        for name in workloads:
            pick(page, name)
        legend = page.locator("figure.chart").first.locator(".u-legend")
        for name in workloads:
            expect(legend).to_contain_text(name)
        page.get_by_label("time", exact=True).check()
        page.get_by_label("logarithmic").check()
        expect(page).to_have_url(re.compile("axis=time.*log=1"))
        shared = page.url
        page.go_back()
        expect(page.get_by_label("logarithmic")).not_to_be_checked()
        page.goto("about:blank")
        page.goto(shared)
        expect(page.get_by_label("logarithmic")).to_be_checked()
        expect(page.locator(".card")).to_have_count(2)
        expect(page.locator("figure.chart").first.locator(".u-legend")).to_contain_text(workloads[1])


@on_one_version
def test_zooming_fetches_finer_data(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[1])
        plot = page.locator("figure.chart .u-over").first
        # The chart replaces its preview, and moves down when the card is filled.
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        expect(page.locator(".card progress")).to_be_visible()
        expect(plot).to_be_visible()
        box = plot.bounding_box()
        assert box
        with page.expect_response(re.compile("start_iteration=")) as answered:
            page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
            page.mouse.down()
            page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 60, steps=5)
            page.mouse.up()
        series = answered.value.json()["series"][0]
        assert answered.value.json()["sampling"]["points_total"] == len(series["values"])
        assert 1000 < series["iterations"][0] < series["iterations"][-1] < 1700
        expect(page).to_have_url(re.compile(r"range=\d+\.\.\d+"))
        page.get_by_role("button", name="Show the whole range").click()
        expect(page).not_to_have_url(re.compile("range="))


@on_one_version
def test_the_tail_moves_by_itself(address: str, workloads: list[str], uid: str, store: Store) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[1])
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        page.get_by_text("Values as a table").first.click()
        expect(page.locator("figure.chart").first.locator("tbody tr").last).to_contain_text("2,999")
        canvas = charts(page).first.element_handle()
        with page.expect_response(re.compile("after=W")):
            store(workloads[1], [Row({"loss": 7}, 3000, at(1_700_003_000_000))])
        expect(page.locator("figure.chart").first.locator("tbody tr").last).to_contain_text("3,000", timeout=15_000)
        assert canvas.evaluate("canvas => canvas.isConnected"), "the chart was drawn anew, which flickers"


@on_one_version
def test_a_cluster_that_is_away(
    postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str
) -> None:
    settings = 'default_cluster = "alpha"\n' + one_cluster(postgres) + DEAD
    with gunicorn(write_settings(settings)) as address, open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.get_by_role("alert")).to_contain_text("Cluster gone cannot be reached now")
        expect(page.locator("#workloads li")).to_have_count(2)
        expect(page.get_by_role("option", name="gone (away)")).to_be_attached()


@on_one_version
def test_a_token_is_asked_for(
    postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str
) -> None:
    path = write_settings(two_clusters(postgres) + '\n[access]\ntoken_file = "tokens.toml"\n')
    secret = create_token(path.parent / "tokens.toml", "half", ["alpha"])
    with gunicorn(path) as address, tolerant_page() as page:
        open_dashboard(page, address)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        check_access(page)
        dialog.get_by_label("Token").fill("wrong")
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog).to_be_visible()
        dialog.get_by_label("Token").fill(secret)
        dialog.get_by_role("button", name="Go on").click()
        expect(dialog).to_be_hidden()
        page.get_by_label("Search").fill(uid)
        expect(page.locator("#workloads li")).to_have_count(2)


@contextmanager
def tolerant_page() -> Iterator[Page]:
    """A page on which the browser may log that something was answered with an error, as it does by itself."""
    with open_page(tolerated="Failed to load resource") as page:
        yield page


@on_one_version
def test_trouble_is_told_and_can_be_tried_again(address: str, workloads: list[str], uid: str) -> None:
    with tolerant_page() as page:
        open_dashboard(page, address, uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        page.route("**/metrics/*", lambda route: route.abort())
        pick(page, workloads[0])
        expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached.")
        with page.expect_request("**/metrics/*"):
            page.get_by_role("button", name="Try again").click()
        expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached.")
        page.unroute("**/metrics/*")
        # It tries again by itself, too.
        expect(charts(page).first).to_be_visible()


@on_one_version
def test_a_glance_comes_before_the_whole(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        held: list[Route] = []

        def hold(route: Route) -> None:
            held.append(route)

        page.route(re.compile(r"/metrics/data\?.*axis="), hold)
        page.goto(f"{address}/lens/#w=alpha/{workloads[1]}")
        expect(charts(page).first).to_be_visible()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "true")
        expect(page.get_by_role("checkbox", name="loss")).to_be_checked()
        held.pop().continue_()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")


@on_one_version
def test_a_run_that_stalls_is_told_of_without_a_new_point(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.clock.install()
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}")
        expect(page.locator(".card")).to_contain_text("Ended")
        # Reads of progress go on although no point comes.
        with page.expect_response("**/progress?*"):
            page.clock.fast_forward(11_000)


@on_one_version
def test_what_comes_takes_the_focus_from_nobody(address: str, workloads: list[str], store: Store) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&m=lr")
        expect(charts(page)).to_have_count(2)
        # Only the whole, which replaces the preview, has the cursor from which new records are followed.
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        table = page.locator("figure.chart summary").nth(1)
        table.focus()
        with page.expect_response(lambda response: "after=W" in response.url and "[301]" in response.text()):
            store(workloads[0], [Row({"loss": 1, "lr": 1e-4}, 301, at(BEGAN + 10**6))])
        expect(table).to_be_focused()
        # Past the list, by the link that comes first: the view stays.
        page.locator(".skip").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#content")).to_be_focused()
        expect(charts(page)).to_have_count(2)
        expect(page).to_have_url(re.compile("m=lr"))


@on_one_version
def test_nothing_there(address: str, uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, f"{uid}-nothing")
        expect(page.get_by_text("No workload has this in its name.")).to_be_visible()
        page.goto(f"{address}/lens/#w=alpha/{uid}-unknown")
        page.reload()
        expect(page.locator(".card")).to_contain_text("No records with an iteration and a time.")


@on_one_version
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark(address: str, workloads: list[str], uid: str, scheme: Any) -> None:
    with open_page() as page:
        page.emulate_media(color_scheme=scheme)
        open_dashboard(page, address, uid)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()
        colour = "getComputedStyle(document.body).backgroundColor"
        before = page.evaluate(colour)
        check_access(page)
        page.get_by_role("button", name="Switch between light and dark").click()
        assert page.evaluate(colour) != before
        check_access(page)
        page.reload()
        assert page.evaluate(colour) != before


@on_one_version
def test_a_phone_needs_no_sideways_scrolling(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": 360, "height": 740})
        open_dashboard(page, address, uid)
        for name in workloads:
            pick(page, name)
        expect(charts(page).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        check_access(page)


@on_one_version
def test_with_the_keyboard_alone(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the charts")).to_be_focused()
        while not page.get_by_label("Search").evaluate("field => field === document.activeElement"):
            page.keyboard.press("Tab")
        page.keyboard.type(uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        for _ in range(20):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.key?.includes('-first') ?? false"):
                break
        page.keyboard.press("Space")
        expect(page.get_by_role("checkbox", name=re.compile(workloads[0]))).to_be_checked()
        expect(page.get_by_role("checkbox", name=re.compile(workloads[0]))).to_be_focused()
        plot = page.get_by_role("img", name=re.compile("^loss along iteration"))
        expect(plot).to_be_visible()
        expect(page.locator("#charts")).to_have_attribute("aria-busy", "false")
        plot.focus()
        value = page.locator("figure.chart").first.locator(".u-legend .u-value").first
        page.keyboard.press("End")
        expect(value).to_have_text("299")
        page.keyboard.press("ArrowLeft")
        expect(value).to_have_text("298")
        page.keyboard.press("Home")
        expect(value).to_have_text("1")


@on_one_version
def test_smoothing_keeps_the_raw_line(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[1])
        expect(charts(page).first).to_be_visible()
        page.get_by_label("Smoothing").fill("0.9")
        legend = page.locator("figure.chart").first.locator(".u-legend .u-label")
        expect(legend.filter(has_text=re.compile(f"^{workloads[1]}$"))).to_have_count(1)
        expect(legend.filter(has_text=f"{workloads[1]}, smoothed")).to_have_count(1)
        expect(page).to_have_url(re.compile("smooth=0.9"))


@on_one_version
def test_behind_a_prefix(postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str) -> None:
    settings = write_settings(one_cluster(postgres))
    with behind_a_prefix(settings, "/behind/a/proxy") as address, open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()


@on_one_version
def test_without_what_draws_it_says_so(address: str) -> None:
    with tolerant_page() as page:
        page.route("**/vendor/uPlot.esm.js", lambda route: route.abort())
        page.goto(f"{address}/lens/")
        expect(page.get_by_role("alert")).to_contain_text("The part that draws charts is missing")


def test_every_module_is_asked_for_at_once() -> None:
    """Not one after another, as each is found to import the next."""
    page = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    named = re.findall(
        r'<(?:link rel="modulepreload" href|script type="module" src)="assets/dashboard/(\w+\.js)"', page
    )
    assert sorted(named) == sorted(path.name for path in (WEB / "pages" / "dashboard").glob("*.js"))


def test_the_page_loads_nothing_inline() -> None:
    text = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    for path in (WEB / "pages" / "dashboard").glob("*.js"):
        assert "innerHTML" not in path.read_text("utf-8")
        assert path.read_text("utf-8").startswith("// ")


@on_one_version
def test_lens_leads_to_the_dashboard_and_the_pages_to_each_other(address: str) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens")
        expect(page).to_have_url(re.compile("/lens/$"))
        page.get_by_role("link", name="API").click()
        expect(page).to_have_url(re.compile("/lens/docs$"))
        page.get_by_role("link", name="Dashboard").click()
        expect(page).to_have_url(re.compile("/lens/$"))
