"""An import from end to end: a source of records read into a workload of a cluster."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.errors import ImportInputError
from lens_perf.ingest.log_lines import read_lines
from lens_perf.ingest.megatron_log import MegatronLogReader
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.record_writer import WriteSummary, write_records

LOG = "log"


@dataclass(frozen=True)
class ImportReport:
    """What an import read and wrote; its text is for people."""

    read: ReadSummary
    written: WriteSummary

    def __str__(self) -> str:
        return f"{self.read.format()}\n{self.written.format()}"


def import_log(
    connection: Connection, path: Path, workload_uid: str, *, start_time: datetime | None = None
) -> ImportReport:
    """Import the training log ``path``, plain or gzipped, as the records of ``workload_uid``, data source ``log``.

    Raises ImportInputError when nothing in it can be read, and psycopg2.Error.
    """
    summary = ReadSummary()
    reader = MegatronLogReader(summary, start_time=start_time)
    written = write_records(connection, workload_uid, LOG, reader.read_records(read_lines(path)))
    if summary.records == 0:
        raise ImportInputError(
            f"{path}: none of its {summary.lines} lines reports an iteration, as in "
            "'iteration 10/ 1000 | lm loss: 1.0E+00 |' of Megatron-LM, Primus or GPT-NeoX"
        )
    return ImportReport(summary, written)
