"""The OpenAPI page: Swagger UI as flask-swagger-ui ships it, behind a page of its own without inline script."""

from pathlib import Path

import flask_swagger_ui
from flask import Blueprint, Response, send_from_directory

PAGES = Path(__file__).parent / "pages"
SWAGGER_UI = Path(flask_swagger_ui.__file__).parent / "dist"


def create_docs_blueprint(url_prefix: str) -> Blueprint:
    """Return the blueprint that serves ``url_prefix``/docs and what the page loads."""
    docs = Blueprint("docs", __name__, url_prefix=url_prefix or None)

    @docs.get("/docs")
    def show() -> Response:
        return send_from_directory(PAGES, "docs.html")

    @docs.get("/docs/<any('docs.js', 'docs_theme.js', 'docs.css'):name>")
    def send_own(name: str) -> Response:
        return send_from_directory(PAGES, name)

    @docs.get("/docs/assets/<path:name>")
    def send_asset(name: str) -> Response:
        return send_from_directory(SWAGGER_UI, name)

    return docs
