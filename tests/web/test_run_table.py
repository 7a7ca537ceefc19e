"""The run table in a real Chromium: its cells, sorting, visibility, attempts."""

import csv
import io
import json
import re
from contextlib import closing

import psycopg2
import psycopg2.extras
import pytest
from playwright.sync_api import expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at
from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import BEGAN, check_access, row_of, wait_for_charts
from tests.web_browser import open_page

pytestmark = needs("chromium")

# Charts of three metrics, with all of their values in the table.
WIDE = "m=loss&m=lr&m=target_iteration&values=last,least,greatest"
IS_ON_TOP = """(cell) => {
    const { x, y, width, height } = cell.getBoundingClientRect();
    return cell.contains(document.elementFromPoint(x + width / 2, y + height / 2));
}"""
INSERT_ATTEMPTS = (
    "INSERT INTO training_performance (workload_uid, performance, iteration, created_at, serial, data_source) VALUES %s"
)


@pytest.fixture
def attempts(postgres: EmbeddedPostgres, uid: str) -> str:
    """A workload of three attempts: the second redoes 50 iterations, the third resumes where the second ended."""
    ranges = [range(1, 201), range(151, 301), range(301, 401)]
    numbered = [(serial, iteration) for serial, iterations in enumerate(ranges) for iteration in iterations]
    rows = [
        (
            uid,
            json.dumps({"loss": 2 / iteration, "target_iteration": 1000}),
            iteration,
            at(BEGAN + 1000 * place),
            serial,
            "log",
        )
        for place, (serial, iteration) in enumerate(numbered)
    ]
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(cursor, INSERT_ATTEMPTS, rows)
    return uid


