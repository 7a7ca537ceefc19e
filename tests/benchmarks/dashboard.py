"""Measures the dashboard in Chromium: time to the first chart, frames per second, and memory after an hour.

``python -m tests.benchmarks.dashboard`` seeds an embedded PostgreSQL, builds the copies and prints the figures.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import psycopg2
from playwright.sync_api import Browser, CDPSession, Page, Request, expect, sync_playwright

from lens_perf.demo.embedded_postgres import run_embedded_postgres
from tests.benchmarks.dashboard_seed import METRICS, Run, add_records, list_others, list_runs, seed_runs
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.front.programs import find_program, open_directory
from tests.web_browser import ARGUMENTS

SETTINGS = """
[clusters.bench]
dsn = "{dsn}"
[limits]
deadline_seconds = 120
[columns]
directory = "{columns}"
"""
MOST_BUILD_SECONDS = 900
# The step of the faster clock: the pause between two requests for changes of a run.
STEP_MS = 3000
PARTS = ("loading", "frames", "following")
# When the first chart shows points, and when all are read, in milliseconds since the page was asked for.
WATCH = """
globalThis.times = {};
const look = () => {
  const charts = document.querySelector("#charts");
  const plot = [...document.querySelectorAll(".chart .plot")].find((each) => each.querySelector("canvas")
    && !/no points/.test(each.ariaLabel));
  if (plot) times.first ??= performance.now();
  if (plot && charts.ariaBusy === "false") times.full ??= performance.now();
  if (!times.full) requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""
# Move the pointer over a chart with each frame; return the lengths of frames in milliseconds.
HOVER = """async ([seconds, isDragging]) => {
  const over = document.querySelector(".chart .u-over");
  over.scrollIntoView({ block: "center" });
  const box = over.getBoundingClientRect();
  const send = (type, share, more = {}) => (type === "mouseup" ? document : over).dispatchEvent(new MouseEvent(type, {
    bubbles: true, clientX: box.left + box.width * share, clientY: box.top + box.height * (0.3 + share / 4),
    movementX: 1, movementY: 1, ...more }));
  const frames = [];
  const begin = performance.now();
  let last = begin;
  let count = 0;
  send("mouseenter", 0.5);
  while (performance.now() - begin < seconds * 1000) {
    const now = await new Promise(requestAnimationFrame);
    if (count > 0) frames.push(now - last);
    last = now;
    const phase = count % 60;
    if (isDragging && phase === 5) send("mousedown", 0.3);
    if (isDragging && phase === 35) send("mouseup", 0.6);
    if (isDragging && phase === 55) over.dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    const dragged = 0.3 + 0.3 * Math.min(1, Math.max(0, (phase - 5) / 30));
    const share = isDragging ? dragged : 0.5 + 0.45 * Math.sin(count / 40);
    send("mousemove", share);
    count += 1;
  }
  send("mouseleave", 0.5);
  return { frames };
}"""


def read_options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.dashboard", description=__doc__)
    parser.add_argument(
        "--directory", type=Path, help="keep PostgreSQL and the copies here, such as var/bench, for re-use"
    )
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=1_000_000, help="of each run")
    parser.add_argument("--others", type=int, default=180, help="workloads of 1000 iterations that are only listed")
    parser.add_argument("--rounds", type=int, default=5, help="loads that the medians are of")
    parser.add_argument("--minutes", type=int, default=60, help="that are followed, by a faster clock")
    parser.add_argument("--only", choices=PARTS, nargs="+", default=PARTS, help="what is measured")
    return parser.parse_args(arguments)


def build_copies(address: str, runs: Sequence[Run]) -> None:
    """Wait until each workload has a copy."""
    began = time.monotonic()
    for run in runs:
        query = urlencode({"workload": f"bench/{run.uid}", "metrics": "loss"})
        while True:
            with urlopen(f"{address}/lens/v1/metrics/summary?{query}") as response:
                if not json.load(response)["warnings"]:
                    break
            if time.monotonic() - began > MOST_BUILD_SECONDS:
                sys.exit("the copies were not built in time")
            time.sleep(1)
    print(f"copies built in {time.monotonic() - began:.0f} s", flush=True)


def open_runs(page: Page, address: str, runs: Sequence[Run]) -> None:
    """Show all metrics of all runs, and wait until all are read."""
    view = urlencode([*(("w", f"bench/{run.uid}") for run in runs), *(("m", name) for name in METRICS)])
    page.goto("about:blank")
    page.goto(f"{address}/lens/#{view}")
    page.wait_for_function("globalThis.times?.full", timeout=120_000)


def measure_loading(browser: Browser, address: str, runs: Sequence[Run], rounds: int) -> None:
    """Print the medians of the time to the first chart and to all charts."""
    times = []
    for _ in range(rounds):
        page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
        page.add_init_script(WATCH)
        open_runs(page, address, runs)
        times.append(page.evaluate("times"))
        page.close()
    print(f"load average {os.getloadavg()[0]:.1f}")
    for name, text in (("first", "first chart"), ("full", "all charts in full")):
        values = [each[name] for each in times]
        print(f"{text}: {statistics.median(values):.0f} ms ({min(values):.0f} to {max(values):.0f})", flush=True)


