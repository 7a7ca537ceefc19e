"""The page over real training output, imported as users import it: attempts, NaN, many metrics, one point, no times."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from playwright.sync_api import expect

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.front.programs import needs
from tests.real_data import REAL_DATA, needs_real_data
from tests.test_serving import on_one_version
from tests.web.pages import check_access, row_of, wait_for_charts
from tests.web_browser import open_page

pytestmark = [needs("chromium"), needs_real_data]

Import = Callable[..., None]


@pytest.fixture
def import_file(postgres: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    """Import a file below ``real`` as a workload."""
    settings = tmp_path / "writer.toml"
    settings.write_text(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"\n', "utf-8")
    monkeypatch.setenv("LENS_PERF_CONFIG", str(settings))

    def run(name: str, uid: str, *options: str) -> None:
        result = CliRunner().invoke(main, ["import", "auto", str(REAL_DATA / name), "--workload", uid, *options])
        assert result.exit_code in {0, 3}, result.output

    return run


@on_one_version
def test_four_attempts_are_counted_alike_in_table_and_chart(address: str, uid: str, import_file: Import) -> None:
    import_file("log/megatron-core_4-runs-in-one-file.out.gz", uid)
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}")
        wait_for_charts(page)
        row = row_of(page, uid)
        expect(row).to_contain_text("Finished")
        expect(row).to_contain_text("300 / 300")
        cost = "3 restarts; iterations redone: 900; time lost: 37 min 41 s"
        expect(row.locator(f"td[title='{cost}']")).to_have_text("3")
        expect(page.locator("figure.chart").first).to_contain_text("3 restarts")
        page.get_by_role("button", name=f"4 attempts of {uid}").click()
        rows = page.locator("#runs tr.of-attempts")
        expect(rows).to_have_count(5)
        expect(rows.nth(1)).to_contain_text("1 to 300 discarded")
        page.get_by_role("checkbox", name="Draw attempts apart").check()
        wait_for_charts(page)
        expect(page.locator("figure.chart").first).to_contain_text("3 restarts")
        check_access(page)


@on_one_version
def test_event_files_of_four_attempts(address: str, uid: str, import_file: Import) -> None:
    import_file("tensorboard/megatron-lm_gpt3-357m", uid)
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}")
        wait_for_charts(page)
        expect(page.get_by_role("button", name=f"4 attempts of {uid}")).to_be_visible()
        expect(page.locator("figure.chart").first).to_contain_text("3 restarts")


@on_one_version
def test_a_log_without_times_and_one_with_a_nan(address: str, uid: str, import_file: Import) -> None:
    import_file("dialects/megatron-deepspeed-2021_timers.out", f"{uid}-timeless")
    import_file("dialects/megatron-core_grad-norm-nan.out", f"{uid}-nan")
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}-timeless&w=alpha/{uid}-nan&m=lm_loss&m=grad_norm")
        wait_for_charts(page)
        timeless = row_of(page, f"{uid}-timeless")
        expect(timeless).to_contain_text("No times")
        expect(timeless).to_contain_text("62")
        expect(row_of(page, f"{uid}-nan")).to_contain_text("Finished")
        expect(page.locator("figure.chart").nth(1)).to_contain_text("1 \u00d7 NaN")
        expect(page.get_by_text("1970")).to_have_count(0)
        expect(page).to_have_title(re.compile("^1 finished"))
