"""Every dialect with a sample of its lines and the expected records. To add a dialect, add a sample."""

import json
from pathlib import Path

import pytest

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.logs.evidence import recognise
from lens_perf.ingest.logs.lines import split_whole_lines
from lens_perf.ingest.logs.metric_names import spell_name
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary

SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.log"))
# Programs that print lines in the dialect of another one.
DESCENDANTS = {"primus": "Megatron-LM", "gpt-neox": "Megatron-LM"}


def read_sample(path: Path) -> list[list[object]]:
    summary = ReadSummary()
    records = list(assemble(read_log(split_whole_lines([path.read_bytes()]), summary), summary))
    return [
        [each.serial, each.iteration, each.created_at and each.created_at.isoformat(), dict(each.performance)]
        for each in records
        if each is not None
    ]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_sample(path: Path) -> None:
    assert read_sample(path) == json.loads(path.with_suffix(".json").read_text("utf-8"))


def test_every_dialect_has_a_sample() -> None:
    dialects = load_built_in_dialects()
    chosen = {path.stem: recognise(dialects, path.read_bytes()) for path in SAMPLES}
    expected = {spell_name(dialect.name).replace("_", "-"): dialect.name for dialect in dialects} | DESCENDANTS
    assert {stem: dialect and dialect.name for stem, dialect in chosen.items()} == expected
