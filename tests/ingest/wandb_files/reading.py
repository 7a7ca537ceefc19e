"""Reads files that tests write, into observations or records."""

from typing import Any

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation, Record
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS, read_wandb_files
from tests.ingest.wandb_files.run_files import history, metric


def observe(*files: bytes, **options: Any) -> tuple[list[Observation | Mark], ReadSummary]:
    summary = ReadSummary()
    sources = [(f"{index}.wandb", [content]) for index, content in enumerate(files)]
    return list(read_wandb_files(sources, summary, **options)), summary


def put_together(*files: bytes, **options: Any) -> tuple[list[Record], ReadSummary]:
    summary = ReadSummary()
    sources = [(f"{index}.wandb", [content]) for index, content in enumerate(files)]
    observations = read_wandb_files(sources, summary, **options)
    records = assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD, metadata=METADATA_FIELDS)
    return [record for record in records if record is not None], summary


def rows(*values: dict[str, Any]) -> list[bytes]:
    return [history({"_step": step, **row}) for step, row in enumerate(values)]


def metrics(record: Record | Observation | Mark) -> dict[str, Any]:
    assert not isinstance(record, Mark)
    return {name: value for name, value in record.performance.items() if name not in METADATA_FIELDS}


# The rules of Hugging Face's Trainer.
HF = [metric("train/global_step"), metric(glob="*", step_metric="train/global_step")]
