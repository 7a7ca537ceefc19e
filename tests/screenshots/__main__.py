"""Fills a database with workloads, opens the pages in Chromium and takes a screenshot of each state."""

import os
import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import urlencode

from playwright.sync_api import Page, Route, expect

from lens_perf.demo.embedded_postgres import run_embedded_postgres
from tests.screenshots.workloads import store_workloads
from tests.test_serving import gunicorn
from tests.web.pages import wait_for_charts
from tests.web_browser import browser, open_page

PICTURES = Path(__file__).parent.parent.parent / "docs" / "screenshots"
DESKTOP, PHONE, WIDE = (1440, 900), (360, 740), (2560, 1440)
RUNS = ("llama3-8b-pretrain", "llama3-8b-lr-3e-4")
METRICS = ("lm_loss", "grad_norm", "learning_rate", "tflops")
SETTINGS = """
default_cluster = "mi300x"
[clusters.mi300x]
dsn = "{dsn}"
"""
UNREACHABLE = """
[clusters.mi355x]
dsn = "host=127.0.0.1 port=1 dbname=lens"
"""


class Photographer:
    """Opens views of the dashboard at ``address`` and takes pictures of them."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def open(self, *runs: str, size: tuple[int, int] = DESKTOP, dark: bool = False, **view: str) -> None:
        """Open a view of ``runs`` in a window of a size and theme."""
        self.page.set_viewport_size({"width": size[0], "height": size[1]})
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        metrics = [] if "m" in view or not runs else [("m", name) for name in METRICS]
        text = urlencode([*(("w", f"mi300x/{uid}") for uid in runs), *metrics, *view.items()])
        self.page.goto("about:blank")
        self.page.goto(f"{self.address}/lens/#{text}")

    def take(self, name: str, *, is_settled: bool = True) -> None:
        """Take one picture; with ``is_settled``, when the charts are complete."""
        if is_settled:
            wait_for_charts(self.page)
        self.page.wait_for_timeout(1500)
        self.page.screenshot(path=PICTURES / f"{name}.png")
        print(name, flush=True)


def take_states(photographer: Photographer) -> None:
    """Take screenshots of the dashboard in normal operation."""
    page = photographer.page
    photographer.open()
    expect(page.locator("#workloads .ended").first).to_be_visible(timeout=30_000)
    photographer.take("first-view", is_settled=False)
    for suffix, dark in (("", False), ("-dark", True)):
        photographer.open(*RUNS, dark=dark)
        photographer.take(f"runs{suffix}")
        photographer.open(*RUNS, size=PHONE, dark=dark)
        photographer.take(f"phone{suffix}")
        photographer.open(*RUNS, size=WIDE, dark=dark)
        photographer.take(f"wide{suffix}")
    photographer.open("qwen3-30b-restarts", m="lm_loss", attempts="1,2,3@mi300x/qwen3-30b-restarts")
    page.get_by_role("button", name="attempts of").click()
    photographer.take("attempts")
    photographer.open("olmo2-7b-diverged", m="lm_loss")
    photographer.take("not-finite")
    photographer.open(*RUNS, axis="time", log="1", smooth="0.9")
    photographer.take("by-time-logarithmic")
    photographer.open(*RUNS, m="lm_loss", embed="1")
    photographer.take("embedded")
    sweep = [f"sweep-{number:02}-wd-0.{number}" for number in range(20)]
    for name, size in (("twenty-runs", DESKTOP), ("twenty-runs-phone", PHONE)):
        photographer.open(*sweep, size=size, m="lm_loss")
        photographer.take(name)
    photographer.open(*RUNS)
    wait_for_charts(page)
    page.keyboard.press("?")
    photographer.take("keys")


def take_troubles(photographer: Photographer) -> None:
    """Take screenshots of the messages for missing data."""
    page = photographer.page
    photographer.open(*RUNS)
    photographer.take("unreachable-cluster")
    photographer.open("no-such-workload", "no-times", m="lm_loss")
    photographer.take("unknown")
    photographer.open()
    page.get_by_label("Search").fill("no such name")
    photographer.take("nothing-found", is_settled=False)
    page.route("**/v1/**", lambda route: route.abort())
    photographer.open(*RUNS)
    photographer.take("trouble", is_settled=False)
    page.unroute("**/v1/**")
    refusal = {"code": 401, "status": "Unauthorized", "message": "A token is needed"}
    page.route("**/v1/**", lambda route: route.fulfill(status=401, json=refusal))
    photographer.open(*RUNS)
    photographer.take("token", is_settled=False)
    page.unroute("**/v1/**")
    waiting: list[Route] = []

    def hold(route: Route) -> None:
        waiting.append(route)

    page.route("**/v1/**", hold)
    photographer.open(*RUNS)
    photographer.take("loading", is_settled=False)
    for route in waiting:
        route.abort()
    page.unroute("**/v1/**")


def take_docs(photographer: Photographer) -> None:
    """Take pictures of the docs page."""
    page = photographer.page
    for suffix, dark in (("", False), ("-dark", True)):
        page.emulate_media(color_scheme="dark" if dark else "light")
        page.goto(f"{photographer.address}/lens/docs")
        expect(page.locator(".opblock").first).to_be_visible()
        photographer.take(f"docs{suffix}", is_settled=False)


def main() -> None:
    """Take all pictures."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lens", dir="/tmp") as name, closing(browser):
        directory = Path(name)
        os.environ["XDG_CACHE_HOME"] = str(directory / "cache")  # no copies of the workloads of an earlier run
        with run_embedded_postgres(directory) as postgres:
            store_workloads(postgres.dsn("postgres"))
            settings = directory / "lens_perf.toml"
            settings.write_text(SETTINGS.format(dsn=postgres.dsn("postgres")), "utf-8")
            with gunicorn(settings) as address, open_page() as page:
                take_states(Photographer(page, address))
                take_docs(Photographer(page, address))
            settings.write_text(settings.read_text("utf-8") + UNREACHABLE, "utf-8")
            with gunicorn(settings) as address, open_page(tolerated="Failed to load resource") as page:
                take_troubles(Photographer(page, address))


if __name__ == "__main__":
    main()
