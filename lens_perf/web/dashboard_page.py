"""The dashboard: a static page and its modules, which request everything they show from the API."""

from hashlib import sha256
from pathlib import Path

from flask import Blueprint, Flask, Response, redirect, send_from_directory
from werkzeug.wrappers import Response as BaseResponse

PAGES = Path(__file__).parent / "pages"
MODULES = PAGES / "dashboard"
# The page holds the API's path relative to its own: both move together behind a proxy.
API_PLACE = "{{api}}"
# The paths of all assets include a version that changes with their content, so that browsers need not revalidate each.
ASSETS_PLACE = "{{assets}}"
VERSION_LENGTH = 12
KEEP = "public, max-age=31536000, immutable"
# Every module is requested at once, not one after another as each is found to import the next.
MODULES_PLACE = "{{modules}}"


def create_dashboard_blueprint(url_prefix: str, api: str) -> Blueprint:
    """Return the blueprint that serves ``url_prefix``/, for the API at ``url_prefix``/``api``."""
    dashboard = Blueprint("dashboard", __name__, url_prefix=url_prefix or None)
    current = digest_assets(PAGES)
    modules = "\n    ".join(map(_preload, sorted(MODULES.glob("*.js"))))
    page = (PAGES / "dashboard.html").read_text("utf-8").replace(MODULES_PLACE, modules)
    page = page.replace(API_PLACE, api).replace(ASSETS_PLACE, f"assets/{current}")

    @dashboard.get("/")
    def show() -> Response:
        response = Response(page, mimetype="text/html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    @dashboard.get("/assets/<path:name>")
    @dashboard.get(f"/assets/<string(length={VERSION_LENGTH}):version>/<path:name>")
    def send_asset(name: str, version: str = "") -> Response:
        # While a new version of the service is rolled out, a page may ask a process that has another version.
        response = send_from_directory(PAGES, name)
        if version == current:
            response.headers["Cache-Control"] = KEEP
        return response

    return dashboard


def redirect_to_dashboard(app: Flask, url_prefix: str) -> None:
    """Redirect / to ``url_prefix``/, unless the dashboard is there."""

    def send_redirect() -> BaseResponse:
        # Relative, so that a forged Host header has no effect.
        return redirect(f"{url_prefix[1:]}/")

    if url_prefix:
        app.add_url_rule("/", "to_dashboard", send_redirect)


def _preload(module: Path) -> str:
    return f'<link rel="modulepreload" href="{ASSETS_PLACE}/dashboard/{module.name}" />'


def digest_assets(pages: Path) -> str:
    """Return the version of the assets in the directories of ``pages``."""
    digest = sha256()
    for path in sorted(pages.glob("*/*")):
        digest.update(path.relative_to(pages).as_posix().encode() + b"\0" + sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:VERSION_LENGTH]
