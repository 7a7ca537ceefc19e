"""Messages of the page about failures: a cluster, a token, the service, the charts."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from lens_perf.access.token_file import create_token
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import two_clusters
from tests.front.programs import needs
from tests.test_serving import gunicorn, on_one_version
from tests.web.pages import charts, check_access, one_cluster, open_dashboard, pick, tolerant_page
from tests.web_browser import open_page

pytestmark = needs("chromium")

DEAD = '\n[clusters.gone]\ndsn = "host=127.0.0.1 port=1 dbname=lens"\n'

# What Chromium does where the data of the site are blocked.
BLOCK_STORAGE = """for (const name of ["localStorage", "sessionStorage"])
  Object.defineProperty(window, name, { get() { throw new DOMException("denied", "SecurityError"); } });"""

Write = Callable[[str], Path]


@on_one_version
def test_an_unreachable_cluster(
    postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str
) -> None:
    settings = 'default_cluster = "alpha"\n' + one_cluster(postgres) + DEAD
    with gunicorn(write_settings(settings)) as address, open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.get_by_role("alert")).to_contain_text("Cluster gone cannot be reached now")
        expect(page.locator("#workloads li")).to_have_count(2)
        expect(page.get_by_role("option", name="gone (unreachable)")).to_be_attached()


def enter_token(page: Page, token: str) -> None:
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Token").fill(token)
    dialog.get_by_role("button", name="Continue").click()


@on_one_version
def test_the_page_asks_for_a_token(
    postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str
) -> None:
    path = write_settings(two_clusters(postgres) + '\n[access]\ntoken_file = "tokens.toml"\n')
    secret = create_token(path.parent / "tokens.toml", "half", ["alpha"])
    with gunicorn(path) as address, tolerant_page() as page:
        open_dashboard(page, address)
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        check_access(page)
        expect(dialog.get_by_role("alert")).to_be_hidden()
        enter_token(page, "wrong")
        expect(dialog.get_by_role("alert")).to_have_text("The token is not valid")
        expect(dialog.get_by_label("Token")).to_be_focused()
        check_access(page)
        enter_token(page, secret)
        expect(dialog).to_be_hidden()
        page.get_by_label("Search").fill(uid)
        expect(page.locator("#workloads li")).to_have_count(2)


@on_one_version
def test_the_page_works_where_site_data_are_blocked(
    postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str
) -> None:
    path = write_settings(one_cluster(postgres) + '\n[access]\ntoken_file = "tokens.toml"\n')
    secret = create_token(path.parent / "tokens.toml", "all", ["alpha"])
    with gunicorn(path) as address, tolerant_page() as page:
        page.add_init_script(BLOCK_STORAGE)
        open_dashboard(page, address)
        enter_token(page, secret)
        page.get_by_label("Search").fill(uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()
        page.get_by_role("button", name="Switch between light and dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.goto(f"{address}/lens/docs")
        expect(page.get_by_text("/metrics/progress").first).to_be_visible()


@on_one_version
def test_an_unknown_cluster_is_named(address: str, workloads: list[str]) -> None:
    text = "Unknown cluster gamma; expected one of alpha."
    with tolerant_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=gamma/{workloads[0]}&m=loss")
        # The other run is shown.
        states = page.locator("#runs .state-cell")
        expect(states.first).to_have_text("Ended")
        expect(states.last).to_have_text("No answer")
        expect(states.last.locator("[title]").or_(states.last)).to_have_attribute("title", text)
        expect(charts(page).locator(".notes")).to_contain_text(text)
        expect(charts(page).locator(".reason")).to_be_hidden()
        expect(page.get_by_role("alert")).to_contain_text(text)
        page.goto(f"{address}/lens/#w=gamma/{workloads[0]}&m=loss")
        expect(charts(page).locator(".reason")).to_have_text(text)


@on_one_version
def test_a_failure_is_reported_and_can_be_tried_again(address: str, workloads: list[str], uid: str) -> None:
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
def test_a_missing_chart_library_is_reported(address: str) -> None:
    with tolerant_page() as page:
        page.route("**/vendor/uPlot.esm.js", lambda route: route.abort())
        page.goto(f"{address}/lens/")
        expect(page.get_by_role("alert")).to_contain_text("The library that draws charts is missing")
