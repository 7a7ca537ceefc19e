"""The end of ``--follow``: what was read is stored as by an import without it."""

from dataclasses import replace
from pathlib import Path

import pytest

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.kinds import SourceOptions, read_sources
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.recognition import Kind
from lens_perf.ingest.records import Mark, Observation, Record
from tests.ingest.event_files.written import frame, scalar

KERAS = "".join(f"Epoch {epoch}/3\n9/9 - 1s 5ms/step - loss: 0.{epoch}000\n" for epoch in (1, 2, 3))
LIGHTNING = "".join(f"\rEpoch 0:  9%|# | {batch}/3 [00:05<00:45,  2.00it/s, loss=0.{batch}]" for batch in (1, 2, 3))
TRAINER = "{'loss': 2.5, 'grad_norm': 1.0, 'epoch': 0.1}\n"
MEGATRON = "".join(f" iteration {step}/ 3 | lm loss: {step}.5 |\n" for step in (1, 2, 3))
FAIRSEQ = "".join(f'| train_inner | {{"num_updates": {step}, "loss": {step}.5}}\n' for step in (1, 2, 3))
MLPERF = ":::MLLOG " + '{"key": "tracked_stats", "time_ms": 1, "value": 2.5, "metadata": {"samples_count": 1}}\n'
FILES = [
    (Kind.LOG, KERAS, 3), (Kind.LOG, KERAS[:-4], 2), (Kind.LOG, LIGHTNING, 3), (Kind.LOG, TRAINER, 1),
    (Kind.LOG, MEGATRON, 3), (Kind.LOG, MEGATRON[:-1], 3), (Kind.LOG, MEGATRON[:-3], 2),
    (Kind.LOG, FAIRSEQ[:-3], 2), (Kind.LOG, MLPERF + MLPERF[:-9], 1), (Kind.LOG, FAIRSEQ[:-1], 3),
    (Kind.CSV, "step,loss\n1,2.5\n2,1.5", 2), (Kind.JSONL, '{"step": 1, "loss": 2.5}', 1),
    (Kind.TENSORBOARD, frame(scalar("loss", step, 1.5) for step in (1, 2)), 2),
]  # fmt: skip


def read_all(kind: Kind, path: Path, options: SourceOptions) -> tuple[list[Record], ReadSummary]:
    summary = ReadSummary()
    records = assemble(read_sources(kind, [path], summary, options), summary)
    return [record for record in records if record is not None], summary


@pytest.mark.parametrize(("kind", "content", "count"), FILES)
def test_what_was_read_is_finished(tmp_path: Path, kind: Kind, content: str | bytes, count: int) -> None:
    path = tmp_path / ("events.out.tfevents.1.host" if kind is Kind.TENSORBOARD else "a.txt")
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    options = SourceOptions(LogOptions(logging_steps=10))
    expected, whole = read_all(kind, path, options)
    assert len(expected) == count
    following = replace(options, follow=True)
    following.stopped.set()
    records, summary = read_all(kind, path, following)
    assert records == expected
    # The file may grow when the import is repeated.
    assert (summary.lost, summary.skipped) == ({}, whole.skipped | whole.lost)
    assert summary.notes == whole.notes


def test_nothing_is_dropped_when_the_signal_comes(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(MEGATRON)
    options = SourceOptions(follow=True)
    found = []
    for item in read_sources(Kind.LOG, [path], ReadSummary(), options):
        options.stopped.set()
        if isinstance(item, Observation):
            found.append(item.iteration)
            if item.iteration == 3:
                path.write_text(MEGATRON + MEGATRON.replace(" iteration ", " iteration 1"))
        else:
            assert item is Mark.PAUSE
    assert found == [1, 2, 3, 11, 12, 13]
