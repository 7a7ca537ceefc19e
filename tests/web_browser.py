"""A real Chromium for the tests of pages."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, expect, sync_playwright

from tests.front.programs import find_program

# No sandbox, because it does not work for root; the other options prevent requests to the vendor.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

# Several browsers, servers and databases may share two cores.
expect.set_options(timeout=30_000)


@contextmanager
def open_page(tolerated: str | None = None) -> Iterator[Page]:
    """Open an empty page. Requests to other hosts, and errors that it logs, fail the test.

    Errors that begin with ``tolerated`` are ignored.
    """
    executable = find_program("chromium")
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.on("request", lambda request: faults.append(request.url) if not _is_local(request.url) else None)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        browser.close()
    faults = [fault for fault in faults if tolerated is None or not fault.startswith(tolerated)]
    assert faults == [], faults


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))
