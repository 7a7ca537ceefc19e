"""The dashboard: a static page and its modules, which request everything they show from the API."""

from pathlib import Path

from flask import Blueprint, Flask, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

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


def redirect_to_dashboard(app: Flask, url_prefix: str) -> None:
    """Redirect / to ``url_prefix``/, unless the dashboard is there."""

    def send_redirect() -> BaseResponse:
        # Relative, so that a forged Host header has no effect.
        return redirect(f"{url_prefix[1:]}/")

    if url_prefix:
        app.add_url_rule("/", "to_dashboard", send_redirect)


def _preload(module: Path) -> str:
    return f'<link rel="modulepreload" href="assets/dashboard/{module.name}">'
