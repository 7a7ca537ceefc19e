"""Reads tables that tests write into records."""

from typing import Any

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.logs.lines import split_lines
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Record
from lens_perf.ingest.tables.columns import TableOptions
from lens_perf.ingest.tables.csv_rows import read_csv_rows
from lens_perf.ingest.tables.json_rows import read_json_rows
from lens_perf.ingest.tables.reader import read_table


def read_csv(content: str | bytes, **options: Any) -> tuple[list[Record], ReadSummary]:
    summary, table = ReadSummary(), TableOptions(**options)
    lines = split_lines([content if isinstance(content, bytes) else content.encode()])
    return put_together(read_csv_rows(lines, summary, "t.csv", table.delimiter), summary, table)


def read_json(content: str | bytes, block_size: int = 1 << 20, **options: Any) -> tuple[list[Record], ReadSummary]:
    summary = ReadSummary()
    content = content if isinstance(content, bytes) else content.encode()
    blocks = [content[begin : begin + block_size] for begin in range(0, len(content), block_size)]
    return put_together(read_json_rows(blocks, summary, "t.jsonl"), summary, TableOptions(**options))


def put_together(rows: Any, summary: ReadSummary, table: TableOptions) -> tuple[list[Record], ReadSummary]:
    observations = read_table(rows, summary, table, "t")
    records = assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD)
    return [record for record in records if record is not None], summary


def values(records: list[Record]) -> list[tuple[int | None, dict[str, Any]]]:
    return [(record.iteration, dict(record.performance)) for record in records]
