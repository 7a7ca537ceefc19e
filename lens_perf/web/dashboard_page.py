"""The dashboard: a static page and its modules, which request everything they show from the API."""

from collections.abc import Mapping
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, redirect, request
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
    # In memory, because the files of a running service may be replaced by those of another version.
    assets = read_assets(PAGES)
    current = digest_assets(assets)
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
    def send_asset(name: str, version: str = "") -> BaseResponse:
        if name not in assets:
            abort(404)
        response = Response(assets[name], mimetype=guess_type(name)[0] or "text/plain")
        response.add_etag()
        # While a new version of the service is rolled out, a page may ask a process that has another version.
        if version == current:
            response.headers["Cache-Control"] = KEEP
        return response.make_conditional(request)

    return dashboard


def read_assets(pages: Path) -> Mapping[str, bytes]:
    """Return the content of the files in the directories of ``pages`` by their relative paths."""
    return {path.relative_to(pages).as_posix(): path.read_bytes() for path in sorted(pages.glob("*/*"))}


def digest_assets(assets: Mapping[str, bytes]) -> str:
    """Return the version of ``assets``."""
    digest = sha256()
    for name, content in assets.items():
        digest.update(name.encode() + b"\0" + sha256(content).digest())
    return digest.hexdigest()[:VERSION_LENGTH]


def redirect_to_dashboard(app: Flask, url_prefix: str) -> None:
    """Redirect / to ``url_prefix``/, unless the dashboard is there."""

    def send_redirect() -> BaseResponse:
        # Relative, so that a forged Host header has no effect.
        return redirect(f"{url_prefix[1:]}/")

    if url_prefix:
        app.add_url_rule("/", "to_dashboard", send_redirect)


def _preload(module: Path) -> str:
    return f'<link rel="modulepreload" href="{ASSETS_PLACE}/dashboard/{module.name}" />'
