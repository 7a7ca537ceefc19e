"""Fills a database with workloads, opens the dashboard in Chromium and takes a picture of each state."""

import math
import random
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import psycopg2
import psycopg2.extras
from playwright.sync_api import Page, Route

from lens_perf.demo.embedded_postgres import EmbeddedPostgres, run_embedded_postgres
from lens_perf.performance.schema import create_schema
from tests.conftest import INSERT, Row
from tests.test_serving import gunicorn
from tests.web_browser import open_page

PICTURES = Path(__file__).parent.parent.parent / "docs" / "screenshots"
ITERATIONS = 6000
SETTINGS = """
default_cluster = "mi300x"
[clusters.mi300x]
dsn = "{dsn}"
[clusters.mi355x]
dsn = "host=127.0.0.1 port=1 dbname=lens"
"""


def make_rows(seed: int, now: float) -> list[Row]:
    """Return the records of a workload with noise, a spike, a restart and a value that is no number."""
    chance = random.Random(seed)
    rows, when = [], now - 2.2 * (ITERATIONS + 399)
    for index in [*range(1, 4000), *range(3600, ITERATIONS)]:
        when += 2.2 * chance.uniform(0.9, 1.1) * (now - when) / max(1.0, 2.2 * (ITERATIONS + 399 - len(rows)))
        loss: float | str = 1.8 + seed * 0.1 + 8 * math.exp(-index / (500 + 100 * seed)) + chance.gauss(0, 0.05)
        if index == 2500:
            loss = 6.5
        elif index == 3990:
            loss = "NaN"
        performance = {
            "lm_loss": loss,
            "grad_norm": abs(chance.gauss(1, 0.3)) + 5 / index,
            "learning_rate": 3e-4 * min(1, index / 400) * (0.5 + 0.5 * math.cos(math.pi * index / 10_000)),
            "tflops": chance.gauss(410, 8),
            "target_iteration": 10_000,
        }
        rows.append(Row(performance, index, datetime.fromtimestamp(when, UTC)))
    return rows


def fill(postgres: EmbeddedPostgres) -> None:
    """Store the workloads."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection:
        create_schema(connection)
        with connection.cursor() as cursor:
            for seed, uid in enumerate(("llama3-8b-pretrain", "llama3-8b-lr-3e-4", "deepseek-v2-lite")):
                rows = make_rows(seed, time.time() - 7200 * (seed == 2))
                psycopg2.extras.execute_values(cursor, INSERT, [row.values(uid) for row in rows])


def take(page: Page, name: str, *, whole: bool = False) -> None:
    """Take one picture, when all has come to rest."""
    page.wait_for_timeout(1200)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=whole)
    print(name, flush=True)


def take_all(page: Page, address: str) -> None:
    """Walk through the states of the dashboard."""
    page.goto(f"{address}/lens/")
    take(page, "first-view")
    for name in ("llama3-8b-pretrain", "llama3-8b-lr-3e-4"):
        page.locator("#workloads label", has_text=name).click()
    page.wait_for_timeout(1500)
    page.locator("#metrics label", has_text="grad_norm").click()
    take(page, "two-workloads", whole=True)
    page.get_by_label("Smoothing").fill("0.9")
    page.get_by_role("button", name="Switch between light and dark").click()
    take(page, "dark", whole=True)
    page.set_viewport_size({"width": 360, "height": 740})
    take(page, "phone", whole=True)
    page.set_viewport_size({"width": 1280, "height": 900})
    page.get_by_role("button", name="Switch between light and dark").click()
    page.get_by_label("Search").fill("no such workload")
    take(page, "nothing-found")


def take_troubles(page: Page, address: str) -> None:
    """Walk through what a page shows that cannot show all."""
    view = f"{address}/lens/#w=mi300x/llama3-8b-pretrain"
    page.goto(view)
    page.locator("figure.chart canvas").first.wait_for()
    page.locator("label", has_text="time").first.click()
    page.locator("label", has_text="logarithmic").click()
    take(page, "by-time-logarithmic")
    page.route("**/v1/**", lambda route: route.abort())
    page.goto(f"{address}/lens/")
    page.goto(view)
    page.reload()
    take(page, "trouble")
    page.unroute("**/v1/**")
    refusal = {"code": 401, "status": "Unauthorized", "message": "A token is needed"}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json=refusal))
    page.reload()
    take(page, "token")
    page.unroute("**/v1/**")

    waiting: list[Route] = []

    def keep(route: Route) -> None:
        waiting.append(route)

    page.route("**/v1/**", keep)
    page.reload()
    take(page, "loading")
    for route in waiting:
        route.abort()


def main() -> None:
    """Make all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lens", dir="/tmp") as name:
        directory = Path(name)
        with run_embedded_postgres(directory) as postgres:
            fill(postgres)
            settings = directory / "lens_perf.toml"
            settings.write_text(SETTINGS.format(dsn=postgres.dsn("postgres")), "utf-8")
            with gunicorn(settings) as address:
                with open_page() as page:
                    take_all(page, address)
                with open_page(tolerated="Failed to load resource") as page:
                    take_troubles(page, address)


if __name__ == "__main__":
    main()
