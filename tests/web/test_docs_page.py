"""The docs page in a real Chromium: introduction, summaries, folded schemas, both themes."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.front.programs import needs
from tests.test_serving import on_one_version
from tests.web.pages import check_access
from tests.web_browser import open_page

pytestmark = needs("chromium")

# In Swagger UI, the row that unfolds an endpoint is a button that contains a link.
NESTED = "nested-interactive"


@on_one_version
@pytest.mark.parametrize(("scheme", "background"), [("light", "rgb(255, 255, 255)"), ("dark", "rgb(16, 21, 28)")])
def test_the_docs_page(address: str, workloads: list[str], scheme: Any, background: str) -> None:
    with open_page() as page:
        page.emulate_media(color_scheme=scheme)
        page.goto(f"{address}/lens/docs")
        introduction = page.locator(".info .description")
        for topic in ("clusters", "Limits", "Tokens", "CSV", "Errors"):
            expect(introduction).to_contain_text(topic)
        expect(introduction).to_contain_text("30 seconds (504 after that)")
        expect(page.get_by_text("List workloads, the most recently active first.")).to_be_visible()
        expect(page.locator(".models")).to_be_visible()
        expect(page.locator(".model-container")).to_have_count(0)
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
        check_access(page, NESTED)


@on_one_version
def test_every_endpoint_has_a_different_summary(client: Any) -> None:
    paths = client.get("/lens/openapi.json").json["paths"]
    summaries = [
        operation["summary"] for path in paths.values() for name, operation in path.items() if name in {"get", "post"}
    ]
    assert len(set(summaries)) == len(summaries)
    assert all(summary.split()[0] in {"Get", "List"} and summary.endswith(".") for summary in summaries), summaries
