"""The dashboard: a static page and its modules, which request everything they show from the API."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

PAGES = Path(__file__).parent / "pages"
MODULES = PAGES / "dashboard"
# The page holds the API's path relative to its own: both move together behind a proxy.
API_PLACE = "{{api}}"
# Every module is requested at once, not one after another as each is found to import the next.
MODULES_PLACE = "{{modules}}"


def create_dashboard_blueprint(url_prefix: str, api: str) -> Blueprint:
    """Return the blueprint that serves ``url_prefix``/, for the API at ``url_prefix``/``api``."""
    dashboard = Blueprint("dashboard", __name__, url_prefix=url_prefix or None)
    page = (PAGES / "dashboard.html").read_text("utf-8")
    page = page.replace(API_PLACE, api).replace(MODULES_PLACE, "\n  ".join(map(_preload, sorted(MODULES.glob("*.js")))))

    @dashboard.get("/")
    def show() -> Response:
        response = Response(page, mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @dashboard.get("/assets/<path:name>")
    def send_asset(name: str) -> Response:
        return send_from_directory(PAGES, name)

    return dashboard


def _preload(module: Path) -> str:
    return f'<link rel="modulepreload" href="assets/dashboard/{module.name}">'
