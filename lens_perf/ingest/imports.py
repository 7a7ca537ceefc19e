"""Runs an import: reads files of a kind into records of a workload, and stores or only counts them."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lens_perf.errors import ImportInputError
from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.kinds import SourceOptions, read_sources
from lens_perf.ingest.read_summary import ReadSummary, format_count
from lens_perf.ingest.recognition import DATA_SOURCES, STANDARD_INPUT, Kind, choose_kind
from lens_perf.ingest.record_writer import WriteSummary, batch_records
from lens_perf.ingest.storable_names import keep_names_storable
from lens_perf.ingest.stores import Connect, Destination, Store, Warn, open_no_store, open_patient_store, open_store
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS

INCOMPLETE = 3

# In a log, an iteration that is reported again was trained again; in other inputs a metric may have several values for
# one iteration, for example of a second evaluation.
REPETITIONS = {
    Kind.LOG: Repetition.RESTART,
    Kind.HUGGINGFACE: Repetition.ANOTHER_RECORD,
    Kind.TENSORBOARD: Repetition.ANOTHER_RECORD,
    Kind.WANDB: Repetition.ANOTHER_RECORD,
    Kind.CSV: Repetition.ANOTHER_RECORD,
    Kind.JSONL: Repetition.ANOTHER_RECORD,
}


@dataclass(frozen=True)
class ImportJob:
    """The files to import, and the workload; with ``kind`` None, the content decides."""

    paths: Sequence[Path]
    workload_uid: str
    kind: Kind | None = None
    first_serial: int = 0
    options: SourceOptions = field(default_factory=SourceOptions)


@dataclass(frozen=True)
class ImportReport:
    """The result of an import; ``str()`` formats it for people. ``written`` is None after a dry run."""

    kind: Kind
    read: ReadSummary
    written: WriteSummary | None

    @property
    def status(self) -> int:
        """The exit status of the command: 0, or 3 if the input is damaged or values were lost."""
        return 0 if self.read.is_complete else INCOMPLETE

    def as_json(self) -> dict[str, Any]:
        """Return the report as an object for scripts."""
        return {
            "kind": self.kind.value,
            "data_source": DATA_SOURCES[self.kind],
            "read": self.read.as_json(),
            "written": asdict(self.written) if self.written else None,
        }

    def __str__(self) -> str:
        wrote = self.written.format() if self.written else "wrote nothing (dry run)"
        return f"{self.read.format()}\n{wrote}"


def run_import(job: ImportJob, connect: Connect | None, warn: Warn = lambda _: None) -> ImportReport:
    """Read the files of ``job`` and store their records, in batches; without ``connect``, only count them.

    While following a file or a pipe, it waits for a database that cannot be reached, and calls ``warn``. Raises
    ImportInputError if nothing can be read or restarts exceed the largest serial, and ClusterError if the cluster
    cannot be written to.
    """
    summary, written = ReadSummary(), WriteSummary() if connect else None
    kind = job.kind
    if kind is None:
        choice = choose_kind(job.paths, job.options.log.dialects)
        kind = choice.kind
        if choice.reason is not None:
            summary.note(f"read as {kind}: {choice.reason}")
    observations = keep_names_storable(read_sources(kind, job.paths, summary, job.options), summary)
    records = assemble(
        observations,
        summary,
        first_serial=job.first_serial,
        repetition=REPETITIONS[kind],
        metadata=METADATA_FIELDS if kind is Kind.WANDB else frozenset(),
    )
    with _open_store(job, kind, connect, written, warn) as store:
        for batch in batch_records(records):
            store(batch)
    if summary.without_time and job.options.log.start_time is not None:
        untimed = format_count(summary.without_time, "records")
        remedy = ": name its column by --time-column" if _may_need_time_column(job, kind) else ""
        summary.note(f"--start-time has no effect on {untimed}, for lack of an elapsed time{remedy}")
    if summary.records == 0 and not job.options.follow:
        raise ImportInputError(_describe_nothing(job, kind, summary))
    return ImportReport(kind, summary, written)


def _may_need_time_column(job: ImportJob, kind: Kind) -> bool:
    return kind in {Kind.CSV, Kind.JSONL} and job.options.table.time_column is None


def _open_store(
    job: ImportJob, kind: Kind, connect: Connect | None, written: WriteSummary | None, warn: Warn
) -> AbstractContextManager[Store]:
    if connect is None or written is None:
        return open_no_store()
    destination = Destination(connect, job.workload_uid, DATA_SOURCES[kind])
    if job.options.follow or STANDARD_INPUT in job.paths:
        return open_patient_store(destination, written, job.options.stopped, warn)
    return open_store(destination, written)


EXPECTED = {
    Kind.LOG: "a line that reports an iteration in a known dialect",
    Kind.TENSORBOARD: "a scalar",
    Kind.WANDB: "a row of history",
    Kind.HUGGINGFACE: "an entry of log_history or a number of results",
    Kind.CSV: "a row with an iteration and a number",
    Kind.JSONL: "an object with an iteration and a number",
}


def _describe_nothing(job: ImportJob, kind: Kind, summary: ReadSummary) -> str:
    names = ", ".join(map(str, job.paths))
    read = ", ".join(format_count(count, what) for what, count in summary.read.items()) or "nothing"
    findings = "".join(f"; {damage}" for damage in summary.damages)
    known = f": {', '.join(each.name for each in job.options.log.dialects)}" if kind is Kind.LOG else ""
    return f"{names}: nothing to import: expected {EXPECTED[kind]}{known} (read {read}){findings}"
