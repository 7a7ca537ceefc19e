"""The files of the page: nothing inline, every module preloaded, lines and files of a readable length."""

import re
from pathlib import Path

from flask.testing import FlaskClient

from tests.test_serving import on_one_version
from tests.web.pages import WEB

LONGEST_LINE = 120
MOST_LINES = 250


@on_one_version
def test_every_module_is_requested_at_once(client: FlaskClient) -> None:
    """Without preloading, the browser would discover them one after the other."""
    page = client.get("/lens/").text
    named = set(re.findall(r'<link rel="modulepreload" href="assets/dashboard/(\w+\.js)"', page))
    assert named == {path.name for path in (WEB / "pages" / "dashboard").glob("*.js")}


def test_the_page_loads_nothing_inline() -> None:
    text = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    for path in (WEB / "pages" / "dashboard").glob("*.js"):
        assert "innerHTML" not in path.read_text("utf-8")
        assert path.read_text("utf-8").startswith("// ")


def test_lines_and_files_are_short() -> None:
    """Prettier wraps code at 120 characters, but neither comments nor texts."""
    pages = [path for path in (WEB / "pages").rglob("*.*") if path.suffix in {".html", ".css", ".js"}]
    for path in (*pages, *Path(__file__).parent.rglob("*.mjs")):
        if path.is_relative_to(WEB / "pages" / "vendor"):
            continue
        lines = path.read_text("utf-8").splitlines()
        assert len(lines) <= MOST_LINES, path
        assert max(map(len, lines)) <= LONGEST_LINE, path


@on_one_version
def test_the_root_leads_to_the_dashboard(client: FlaskClient) -> None:
    response = client.get("/", headers={"Host": "forged.example"})
    assert (response.status_code, response.headers["Location"]) == (302, "lens/")
    assert client.get("/", follow_redirects=True).text == client.get("/lens/").text
