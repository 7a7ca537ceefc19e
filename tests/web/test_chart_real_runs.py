"""The charts of real training output: four attempts in one log, a NaN, a resumed run of W&B."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.front.programs import needs
from tests.ingest.importing import Importer
from tests.real_data import REAL_DATA, needs_real_data
from tests.test_serving import on_one_version
from tests.web.chart_pages import chart, hover, open_view, read_tooltip
from tests.web.pages import check_access
from tests.web_browser import open_page

pytestmark = [needs("chromium"), needs_real_data]


@pytest.fixture
def importer(postgres: EmbeddedPostgres, tmp_path: Path, uid: str) -> Importer:
    """An importer for the cluster of the service at ``address``."""
    settings = tmp_path / "import.toml"
    settings.write_text(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"\n', "utf-8")
    return Importer(settings, uid)


@on_one_version
def test_four_attempts(address: str, importer: Importer, uid: str) -> None:
    name = REAL_DATA / "log" / "megatron-core_4-runs-in-one-file.out.gz"
    assert importer.run("log", name).status == 0
    with open_page() as page:
        open_view(page, address, [uid])
        assert chart(page).get_attribute("data-metrics") == "lm_loss"
        expect(chart(page).locator(".notes")).to_contain_text("3 restarts")
        expect(chart(page).locator(".notes")).to_contain_text("discarded")
        hover(chart(page))
        assert [row[0] for row in read_tooltip(chart(page))].count(f"{uid} (discarded)") == 3
        open_view(page, address, [uid], ("m", "lm_loss"), ("attempts", f"1,2,3,4@alpha/{uid}"))
        hover(chart(page))
        assert len(read_tooltip(chart(page))) == 4
        looks = (
            chart(page)
            .locator(".tooltip tr:not([hidden]) line")
            .evaluate_all(
                "(lines) => lines.map((line) => line.getAttribute('stroke') + line.getAttribute('stroke-dasharray'))"
            )
        )
        assert len(set(looks)) == 4
        check_access(page)


@on_one_version
def test_a_norm_that_is_nan(address: str, importer: Importer, uid: str) -> None:
    assert importer.run("log", REAL_DATA / "dialects" / "megatron-core_grad-norm-nan.out").status == 0
    with open_page() as page:
        open_view(page, address, [uid], ("m", "grad_norm"))
        expect(chart(page).locator(".notes")).to_contain_text("1 \u00d7 NaN")
        hover(chart(page), 0.001)
        expect(chart(page).locator(".tooltip .at")).to_have_text("1")


@on_one_version
def test_a_resumed_run_of_a_tracker(address: str, importer: Importer, uid: str) -> None:
    parts = sorted((REAL_DATA / "wandb" / "cs336_resumed").rglob("*.wandb"))
    assert importer.run("wandb", *parts).status == 0
    with open_page() as page:
        open_view(page, address, [uid])
        shown = [each.get_attribute("data-metrics") or "" for each in page.locator("figure.chart").all()]
        assert any("loss" in each for each in shown)
        assert not any(name.startswith("_") for each in shown for name in each.split())
        hover(chart(page), 0.9)
        assert read_tooltip(chart(page))
