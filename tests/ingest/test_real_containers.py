"""Real event files and W&B runs through the command line and the API, compared with the frameworks' own readers."""

import csv
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from flask import Flask
from tensorboard.backend.event_processing.event_accumulator import DEFAULT_SIZE_GUIDANCE, EventAccumulator

from tests.conftest import Ask
from tests.ingest.importing import Importer
from tests.ingest.wandb_files.test_real_runs import list_rows
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = [needs_real_data, pytest.mark.parametrize("postgres", [18], indirect=True)]

TWIN = " vs samples"


class Facts(NamedTuple):
    """The expected content of a directory by the data's README: records, iterations, scalars, restarts."""

    records: int
    first: int
    last: int
    scalars: int
    restarts: int = 0


EVENT_FILES = {
    "primus-torchtitan_20250815-0930": Facts(101, 1, 1000, 1414),
    "megatron-lm_gpt3-357m": Facts(400, 1, 100, 4 * 1136, 3),
    "jaxrl_humanoid-seed1": Facts(4411, 34, 999_999, 14_639),
    "keyword-transformer_repeated-steps": Facts(13_200, 400, 120_000, 13_200),
    "keras_with-graph": Facts(17, 0, 16, 102),
}


def read_with_tensorboard(directory: Path) -> dict[str, list[tuple[int, float]]]:
    """Return iteration and value of every finite point of the tags that are no twins, sorted."""
    accumulator = EventAccumulator(str(directory), size_guidance=dict.fromkeys(DEFAULT_SIZE_GUIDANCE, 0))
    accumulator.Reload()
    tags = [tag for tag in accumulator.Tags()["scalars"] if not tag.endswith(TWIN)]
    return {tag: sorted((event.step, event.value) for event in accumulator.Scalars(tag)) for tag in tags}


@pytest.mark.parametrize("name", EVENT_FILES)
def test_event_files(importer: Importer, ask: Ask, app: Flask, name: str) -> None:
    facts, directory = EVENT_FILES[name], REAL_DATA / "tensorboard" / name
    report = importer.run("auto", directory).report
    assert (report["kind"], report["data_source"]) == ("tensorboard", "tensorflow")
    read = report["read"]
    assert (read["records"], read["first_iteration"], read["last_iteration"], read["restarts"]) == (
        facts.records, facts.first, facts.last, facts.restarts
    )  # fmt: skip
    assert read["read"]["scalars"] == facts.scalars
    assert importer.run("tensorboard", directory).report["written"] == {
        "inserted": 0, "replaced": 0, "unchanged": facts.records
    }  # fmt: skip
    assert ask("sources")["data_sources"] == [{"name": "tensorflow", "count": facts.records}]
    points = ask("data", data_source="tensorflow")["data"]
    for tag, expected in read_with_tensorboard(directory).items():
        reported = sorted((point["iteration"], point["value"]) for point in points if point["metric_name"] == tag)
        assert reported == expected, tag


RUNS = {
    "cs336_resumed": Facts(32 + 4352, 0, 43_830, 0),
    "tevatron_hf-trainer": Facts(1053, 1, 1053, 0),
    "keyword-transformer_truncated": Facts(862, 0, 861, 0),
}


@pytest.mark.parametrize("name", RUNS)
def test_wandb_runs(importer: Importer, ask: Ask, app: Flask, name: str) -> None:
    facts, directory = RUNS[name], REAL_DATA / "wandb" / name
    outcome = importer.run("auto", directory)
    assert outcome.status == (3 if "truncated" in name else 0)
    read = outcome.report["read"]
    assert (read["records"], read["first_iteration"], read["last_iteration"], read["restarts"]) == (
        facts.records, facts.first, facts.last, facts.restarts
    )  # fmt: skip
    assert [damage["path"].endswith(".wandb") for damage in read["damages"]] == [True] * ("truncated" in name)
    assert importer.run("wandb", directory).report["written"]["unchanged"] == facts.records
    assert ask("sources")["data_sources"] == [{"name": "wandb", "count": facts.records}]
    points = ask("data", data_source="wandb")["data"]
    rows = list_rows(directory)
    names = {name for row in rows for name in row if not name.startswith("_")}
    assert {metric["name"] for metric in ask("available")["metrics"]} == names | {"_runtime"}
    for metric in names:
        reported = [point["value"] for point in points if point["metric_name"] == metric]
        assert reported == [row[metric] for row in rows if type(row.get(metric)) in (int, float)], metric


def test_a_run_without_history(importer: Importer, ask: Ask, app: Flask) -> None:
    outcome = importer.run("auto", REAL_DATA / "wandb/ai4bmr_no-history")
    assert outcome.status == 2
    assert "a row of history" in outcome.errors
    assert ask("sources")["total_count"] == 0


def test_a_chart_export(importer: Importer, ask: Ask, app: Flask) -> None:
    path = REAL_DATA / "wandb/nanogpt_chart-export.csv"
    report = importer.run("auto", path).report
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert (report["kind"], report["read"]["records"]) == ("wandb", len(rows))
    points = ask("data", data_source="wandb")["data"]
    for column in set(rows[0]) - {"Step"}:
        reported = [(point["iteration"], point["value"]) for point in points if point["metric_name"] == column]
        assert reported == [(int(row["Step"]), json.loads(row[column])) for row in rows if row[column]], column
