"""Real runs of W&B, compared value by value with the SDK's messages, and a real exported chart."""

import csv
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wandb.proto.wandb_internal_pb2 import Record as Message

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Record
from lens_perf.ingest.source_files import read_blocks
from lens_perf.ingest.wandb_files.chart_export import looks_like_chart_export, read_chart_export
from lens_perf.ingest.wandb_files.framing import RecordSplitter
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS, order_wandb_files, read_wandb_files
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = needs_real_data
RUNS = REAL_DATA / "wandb"
RESUMED, TEVATRON = RUNS / "cs336_resumed", RUNS / "tevatron_hf-trainer"
TRUNCATED, WITHOUT_HISTORY = RUNS / "keyword-transformer_truncated", RUNS / "ai4bmr_no-history"
CHART = RUNS / "nanogpt_chart-export.csv"
ALL_RUNS = [RESUMED, TEVATRON, TRUNCATED, WITHOUT_HISTORY]


def read(directory: Path, **options: Any) -> tuple[list[Record], ReadSummary]:
    paths = order_wandb_files(sorted(directory.rglob("*.wandb"), reverse=True))
    summary = ReadSummary()
    observations = read_wandb_files([(str(path), read_blocks(path, summary)) for path in paths], summary, **options)
    records = assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD, metadata=METADATA_FIELDS)
    return [record for record in records if record is not None], summary


def read_messages(directory: Path) -> list[Message]:
    messages = []
    for path in sorted(directory.rglob("*.wandb")):
        splitter = RecordSplitter(str(path), ReadSummary())
        messages += [Message.FromString(record) for record in splitter.feed(path.read_bytes())]
    return messages


def list_rows(directory: Path) -> list[dict[str, Any]]:
    return [
        {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in message.history.item}
        for message in read_messages(directory)
        if message.HasField("history")
    ]


@pytest.mark.parametrize(
    ("directory", "count", "iterations", "axis"),
    [
        (RESUMED, 32 + 4352, range(0, 43831, 10), "_step"),
        (TEVATRON, 1053, range(1, 1054), "train/global_step"),
        (TRUNCATED, 862, range(862), "_step"),
        (WITHOUT_HISTORY, 0, range(0), None),
    ],
)  # fmt: skip
def test_every_value_of_every_row(directory: Path, count: int, iterations: range, axis: str | None) -> None:
    records, summary = read(directory)
    assert [(record.serial, record.iteration, record.ordinal) for record in records] == [
        (0, iteration, 0) for iteration in iterations
    ]
    rows = list_rows(directory)
    assert len(rows) == summary.read["history rows"] == summary.records == count
    for record, row in zip(records, rows, strict=True):
        step, timestamp = row.pop("_step"), row.pop("_timestamp")
        assert record.created_at == datetime.fromtimestamp(timestamp, UTC)
        assert record.performance["step"] == step
        found = {name: value for name, value in record.performance.items() if name not in METADATA_FIELDS}
        assert repr(sorted(found.items())) == repr(sorted(row.items()))
    assert not summary.skipped
    assert summary.notes[0].startswith(f"the iteration is {axis}, " if axis else "the run logged no history")


def test_files_that_end_inside_a_record() -> None:
    """Also the run without history: its only block ends with the first chunk of an incomplete record."""
    for directory, byte in ((TRUNCATED, 335628), (WITHOUT_HISTORY, 32536)):
        _, summary = read(directory)
        assert [(damage.byte, damage.finding) for damage in summary.damages] == [(byte, "ends inside a record")]
    for directory in (RESUMED, TEVATRON):
        assert not read(directory)[1].damages


def test_the_truncated_run() -> None:
    records, summary = read(TRUNCATED, step_metric="Training/step")
    # The first row has no Training/step, and is the only one to lack the two metrics of training.
    assert [record.iteration for record in records] == [None, *range(1, 862)]
    assert summary.metrics["Training/loss"] == summary.metrics["Training/accuracy"] == 861
    assert summary.metrics["Validation/accuracy"] == 862


@pytest.mark.parametrize("directory", ALL_RUNS)
def test_no_data_about_people_and_machines(directory: Path) -> None:
    """No console output, name of a host or person, or e-mail address is returned."""
    private: set[str] = set()
    for message in read_messages(directory):
        texts = [message.run.host, message.run.display_name, message.output.line, message.output_raw.line,
                 message.environment.host, message.environment.email, message.environment.executable]  # fmt: skip
        private.update(line.strip() for text in texts for line in text.splitlines())
    private = {text for text in private if len(text) > 5 and re.search("[A-Za-z]{3}", text)}
    assert private
    records, summary = read(directory)
    known = {text for path in directory.rglob("*") for text in path.parts}  # the paths of damages
    reported = f"{[record.performance for record in records]}\n{summary.format()}\n{summary.as_json()}"
    assert not [text for text in private - known if text in reported]
    assert "@" not in reported


def test_an_exported_chart() -> None:
    lines = CHART.read_text().splitlines()
    assert looks_like_chart_export(lines[0])
    summary = ReadSummary()
    observations = list(read_chart_export(lines, summary, str(CHART)))
    rows = list(csv.DictReader(lines))
    assert [each.iteration for each in observations] == [int(row["Step"]) for row in rows] == list(range(386))
    for observation, row in zip(observations, rows, strict=True):
        cells = {name: float(cell) for name, cell in row.items() if cell and name != "Step"}
        assert observation.performance == cells
    assert sum(len(each.performance) for each in observations) == 386 * 24 - 5712
    assert not summary.damages
