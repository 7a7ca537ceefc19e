"""Selecting workloads in a real Chromium: the list, the run table, the address."""

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import behind_a_prefix, on_one_version
from tests.web.pages import BEGAN, charts, check_access, one_cluster, open_dashboard, pick
from tests.web_browser import open_page

pytestmark = needs("chromium")

Write = Callable[[str], Path]


@on_one_version
def test_first_view_and_picking(address: str, workloads: list[str], uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, uid)
        expect(page.locator("#workloads li")).to_have_count(2)
        expect(page.get_by_text("Select a workload to see its progress and its metrics.")).to_be_visible()
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
def test_nothing_there(address: str, uid: str) -> None:
    with open_page() as page:
        open_dashboard(page, address, f"{uid}-nothing")
        expect(page.get_by_text("No workload has this in its name.")).to_be_visible()
        page.goto(f"{address}/lens/#w=alpha/{uid}-unknown")
        page.reload()
        expect(page.locator(".card")).to_contain_text("No records with an iteration and a time.")


@on_one_version
def test_behind_a_prefix(postgres: EmbeddedPostgres, write_settings: Write, workloads: list[str], uid: str) -> None:
    settings = write_settings(one_cluster(postgres))
    with behind_a_prefix(settings, "/behind/a/proxy") as address, open_page() as page:
        open_dashboard(page, address, uid)
        pick(page, workloads[0])
        expect(charts(page).first).to_be_visible()


@on_one_version
def test_lens_leads_to_the_dashboard_and_the_pages_to_each_other(address: str) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens")
        expect(page).to_have_url(re.compile("/lens/$"))
        page.get_by_role("link", name="API").click()
        expect(page).to_have_url(re.compile("/lens/docs$"))
        page.get_by_role("link", name="Dashboard").click()
        expect(page).to_have_url(re.compile("/lens/$"))
