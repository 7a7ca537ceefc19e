"""The files of the page: nothing inline, every module preloaded, lines and files of a readable length."""

import re
from pathlib import Path
from shutil import copytree

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.web import dashboard_page
from lens_perf.web.dashboard_page import digest_assets, read_assets
from tests.test_serving import on_one_version
from tests.web.pages import WEB

KEEP = "public, max-age=31536000, immutable"
LONGEST_LINE = 120
MOST_LINES = 250


@on_one_version
def test_every_module_is_requested_at_once(client: FlaskClient) -> None:
    """Without preloading, the browser would discover them one after the other."""
    page = client.get("/lens/").text
    named = set(re.findall(r'<link rel="modulepreload" href="assets/\w+/dashboard/(\w+\.js)"', page))
    assert named == {path.name for path in (WEB / "pages" / "dashboard").glob("*.js")}


@on_one_version
def test_browsers_keep_the_assets_of_a_version(client: FlaskClient) -> None:
    """The page itself is revalidated, so a new version of the service is loaded at once."""
    page = client.get("/lens/")
    assert page.headers["Cache-Control"] == "no-cache"
    loaded = re.findall(r'(?:href|src)="(assets/[^"]+)"', page.text)
    assert loaded
    for path in loaded:
        with client.get(f"/lens/{path}") as response:
            assert (response.status_code, response.headers["Cache-Control"]) == (200, KEEP), path


@on_one_version
def test_assets_of_another_version_are_not_kept(client: FlaskClient) -> None:
    """A page of another process can ask for them while a new version is rolled out."""
    for path in ("assets/dashboard/main.js", "assets/0123456789ab/dashboard/main.js"):
        with client.get(f"/lens/{path}") as response:
            assert (response.status_code, response.headers["Cache-Control"]) == (200, "no-cache"), path
    assert client.get("/lens/assets/0123456789ab/dashboard/no_such.js").status_code == 404


def test_the_version_of_the_assets_changes_with_their_content(tmp_path: Path) -> None:
    copytree(dashboard_page.PAGES, tmp_path, dirs_exist_ok=True)
    before = digest_assets(read_assets(dashboard_page.PAGES))
    assert digest_assets(read_assets(tmp_path)) == before
    with (tmp_path / "dashboard" / "main.js").open("a") as file:
        file.write("\n")
    assert digest_assets(read_assets(tmp_path)) != before


def test_a_running_service_keeps_its_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files of a checkout are replaced before its processes are restarted."""
    copytree(dashboard_page.PAGES, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(dashboard_page, "PAGES", tmp_path)
    app = Flask(__name__)
    app.register_blueprint(dashboard_page.create_dashboard_blueprint("", "v1"))
    (tmp_path / "dashboard" / "main.js").write_text("another version")
    loaded = re.findall(r'src="(assets/[^"]+/main.js)"', app.test_client().get("/").text)
    assert "another version" not in app.test_client().get(f"/{loaded[0]}").text


@on_one_version
def test_assets_are_revalidated_and_templates_are_none(client: FlaskClient) -> None:
    path = "/lens/assets/dashboard/main.js"
    first = client.get(path)
    assert first.mimetype == "text/javascript"
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/lens/assets/dashboard.html").status_code == 404


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
