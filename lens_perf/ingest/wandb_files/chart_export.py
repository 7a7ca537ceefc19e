"""Reads the CSV file that the W&B page exports of a chart: an x axis and a column for each run and metric."""

import csv
from collections.abc import Iterable, Iterator

from lens_perf.errors import ImportInputError
from lens_perf.ingest.numbers import NUMBER, NumberReader, parse_whole
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.records import MetricValue, Observation
from lens_perf.ingest.storable_names import NamesApart

SERIES = "chart"
STEP = "Step"
TIME_AXES = ("Relative Time (Process)", "Relative Time (Wall)", "Wall Time")
SEPARATOR = " - "
SMALLEST, LARGEST = "__MIN", "__MAX"
# W&B's own columns; of these, only _runtime is a metric.
NO_METRICS = ("_step", "_timestamp")


def looks_like_chart_export(first_line: str) -> bool:
    """Return whether a file that begins with ``first_line`` is an exported chart."""
    axis, *columns = _read_header(first_line)
    is_known = axis in (STEP, *TIME_AXES) or any(column.endswith((SMALLEST, LARGEST)) for column in columns)
    return bool(axis and columns) and is_known and all(SEPARATOR in column for column in columns)


def read_chart_export(lines: Iterable[str], summary: ReadSummary, path: str) -> Iterator[Observation]:
    """Yield an Observation for each row; the iteration is the first column.

    If all columns belong to one run, metrics are named without the run's name. A truncated row is left out, with a
    Damage in ``summary``. Raises ImportInputError if the x axis is a time or has values other than integers.
    """
    counted = _CountedLines(lines)
    header = _read_header(next(counted, ""))
    if header[0] in TIME_AXES:
        raise ImportInputError(f"{path}: its x axis is {header[0]!r}, a time: export the chart over 'Step'")
    summary.note(f"the iteration is {header[0]}, the chart's x axis")
    metrics, numbers = _name_metrics(header[1:], summary), NumberReader(summary)
    for row in _read_rows(counted, len(header), summary, path):
        summary.read["chart rows"] += 1
        if NUMBER.fullmatch(row[0]) is None:
            summary.lose("chart rows whose x axis is not a number", row[0])
            continue
        iteration = parse_whole(numbers.parse_text(row[0], header[0]))
        if iteration is None:
            raise ImportInputError(
                f"{path}: its x axis {header[0]!r} is not an iteration: it has the value {row[0]!r:.60}"
            )
        if performance := _read_cells(metrics, row[1:], numbers):
            yield Observation(SERIES, iteration, None, performance)


class _CountedLines:
    """Yields lines and counts their bytes."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = iter(lines)
        self._next = next(self._lines, None)
        self._last = '"'
        self._were_quoted = True
        self.bytes = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._next is None:
            raise StopIteration
        line, self._next = self._next, next(self._lines, None)
        self.bytes += len(line.encode(errors="replace")) + (not line.endswith("\n"))
        self._were_quoted = self._were_quoted and self._last.endswith('"')
        self._last = line.rstrip("\r\n")
        return line

    def is_cut(self) -> bool:
        """Return whether the file ends without the quote that ends every line of W&B's exports."""
        return self._next is None and self._were_quoted and not self._last.endswith('"')


def _read_header(line: str) -> list[str]:
    try:
        return next(csv.reader([line.removeprefix("\ufeff")]), [""]) or [""]
    except csv.Error:
        return [""]


def _name_metrics(columns: list[str], summary: ReadSummary) -> list[str | None]:
    """Return the metric of each column; None for other columns."""
    runs = {column.rpartition(SEPARATOR)[0] for column in columns}
    metrics: list[str | None] = []
    apart = NamesApart()
    for column in columns:
        name = column.rpartition(SEPARATOR)[2]
        if name.removesuffix(SMALLEST).removesuffix(LARGEST) in NO_METRICS:
            summary.skip("columns of W&B's own", column)
            metrics.append(None)
        else:
            metrics.append(apart.take(name if len(runs) == 1 else column))
            if metrics[-1] not in (name, column):
                summary.note(f"there are several columns {column}: the next is {metrics[-1]}")
    return metrics


def _read_rows(lines: _CountedLines, width: int, summary: ReadSummary, path: str) -> Iterator[list[str]]:
    """Yield the complete rows."""
    rows = csv.reader(lines, strict=True)
    while True:
        start = lines.bytes
        try:
            row = next(rows, None)
        except csv.Error as error:
            summary.note_damage(Damage(path, start, f"a row that is not CSV: {error}"))
            continue
        if row is None:
            return
        if len(row) == width and not lines.is_cut():
            yield row
        elif row:
            summary.note_damage(Damage(path, start, f"a row that is cut off: {len(row)} of {width} cells"))


def _read_cells(metrics: list[str | None], cells: list[str], numbers: NumberReader) -> dict[str, MetricValue]:
    found = ((metric, cell) for metric, cell in zip(metrics, cells, strict=True) if metric is not None)
    parsed = ((metric, numbers.parse_text(cell, metric)) for metric, cell in found)
    return {metric: number for metric, number in parsed if number is not None}
