"""Reads the lines of a log like an import does, for tests."""

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Record


def read(*lines: str, options: LogOptions | None = None) -> tuple[list[Record], ReadSummary]:
    summary = ReadSummary()
    chunk = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
    records = assemble(read_log([chunk], summary, options), summary)
    return [record for record in records if record is not None], summary


def line(iteration: int, fields: str = "lm loss: 1.5E+00 |", prefix: str = "") -> str:
    return f"{prefix} iteration {iteration:8d}/     100 | {fields}"
