"""A cluster that fails while the page is open: what is known stays, and is marked as not up to date."""

import re
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import gunicorn, on_one_version
from tests.web.chart_pages import chart, drag, open_view
from tests.web.outages import advance_until, outage
from tests.web.pages import BEGAN, both_clusters, open_dashboard, row_of, tolerant_page, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")

Write = Callable[[str], Path]

LIST_PAUSE = 31_000


@on_one_version
def test_the_list_keeps_the_workloads_of_a_cluster_that_fails(
    postgres: EmbeddedPostgres, address: str, running: str
) -> None:
    with open_page() as page:
        page.clock.install()
        open_dashboard(page, address, running)
        entry = page.locator("#workloads li:not(.skeleton)")
        expect(entry).to_have_count(1)
        expect(entry).to_contain_text("running")
        with outage(postgres, "alpha"):
            advance_until(page, LIST_PAUSE, lambda: "not up to date" in entry.inner_text())
            expect(entry).to_contain_text("not up to date")
            expect(entry.locator(".name")).to_have_text(running)
            expect(page.locator("#workload-count")).to_have_text("1 of 1+")
            expect(page.get_by_role("alert")).to_contain_text("Cluster alpha cannot be reached now")
            page.get_by_label("Search").fill(f"{running} none")
            page.clock.fast_forward(1000)
            expect(entry).to_have_text("No workloads of the clusters that answer.")
            expect(page.locator("#workload-count")).to_be_empty()
            page.get_by_label("Search").fill(running)
            page.clock.fast_forward(1000)
            expect(entry).to_contain_text("not up to date")
        advance_until(page, LIST_PAUSE, lambda: "running" in entry.inner_text())
        expect(entry).to_contain_text("running")
        expect(page.locator("#workload-count")).to_have_text("1 of 1")


@on_one_version
def test_the_list_of_the_chosen_cluster_is_kept_as_well(
    postgres: EmbeddedPostgres, write_settings: Write, store: Store, uid: str
) -> None:
    for cluster in ("alpha", "beta"):
        store(f"{uid}-{cluster}", [Row({"loss": 1}, 1, at(BEGAN))], cluster)
    with gunicorn(write_settings(both_clusters(postgres))) as address, tolerant_page() as page:
        open_dashboard(page, address, uid)
        entries = page.locator("#workloads li")
        expect(entries).to_have_count(2)
        with outage(postgres, "beta"):
            page.wait_for_timeout(1100)  # the service shares a list for a second
            page.get_by_label("Cluster").select_option("beta")
            expect(entries).to_have_count(1)
            expect(entries).to_contain_text("not up to date")
            page.get_by_label("Cluster").select_option("All clusters")
            expect(entries).to_have_count(2)
            expect(entries.filter(has_text=f"{uid}-alpha")).not_to_contain_text("not up to date")
            expect(entries.filter(has_text=f"{uid}-beta")).to_contain_text("not up to date")


@on_one_version
def test_a_run_that_cannot_be_read_is_not_shown_as_running(
    postgres: EmbeddedPostgres, address: str, running: str
) -> None:
    with open_page() as page:
        page.clock.install()
        page.goto(f"{address}/lens/#w=alpha/{running}&m=loss")
        wait_for_charts(page)
        state = row_of(page, running).locator(".state-cell")
        eta = row_of(page, running).locator("td").nth(2)
        expect(state).to_have_text("Running")
        expect(eta).not_to_have_text("\u2013")
        expect(page).to_have_title(re.compile("^Running 30 %"))
        with outage(postgres, "alpha"):
            advance_until(page, 11_000, lambda: "as of" in state.inner_text())
            expect(state).to_have_text(re.compile(r"^Running, as of (\S+ )?\d\d:\d\d$"))
            expect(state).to_have_class("state-cell old")
            expect(eta).to_have_text("\u2013")
            expect(page).to_have_title(re.compile("^Not up to date"))
            expect(page.locator("link[rel=icon]")).to_have_attribute("data-state", "")
        advance_until(page, 16_000, lambda: state.inner_text() == "Running")
        expect(state).to_have_text("Running")
        expect(page).to_have_title(re.compile("^Running 30 %"))


@on_one_version
def test_the_banner_names_each_cluster_as_soon_as_points_cannot_be_read(
    postgres: EmbeddedPostgres, write_settings: Write, store: Store, uid: str
) -> None:
    rows = [Row({"loss": 1 / index}, index, at(time.time() * 1000 - 300_000 + 1000 * index)) for index in range(1, 300)]
    for cluster in ("alpha", "beta"):
        store(uid, rows, cluster)
    with gunicorn(write_settings(both_clusters(postgres))) as address, open_page() as page:
        listed: list[str] = []
        page.on("request", lambda request: listed.append(request.url) if "/workloads" in request.url else None)
        page.clock.install()
        open_dashboard(page, address, uid, f"#w=alpha/{uid}&w=beta/{uid}&m=loss")
        wait_for_charts(page)
        expect(page.locator("#runs tbody").get_by_text("Running")).to_have_count(2)
        listed.clear()
        banner = page.get_by_role("alert")
        with outage(postgres, "alpha"), outage(postgres, "beta"):
            page.clock.fast_forward(4000)
            expect(banner.locator("p")).to_have_text(
                [f"Cluster {name} cannot be reached now; try again later" for name in ("alpha", "beta")]
            )
            # The progress is read again at once.
            expect(page.locator("#runs tbody").get_by_text("Running, as of")).to_have_count(2)
            assert listed == []
            advance_until(page, LIST_PAUSE, lambda: "not up to date" in page.locator("#workloads").inner_text())
            expect(page.locator("#workloads")).to_contain_text("not up to date")
            expect(banner.locator("p")).to_have_count(2)
        advance_until(page, LIST_PAUSE, banner.is_hidden)
        expect(banner).to_be_hidden()


@on_one_version
def test_charts_say_which_runs_are_not_up_to_date(
    postgres: EmbeddedPostgres, address: str, running: str, store: Store
) -> None:
    other = f"{running}-other"
    store(other, [Row({"only": index}, index, at(BEGAN + 1000 * index)) for index in range(1, 100)])
    message = "(Cluster alpha cannot be reached now; try again later)"
    with open_page() as page:
        page.clock.install()
        open_view(page, address, [running, other], ("m", "loss"), ("m", "only"), ("m", "lr"))
        expect(row_of(page, running).locator(".state-cell")).to_have_text("Running")
        with outage(postgres, "alpha"):
            advance_until(page, 5000, lambda: "not up" in chart(page).locator(".notes").inner_text())
            expect(chart(page).locator(".notes")).to_have_text(f"not up to date: {running} {message}")
            # The other run has ended, and is not polled as often.
            expect(chart(page, 1).locator(".notes")).to_be_empty()
            expect(chart(page, 2).locator(".notes")).to_have_text(f"not up to date: {running} {message}")
        advance_until(page, 16_000, lambda: not chart(page).locator(".notes").inner_text())
        expect(chart(page).locator(".notes")).to_be_empty()
        with outage(postgres, "alpha"):
            # Of a range, nothing is read yet, perhaps not even that the other run has no loss.
            drag(page, chart(page), (0.3, 0.5), (0.6, 0.5))
            expect(chart(page).locator(".notes")).to_contain_text(f"not read in full yet: {running} {message}")
