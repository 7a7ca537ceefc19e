"""Files that W&B's own program writes offline, and the order of a run's files."""

from pathlib import Path

import pytest

from lens_perf.errors import ImportInputError
from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.source_files import read_blocks
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS, order_wandb_files, read_wandb_files
from tests.ingest.wandb_files.reading import metrics
from tests.ingest.wandb_files.run_files import frame, log_with_wandb, other, run


def test_files_of_wandb_itself(tmp_path: Path) -> None:
    log = """
run.define_metric("train/global_step")
run.define_metric("train/*", step_metric="train/global_step")
for i in range(300):
    run.log({"train/global_step": 10 * i, "train/loss": i / 3, "nan": math.nan, "deep": {"a": {"b": -i}}, "on": True})
    if i == 100:
        run.log({"train/global_step": 10 * i, "eval/loss": math.inf})
"""
    log_with_wandb(tmp_path, log)
    (tmp_path / "typed").mkdir()
    typed = log_with_wandb(tmp_path / "typed", log, 'x_history_value_encoding="json,typed"')
    paths = sorted(tmp_path.rglob("*.wandb"))
    summary = ReadSummary()
    ordered = order_wandb_files(paths[::-1])
    assert ordered[-1:] == typed
    files = [(str(path), read_blocks(path, summary)) for path in ordered]
    reported = assemble(
        read_wandb_files(files, summary), summary, repetition=Repetition.ANOTHER_RECORD, metadata=METADATA_FIELDS
    )
    records = [record for record in reported if record is not None]
    assert [(record.serial, record.iteration) for record in records] == [
        (serial, 10 * step) for serial in (0, 1) for step in range(300)
    ]
    for record in records:
        step = record.iteration // 10  # type: ignore[operator]
        found = metrics(record)
        assert found.pop("_runtime") > 0
        evaluation = {"eval/loss": "Infinity"} if step == 100 else {}
        assert found == {
            "train/global_step": 10 * step, "train/loss": step / 3, "nan": "NaN", "deep.a.b": -step, **evaluation
        }  # fmt: skip
        assert record.performance["run_id"] == "run-of-test"
    assert summary.read == {"history rows": 602}
    assert not summary.damages


def test_the_order_of_files(tmp_path: Path) -> None:
    starts = {"offline-run-20260101_000000-a": 3_000_000_000, "run-20270101_000000-a": 0, "run-20200101_000000-a": 2}
    paths = [tmp_path / name / "run-a.wandb" for name in starts]
    for path, seconds in zip(paths, starts.values(), strict=True):
        path.parent.mkdir()
        path.write_bytes(frame([other("console"), *([run("a", seconds)] if seconds else [])]))
    assert order_wandb_files(paths) == [paths[2], paths[1], paths[0]]
    (tmp_path / "b.wandb").write_bytes(frame([run("b", 1)]))
    with pytest.raises(ImportInputError, match="of 2 runs, a, b: import each run as a workload of its own"):
        order_wandb_files([*paths, tmp_path / "b.wandb"])
    with pytest.raises(ImportInputError, match="cannot be read"):
        order_wandb_files([tmp_path / "nowhere.wandb"])
