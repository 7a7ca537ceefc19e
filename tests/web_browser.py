"""A real Chromium for the tests of pages."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.front.programs import find_program

# No sandbox, because it does not work for root; the other options prevent requests to the vendor.
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

# Several browsers, servers and databases may share two cores.
expect.set_options(timeout=30_000)


class SharedBrowser:
    """A browser that starts with the first page, and serves all until it is closed: a start takes a second."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._parts = ExitStack()
        self._browser: Browser | None = None

    def get(self) -> Browser:
        """Return the browser. Where Chromium is not installed, the test is skipped."""
        if self._browser is None:
            executable = find_program("chromium")
            playwright = self._parts.enter_context(sync_playwright())
            self._browser = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
            self._parts.callback(self._browser.close)
        return self._browser

    def close(self) -> None:
        """End the browser, and the loop of events that it needs in this thread."""
        self._browser = None
        self._parts.close()


browser = SharedBrowser()


@contextmanager
def open_page(tolerated: str | None = None) -> Iterator[Page]:
    """Open an empty page that shares nothing with others.

    Requests to other hosts, and errors that it logs, fail the test. Errors that begin with ``tolerated`` are
    ignored.
    """
    faults: list[str] = []
    with browser.get().new_context(viewport={"width": 1280, "height": 900}) as context:
        page = context.new_page()
        page.on("request", lambda request: faults.append(request.url) if not _is_local(request.url) else None)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        # What a test still holds back must not disturb the next one.
        page.unroute_all(behavior="ignoreErrors")
    faults = [fault for fault in faults if tolerated is None or not fault.startswith(tolerated)]
    assert faults == [], faults


def _is_local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1:", "data:", "blob:"))
