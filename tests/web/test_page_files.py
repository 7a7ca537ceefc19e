"""The files of the page: nothing inline, every module preloaded."""

import re

from tests.web.pages import WEB


def test_every_module_is_asked_for_at_once() -> None:
    """Not one after another, as each is found to import the next."""
    page = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    named = re.findall(
        r'<(?:link rel="modulepreload" href|script type="module" src)="assets/dashboard/(\w+\.js)"', page
    )
    assert sorted(named) == sorted(path.name for path in (WEB / "pages" / "dashboard").glob("*.js"))


def test_the_page_loads_nothing_inline() -> None:
    text = (WEB / "pages" / "dashboard.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son[a-z]+=", text)
    for path in (WEB / "pages" / "dashboard").glob("*.js"):
        assert "innerHTML" not in path.read_text("utf-8")
        assert path.read_text("utf-8").startswith("// ")
