"""The files of the page: nothing inline, every module preloaded."""

import re

from flask.testing import FlaskClient

from tests.test_serving import on_one_version
from tests.web.pages import WEB


@on_one_version
def test_every_module_is_requested_at_once(client: FlaskClient) -> None:
    """Not one after another, as each is found to import the next."""
    page = client.get("/lens/").text
    named = set(re.findall(r'<link rel="modulepreload" href="assets/dashboard/(\w+\.js)"', page))
    assert named == {path.name for path in (WEB / "pages" / "dashboard").glob("*.js")}


def test_the_page_loads_nothing_inline() -> None:
    text = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    for path in (WEB / "pages" / "dashboard").glob("*.js"):
        assert "innerHTML" not in path.read_text("utf-8")
        assert path.read_text("utf-8").startswith("// ")
