"""A dialect that an operator adds, from the settings to the API, and the message for a log in an unknown dialect."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Ask
from tests.ingest.importing import Importer

pytestmark = pytest.mark.parametrize("postgres", [18], indirect=True)

DIALECT = """
name = "trainlab"

[[form]]
name = "report"
lines = ["[trainlab] it={iteration} of {target}; {fields}"]
separator = ";"
assign = "="
names = { "xent" = "lm_loss", "sec" = { name = "elapsed_time_per_iteration_ms", factor = 1000 } }

[[form]]
name = "evaluation"
purpose = "evaluation"
lines = ["[trainlab] eval at {iteration}: {value lm loss}"]
name_prefix = "validation_"
"""
LOG = """starting
2026-02-01 10:00:00 [trainlab] it=1 of 2; xent=2.5; sec=1.5
2026-02-01 10:00:02 [trainlab] it=2 of 2; xent=2.25; sec=1.25
2026-02-01 10:00:03 [trainlab] eval at 2: 2.75
"""


@pytest.fixture
def own(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str) -> tuple[Importer, Path]:
    settings = write_settings(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"\n[imports]\ndialects = "dialects"')
    directory = settings.parent / "dialects"
    directory.mkdir()
    (directory / "trainlab.toml").write_text(DIALECT)
    log = settings.parent / "training.log"
    log.write_text(LOG)
    return Importer(settings, uid), log


def test_a_log_in_an_operators_dialect(own: tuple[Importer, Path], ask: Ask, app: Flask) -> None:
    importer, log = own
    outcome = importer.run("auto", log)
    assert outcome.status == 0
    assert outcome.report["read"]["notes"][:1] == ["read as log, in the dialect of trainlab"]
    points = {(each["iteration"], each["metric_name"]): each["value"] for each in ask("data")["data"]}
    assert points == {
        (1, "lm_loss"): 2.5, (1, "elapsed_time_per_iteration_ms"): 1500, (1, "target_iteration"): 2,
        (2, "lm_loss"): 2.25, (2, "elapsed_time_per_iteration_ms"): 1250, (2, "target_iteration"): 2,
        (2, "validation_lm_loss"): 2.75,
    }  # fmt: skip
    assert importer.run("log", log, options=("--json", "--dry-run")).report["read"]["records"] == 2


def test_a_dialect_that_is_wrong_is_named(own: tuple[Importer, Path]) -> None:
    importer, log = own
    path = log.parent / "dialects" / "trainlab.toml"
    path.write_text(DIALECT.replace("{target}", "{goal}"))
    outcome = importer.run("log", log)
    assert outcome.status == 2
    assert f"{path}: form report: lines: " in outcome.errors
    assert "{goal}: is not a placeholder" in outcome.errors


def test_the_error_lists_the_dialects_and_the_closest_line(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "unknown.log"
    path.write_text("starting\nstep 5 [loss 3.5]\n iteration 5 of 10 | lm loss: 3.5 |\n")
    outcome = importer.run("auto", path)
    assert outcome.status == 2
    assert "DeepSpeed, fairseq, Hugging Face Trainer, Keras" in outcome.errors
    assert (
        "nearest is the iteration line of Megatron-LM, by the line 'iteration 5 of 10 | lm loss: 3.5 |'"
        in outcome.errors
    )


def test_lost_values_are_status_3(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "training.log"
    path.write_text(" iteration 1/ 9 | lm loss: 1.5 |\n iteration 2/ 9 | lm loss: 2.5 | what is this |\n")
    outcome = importer.run("log", path)
    assert outcome.status == 3
    assert outcome.report["read"]["lost"] == {
        "parts of the iteration line that are not fields": {"count": 1, "examples": ["what is this"]}
    }
    assert outcome.report["written"]["inserted"] == 2