@on_one_version
def test_the_progress_bar_stays_below_the_pointer(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss")
        cell = row_of(page, workloads[0]).get_by_text("299 / 1,000")
        cell.hover()
        assert "gradient" in cell.evaluate("(cell) => getComputedStyle(cell).backgroundImage")


@on_one_version
def test_the_table_as_a_file(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&m=loss&sort=-name")
        for uid, iterations in zip(workloads, ("299 / 1,000", "2,999"), strict=False):
            expect(row_of(page, uid)).to_contain_text(iterations)
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download the runs as CSV").click()
        assert saved.value.suggested_filename == "runs.csv"
        rows = list(csv.DictReader(io.StringIO(saved.value.path().read_text("utf-8"))))
        shown = page.locator("#runs .of-run .name").all_inner_texts()
        assert [row["run"] for row in rows] == shown == sorted(workloads, reverse=True)
        assert [(row["iteration"], row["target_iteration"]) for row in rows] == [("2999", ""), ("299", "1000")]


@on_one_version
def test_the_cells_of_a_row(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&m=loss&values=last,greatest")
        row = row_of(page, workloads[0])
        expect(row).to_contain_text("299 / 1,000")
        cells = dict(
            zip(
                page.locator("#runs thead tr").last.locator("th").all_inner_texts(),
                row.locator("> *").all(),
                strict=True,
            )
        )
        expect(cells["Restarts"]).to_have_text("1")
        expect(cells["Restarts"]).to_have_attribute(
            "title", re.compile("1 restart; iterations redone: 50; time lost: ")
        )
        expect(cells["State"]).to_have_text("Ended")
        expect(cells["Pace"]).to_have_text("1 s")
        expect(cells["greatest"]).to_have_text("9")
        expect(cells["greatest"]).to_have_attribute("title", "iteration 77")
        expect(page.get_by_role("columnheader", name="loss")).to_be_visible()
        check_access(page)


@on_one_version
def test_sorting_and_hiding(address: str, workloads: list[str]) -> None:
    first, second = workloads
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{first}&w=alpha/{second}&m=loss")
        wait_for_charts(page)
        names = page.locator("#runs tbody .name")
        expect(names).to_have_text([first, second])
        heading = page.locator("[data-key='sort iteration']")
        heading.click()
        heading.click()
        expect(names).to_have_text([second, first])
        expect(page.locator("th[aria-sort=descending]")).to_contain_text("Iteration")
        expect(heading).to_be_focused()
        page.get_by_role("checkbox", name=f"Show {first}").uncheck()
        expect(page.get_by_text("Runs (1 of 2 shown)")).to_be_visible()
        expect(page).to_have_url(re.compile("hide=.*sort=-iteration"))
        page.reload()
        expect(names).to_have_text([second, first])
        expect(page.get_by_role("checkbox", name=f"Show {first}")).not_to_be_checked()
        page.get_by_role("checkbox", name="Show all runs").check()
        expect(page.get_by_text("Runs (2)")).to_be_visible()
        page.keyboard.press("r")
        expect(page.locator("#runs table")).to_be_hidden()
        page.keyboard.press("r")
        page.get_by_role("button", name=f"Remove {first}").click()
        expect(names).to_have_text([second])


@on_one_version
def test_the_focus_stays_in_the_table_when_runs_are_removed_with_the_keyboard(
    address: str, store: Store, uid: str
) -> None:
    names = [f"{uid}-{place}" for place in range(4)]
    for name in names:
        store(name, [Row({"loss": 1 / index}, index, at(BEGAN + 1000 * index)) for index in range(1, 9)])
    with open_page() as page:
        page.goto(f"{address}/lens/#m=loss&" + "&".join(f"w=alpha/{name}" for name in names))
        wait_for_charts(page)
        expect(page.locator("#runs tbody").get_by_text("Ended")).to_have_count(4)

        def remove(name: str, key: str) -> None:
            button = page.get_by_role("button", name=f"Remove {name}")
            expect(button).to_be_focused()
            button.press(key)
            expect(button).to_have_count(0)

        page.get_by_role("button", name=f"Remove {names[1]}").focus()
        # The next one, the one before where that was the last row, and the page after the last run.
        for place, key in ((1, "Enter"), (2, "Space"), (3, "Enter"), (0, "Enter")):
            remove(names[place], key)
        expect(page.locator("#content")).to_be_focused()
        page.go_back()
        page.go_back()
        rows = page.locator("#runs tbody tr")
        expect(rows).to_have_count(2)
        # What takes the focus of a checkbox is a checkbox.
        page.get_by_role("checkbox", name=f"Show {names[3]}").focus()
        page.go_forward()
        expect(rows).to_have_count(1)
        expect(page.get_by_role("checkbox", name=f"Show {names[0]}")).to_be_focused()


@on_one_version
def test_attempts(address: str, attempts: str) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{attempts}&m=loss")
        wait_for_charts(page)
        page.get_by_role("button", name=f"3 attempts of {attempts}").click()
        rows = page.locator("#runs tr.of-attempts")
        expect(rows).to_have_count(4)
        expect(rows.nth(0)).to_contain_text("2 restarts; iterations redone: 50; time lost:")
        expect(rows.nth(1)).to_contain_text("Attempt 1, serial 0")
        expect(rows.nth(1)).to_contain_text("151 to 200 discarded")
        expect(rows.nth(2)).to_contain_text("iterations 151 to 300")
        expect(rows.nth(3)).not_to_contain_text("discarded")
        page.get_by_role("checkbox", name="Draw attempts apart").check()
        expect(page).to_have_url(re.compile("attempts=1%2C2%2C3%40alpha"))
        colours = page.locator("#runs tr.of-attempts .swatch").evaluate_all(
            "all => all.map((each) => each.style.getPropertyValue('--colour'))"
        )
        assert len(set(colours)) == 3
        page.get_by_role("checkbox", name=f"Show Attempt 1, serial 0 of {attempts}").uncheck()
        expect(page).to_have_url(re.compile("attempts=2%2C3%40alpha"))
        wait_for_charts(page)
        check_access(page)
        page.get_by_role("checkbox", name="Draw attempts apart").uncheck()
        expect(page).not_to_have_url(re.compile("attempts="))


@on_one_version
def test_the_iteration_does_not_depend_on_the_charts(address: str, store: Store, uid: str) -> None:
    """Of a workload without times, ``eval_loss`` ends before the last record."""
    rows = [Row({"loss": 1} | ({"eval_loss": 2} if index <= 200 else {}), index, None) for index in range(1, 301)]
    store(uid, rows)
    store(f"{uid}-other", [Row({"loss": 1}, 900, None)])
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}&m=eval_loss")
        iteration = row_of(page, uid).locator("td").nth(1)
        expect(row_of(page, uid)).to_contain_text("No times")
        expect(iteration).to_have_text("300")
        page.get_by_role("checkbox", name="loss", exact=True).check()
        wait_for_charts(page)
        expect(iteration).to_have_text("300")


@on_one_version
def test_a_shadow_shows_that_more_columns_follow(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.set_viewport_size({"width": 1440, "height": 900})
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&{WIDE}")
        wait_for_charts(page)
        shadow = page.locator("#runs .goes-on")
        expect(shadow).to_have_count(1)
        page.locator("#runs .scroll").evaluate("element => element.scrollTo(element.scrollWidth, 0)")
        expect(shadow).to_have_count(0)
        page.locator("#runs .scroll").evaluate("element => element.scrollTo(0, 0)")
        expect(shadow).to_have_count(1)
        page.set_viewport_size({"width": 2400, "height": 900})
        expect(shadow).to_have_count(0)


@on_one_version
def test_names_stay_in_view_while_the_table_is_scrolled(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&{WIDE}")
        wait_for_charts(page)
        expect(row_of(page, workloads[0]).locator("td").last).not_to_have_text("\u2013")
        firsts = page.locator("#runs tr > :first-child")
        expect(firsts).to_have_count(3)
        begins = [cell.bounding_box() for cell in firsts.all()]
        page.locator("#runs .scroll").evaluate("element => element.scrollTo(element.scrollWidth, 0)")
        assert [cell.bounding_box() for cell in firsts.all()] == begins
        # The cell above the names, too, hides what is scrolled: the names of metrics.
        assert all(cell.evaluate(IS_ON_TOP) for cell in firsts.all())


@on_one_version
def test_choosing_columns(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&w=alpha/{workloads[1]}&m=loss&m=lr&sort=-pace")
        wait_for_charts(page)
        headings = page.locator("#runs thead tr").last.locator("th")
        progress = ["State", "Iteration", "ETA", "Pace \u25be", "Restarts", "Goodput", "Last record"]
        expect(headings).to_have_text(["Run", *progress, "last", "last"])
        opener = page.locator("#runs summary", has_text="Columns")
        opener.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_role("checkbox", name="State")).to_be_focused()
        page.keyboard.press("Space")
        expect(headings).to_have_text(["Run", *progress[1:], "last", "last"])
        expect(page.get_by_role("checkbox", name="State")).to_be_focused()
        check_access(page)
        page.get_by_role("checkbox", name="Pace").uncheck()
        # What sorted the runs is hidden.
        expect(page).not_to_have_url(re.compile("sort="))
        page.get_by_role("group", name="Each metric").get_by_label("Least value").check()
        shown = ["Run", "Iteration", "ETA", "Restarts", "Goodput", "Last record", "last", "least", "last", "least"]
        expect(headings).to_have_text(shown)
        cells = row_of(page, workloads[0]).locator("> *")
        expect(cells).to_have_count(len(shown))
        expect(cells.nth(1)).to_have_text("299 / 1,000")
        expect(page).to_have_url(
            re.compile("progress=iteration%2Ceta%2Crestarts%2Cgoodput%2Clast&values=last%2Cleast$")
        )
        page.keyboard.press("Escape")
        expect(opener).to_be_focused()
        expect(page.get_by_role("group", name="Each metric")).to_be_hidden()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Download the runs as CSV").click()
        assert saved.value.path().read_text("utf-8").splitlines()[0] == (
            "run,cluster,iteration,eta_seconds,restarts,goodput,last_timestamp,"
            "loss last,loss least,lr last,lr least,target_iteration"
        )
        page.reload()
        expect(headings).to_have_text(shown)
        page.go_back()
        expect(headings).to_have_text([*shown[:6], "last", "last"])
        opener.click()
        expect(page.get_by_role("checkbox", name="Least value")).not_to_be_checked()
        page.go_back()
        expect(headings).to_have_text(["Run", *progress[1:], "last", "last"])


@on_one_version
def test_a_table_of_names_alone(address: str, workloads: list[str]) -> None:
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{workloads[0]}&m=loss&progress=&values=")
        wait_for_charts(page)
        expect(page.locator("#runs thead th")).to_have_text(["Run"])
        expect(page.locator("#runs .of-run > *")).to_have_count(1)
        check_access(page)


@on_one_version
def test_a_run_with_nan_has_a_warning(address: str, store: Store, uid: str) -> None:
    rows = [Row({"loss": "NaN" if index > 350 else 1.5}, index, at(BEGAN + 1000 * index)) for index in range(1, 401)]
    store(uid, rows)
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}&m=loss")
        state = row_of(page, uid).locator(".state-cell")
        expect(state).to_have_text("Ended, loss not finite")
        expect(state).to_have_attribute("title", re.compile("loss is not finite since iteration 351"))
        expect(state).to_have_class(re.compile("trouble"))
        expect(row_of(page, uid)).to_contain_text("not finite")
        expect(page).to_have_title(re.compile("^\u26a0 Ended"))
