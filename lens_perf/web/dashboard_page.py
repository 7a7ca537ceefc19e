"""The dashboard: a static page and its modules, which ask the API for everything they show."""

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

PAGES = Path(__file__).parent / "pages"
# Where the page is told the API's path from, relative to its own: both move together behind a proxy.
API_PLACE = "{{api}}"


def create_dashboard_blueprint(url_prefix: str, api: str) -> Blueprint:
    """Return the blueprint that serves ``url_prefix``/, for the API at ``url_prefix``/``api``."""
    dashboard = Blueprint("dashboard", __name__, url_prefix=url_prefix or None)
    page = (PAGES / "dashboard.html").read_text("utf-8").replace(API_PLACE, api)

    @dashboard.get("/")
    def show() -> Response:
        response = Response(page, mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @dashboard.get("/assets/<path:name>")
    def send_asset(name: str) -> Response:
        return send_from_directory(PAGES, name)

    return dashboard
