"""Recognises tables of metrics by the head of a file: complete rows with a column that counts iterations."""

from collections.abc import Iterable, Sequence
from itertools import islice

from lens_perf.errors import ImportInputError
from lens_perf.ingest.numbers import NUMBER
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.tables.columns import RawRow, TableOptions, choose_columns
from lens_perf.ingest.tables.csv_rows import read_csv_rows
from lens_perf.ingest.tables.json_rows import read_json_rows

MOST_ROWS = 200
LEAST_WHOLE = 0.9


def find_csv_iteration(head: bytes, *, is_whole: bool) -> str | None:
    """Return the iteration column if ``head`` is the beginning of a CSV of metrics, else None.

    ``is_whole`` means that the head is the complete file; otherwise its last line may be incomplete.
    """
    summary = ReadSummary()
    lines = _drop_cut_line(head, is_whole=is_whole).split(b"\n")
    try:
        rows = _take(read_csv_rows(lines, summary, ""))
    except ImportInputError:
        return None
    return _find_iteration(rows, summary)


def find_json_iteration(head: bytes, *, is_whole: bool) -> str | None:
    """Return the name of the iteration if ``head`` is the beginning of JSON lines of metrics, else None.

    An array of objects is also recognised. ``is_whole`` is as above.
    """
    summary = ReadSummary()
    blocks = [head if head.lstrip().startswith(b"[") else _drop_cut_line(head, is_whole=is_whole)]
    return _find_iteration(_take(read_json_rows(blocks, summary, "")), summary)


def _drop_cut_line(head: bytes, *, is_whole: bool) -> bytes:
    return head if is_whole else head[: head.rfind(b"\n") + 1]


def _take(rows: Iterable[RawRow | None]) -> list[RawRow]:
    return [row for row in islice(rows, MOST_ROWS) if row is not None]


def _find_iteration(rows: Sequence[RawRow], summary: ReadSummary) -> str | None:
    others = len(summary.damages) + sum(skipped.count for skipped in summary.skipped.values())
    if not rows or len(rows) < LEAST_WHOLE * (len(rows) + others - 1):
        return None
    columns = choose_columns(rows, TableOptions())
    if columns is None or not any(_has_metric(row, columns.own - {columns.value}) for row in rows):
        return None
    return columns.iteration


def _has_metric(row: RawRow, own: frozenset[str]) -> bool:
    return any(
        type(value) in (int, float) or (isinstance(value, str) and NUMBER.fullmatch(value) is not None)
        for name, value in row.items()
        if name not in own
    )
