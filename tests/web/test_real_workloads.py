"""The page with real training output, imported with the command: attempts, NaN, many metrics, one point, no times."""

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
from tests.web.chart_pages import chart, colour_of, count_pixels, hover, read_tooltip
from tests.web.pages import check_access, row_of, wait_for_charts
from tests.web_browser import open_page

pytestmark = [needs("chromium"), needs_real_data]

Import = Callable[..., None]
# The year as a word of its own: the random uid of another workload in the list may contain these digits.
EPOCH = re.compile(r"\b1970\b")


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
def test_four_attempts_have_the_same_numbers_in_table_and_chart(address: str, uid: str, import_file: Import) -> None:
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
        expect(page.get_by_text(EPOCH)).to_have_count(0)
        expect(page).to_have_title(re.compile("^1 finished"))


def read_log(name: str) -> list[str]:
    return (REAL_DATA / name).read_text("utf-8").splitlines(keepends=True)


ITERATION = re.compile(r"iteration +(\d+)/")


@on_one_version
def test_a_run_whose_last_values_are_nan(address: str, uid: str, tmp_path: Path, import_file: Import) -> None:
    """A real log of 50 iterations, of which the last ten lose their loss."""

    def spoil(line: str) -> str:
        found = ITERATION.search(line)
        return re.sub(r"lm loss: \S+", "lm loss: nan", line) if found and int(found[1]) > 40 else line

    spoiled = tmp_path / "nan.log"
    spoiled.write_text("".join(map(spoil, read_log("log/primus-megatron_50it.log"))), "utf-8")
    import_file(str(spoiled), uid)
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}&m=lm_loss")
        wait_for_charts(page)
        state = row_of(page, uid).locator(".state-cell")
        expect(state).to_have_text("Finished, loss not finite")
        expect(state).to_have_class(re.compile("trouble"))
        expect(state).to_have_attribute("title", re.compile("lm_loss is not finite since iteration 41"))
        expect(row_of(page, uid)).to_contain_text("not finite")
        expect(chart(page).locator(".notes")).to_contain_text("10 \u00d7 NaN")
        hover(chart(page), 0.999)
        expect(chart(page).locator(".tooltip .at")).to_have_text("50")
        expect(chart(page).locator(".tooltip .value").first).to_have_text("NaN")
        expect(page).to_have_title(re.compile("\u26a0"))


@on_one_version
def test_one_point(address: str, uid: str, tmp_path: Path, import_file: Import) -> None:
    """A real log that ends after its first iteration."""
    lines = read_log("log/primus-megatron_50it.log")
    first = next(place for place, line in enumerate(lines) if ITERATION.search(line))
    (tmp_path / "one.log").write_text("".join(lines[: first + 1]), "utf-8")
    import_file(str(tmp_path / "one.log"), uid)
    with open_page() as page:
        page.goto(f"{address}/lens/#w=alpha/{uid}&m=lm_loss&axis=time")
        wait_for_charts(page)
        expect(row_of(page, uid)).to_contain_text("1 / 50")
        assert count_pixels(chart(page), colour_of(page, uid)) >= 8
        page.get_by_label("X axis").select_option("iteration")
        wait_for_charts(page)
        assert count_pixels(chart(page), colour_of(page, uid)) >= 8
        hover(chart(page))
        assert [row[1] for row in read_tooltip(chart(page))] == ["11.898"]
        expect(page.get_by_text(EPOCH)).to_have_count(0)


@on_one_version
def test_seventy_metrics(address: str, uid: str, import_file: Import) -> None:
    """The metrics of five real runs in one panel."""
    names = {
        "primus": "log/primus-megatron_mi355x_deepseek-v2-lite.log",
        "timers": "dialects/megatron-deepspeed-2021_timers.out",
        "skips": "dialects/megatron-lm-2021_fp16-skips.out",
        "star": "hf/star_trainer_state.json",
        "titan": "tensorboard/primus-torchtitan_20250815-0930",
    }
    for name, file in names.items():
        import_file(file, f"{uid}-{name}")
    with open_page() as page:
        page.goto(f"{address}/lens/#{'&'.join(f'w=alpha/{uid}-{name}' for name in names)}")
        wait_for_charts(page)
        expect(chart(page)).to_have_attribute("data-metrics", re.compile("loss"))
        panel = page.locator("#metrics-panel")
        count = re.compile(r"\d+ of (\d+)")
        expect(panel.locator("summary").first).to_have_text(count)
        found = count.search(panel.locator("summary").first.inner_text())
        assert found
        assert int(found[1]) >= 70
        panel.get_by_label("Find metrics").fill("/^(lm|moe)_.*loss/")
        expect(panel.locator("#metrics li").first).to_be_visible()
        shown = panel.locator("#metrics li").all_inner_texts()
        assert 0 < len(shown) < 10
        panel.get_by_role("button", name="Select matching").click()
        wait_for_charts(page)
        panel.get_by_label("Find metrics").fill("")
        expect(panel.locator("#metrics li")).to_have_count(int(found[1]))
        check_access(page)