def measure_frames(browser: Browser, address: str, runs: Sequence[Run], seconds: float) -> None:
    """Print frames per second, and what a frame costs the page's process, while hovering and while zooming."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page.add_init_script(WATCH)
    open_runs(page, address, runs)
    for is_dragging, text in ((False, "hovering"), (True, "zooming")):
        begin = read_processor_time(browser)
        found: Any = page.evaluate(HOVER, [seconds, is_dragging])
        frames = found["frames"]
        cost = 1000 * (read_processor_time(browser) - begin) / len(frames)
        late = sum(each > 1.5 * 1000 / 60 for each in frames) / len(frames)
        print(
            f"{text}: {1000 / statistics.mean(frames):.1f} frames/s, 95 % of frames within "
            f"{statistics.quantiles(frames, n=20)[-1]:.1f} ms, longest {max(frames):.0f} ms, {late:.1%} late; "
            f"processor time of a frame {cost:.1f} ms; load average {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    page.close()


def read_heap(session: CDPSession) -> float:
    """Return the size of the page's JavaScript heap after a collection, in MB."""
    session.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["JSHeapUsedSize"]) / 1e6


def read_renderer(browser: Browser) -> float:
    """Return the proportional set size of the page's process in MB. It includes arrays, unlike the heap."""
    return max(_read_pss(each["id"]) for each in list_renderers(browser))


def read_processor_time(browser: Browser) -> float:
    """Return the seconds that the processes of pages have used a processor."""
    return sum(float(each["cpuTime"]) for each in list_renderers(browser))


def list_renderers(browser: Browser) -> list[dict[str, Any]]:
    """Return the processes of pages."""
    processes = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    return [each for each in processes if each["type"] == "renderer"]


def _read_pss(pid: int) -> float:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("Pss:"))


def measure_following(browser: Browser, address: str, dsn: str, runs: Sequence[Run], minutes: int) -> None:
    """Print the memory while the page follows all runs, each of which gets 60 records every minute."""
    page = browser.new_page(viewport={"width": 1440, "height": 900}, bypass_csp=True)
    page.clock.install()
    page.add_init_script(WATCH)
    view = urlencode([*(("w", f"bench/{run.uid}") for run in runs), *(("m", name) for name in METRICS)])
    page.goto(f"{address}/lens/#{view}")
    page.clock.run_for(1000)
    expect(page.locator("figure.chart").first).to_be_visible()
    expect(page.locator("#charts")).to_have_attribute("aria-busy", "false", timeout=120_000)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    print(f"at the beginning: heap {read_heap(session):.1f} MB, process {read_renderer(browser):.0f} MB", flush=True)
    requests = Requests(page)
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for minute in range(1, minutes + 1):
            add_records(
                cursor, [(run.uid, run.iterations + 60 * minute - 59, run.iterations + 60 * minute) for run in runs]
            )
            # In steps: to the page, an answer takes as long as its clock runs meanwhile, and it rests that much longer.
            for _ in range(60_000 // STEP_MS):
                page.clock.run_for(STEP_MS)
                requests.wait()
            if minute % max(1, minutes // 4) == 0:
                heap, process = read_heap(session), read_renderer(browser)
                row = page.locator("#runs tr.of-run").first.inner_text().split()
                print(
                    f"after {minute} min: heap {heap:.1f} MB, process {process:.0f} MB, "
                    f"{requests.changes} requests for changes; {' '.join(row[:8])}",
                    flush=True,
                )
    page.close()


class Requests:
    """The requests of a page that are not answered yet, and the number of those for changes."""

    def __init__(self, page: Page) -> None:
        """Watch ``page``."""
        self._page = page
        self._pending: set[Request] = set()
        self.changes = 0
        page.on("request", self._begin)
        page.on("requestfailed", self._end)
        page.on("requestfinished", self._end)

    def _begin(self, request: Request) -> None:
        self._pending.add(request)
        self.changes += request.method == "POST" and request.url.endswith("/metrics/data")

    def _end(self, request: Request) -> None:
        self._pending.discard(request)

    def wait(self) -> None:
        """Wait until all are answered."""
        while self._pending:
            self._page.wait_for_timeout(5)


def main() -> int:
    """Return the exit status: 0 for any figures."""
    options = read_options()
    runs = list_runs(options.runs, options.iterations)
    with (
        open_directory() as scratch,
        run_embedded_postgres(options.directory or scratch / "postgres") as postgres,
    ):
        dsn = seed_runs(postgres, [*runs, *list_others(options.others, 1000)])
        settings = scratch / "lens_perf.toml"
        columns = (options.directory or scratch).resolve() / "columns"
        settings.write_text(SETTINGS.format(dsn=dsn, columns=columns), "utf-8")
        with run_gunicorn("wsgi:app", {"LENS_PERF_CONFIG": str(settings)}) as service, sync_playwright() as playwright:
            address = f"http://127.0.0.1:{service.port}"
            build_copies(address, runs)
            browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=ARGUMENTS)
            if "loading" in options.only:
                measure_loading(browser, address, runs, options.rounds)
            if "frames" in options.only:
                measure_frames(browser, address, runs, 10)
            if "following" in options.only:
                measure_following(browser, address, dsn, runs, options.minutes)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
