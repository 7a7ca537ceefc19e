"""Turns the rows of a table into observations: chooses the columns from the first rows, then reads one by one."""

import re
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Any

from lens_perf.errors import ImportInputError
from lens_perf.ingest.iteration_rows import IterationRows, Row
from lens_perf.ingest.numbers import NumberReader, parse_whole
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation
from lens_perf.ingest.tables.columns import Columns, RawRow, TableOptions, choose_columns, describe_missing
from lens_perf.ingest.tables.times import parse_duration

SERIES, TARGET = "rows", "target_iteration"
# Maximum number of rows read before the columns are chosen.
MOST_WAITING_ROWS = 1000
MOST_WAITING_VALUES = 100_000
# Names in rows of evaluations: such a row may have an earlier iteration without a restart.
EVALUATION = re.compile(
    r"(?:^|[/._ ])(?:val|valid|validation|eval|evaluation|test|dev|predict)(?:[/._ ]|$)", re.IGNORECASE
)
# Names of LLaMA-Factory; the names of other tables are kept.
LLAMA_FACTORY = frozenset({"current_steps", "total_steps"})
LLAMA_FACTORY_NAMES = {"lr": "learning_rate"}


def read_table(
    rows: Iterable[RawRow | None], summary: ReadSummary, options: TableOptions, path: str
) -> Iterator[Observation | Mark]:
    """Yield an Observation for each row of a table, Mark.PAUSE for None.

    The columns are chosen from up to 1,000 rows or those before the first pause. Raises ImportInputError if none is the
    iteration, or a column in ``options`` is missing.
    """
    yield Mark.SESSION
    source = iter(rows)
    waiting: list[RawRow] = []
    columns = yield from _wait_for_columns(source, waiting, options)
    if not waiting:
        return
    if columns is None:
        raise ImportInputError(f"{path}: {describe_missing(waiting, options)}")
    reader = _RowReader(columns, summary, options, waiting)
    for row in chain(waiting, source):
        if row is None:
            yield Mark.PAUSE
        elif observation := reader.read(row):
            yield observation


def _wait_for_columns(
    source: Iterator[RawRow | None], waiting: list[RawRow], options: TableOptions
) -> Generator[Mark, None, Columns | None]:
    """Return the columns as soon as they can be chosen; the rows read until then are appended to ``waiting``."""
    values = 0
    for row in source:
        if row is not None:
            waiting.append(row)
            values += len(row)
            if len(waiting) == MOST_WAITING_ROWS or values >= MOST_WAITING_VALUES:
                break
        else:
            yield Mark.PAUSE
            if waiting and (columns := choose_columns(waiting, options)):
                return columns
    return choose_columns(waiting, options)


class _RowReader:
    def __init__(
        self, columns: Columns, summary: ReadSummary, options: TableOptions, first_rows: Iterable[RawRow]
    ) -> None:
        self._columns = columns
        self._summary = summary
        self._options = options
        self._numbers = NumberReader(summary)
        self._rows = IterationRows()
        self._iteration: int | None = None
        self._last_step: int | None = None
        self._epoch: int | None = None
        self._offset, self._gap = 0, 1
        self._offsets: dict[int, int] = {}
        is_of_llama_factory = any(row.keys() >= LLAMA_FACTORY for row in first_rows)
        self._names = LLAMA_FACTORY_NAMES if is_of_llama_factory else {}
        for sentence in columns.describe():
            summary.note(sentence)

    def read(self, row: RawRow) -> Observation | None:
        """Return the observation of a row, or None."""
        self._summary.read["rows"] += 1
        performance = self._read_metrics(row)
        iteration, is_own = self._find_iteration(row)
        if iteration is None:
            if performance:
                self._leave_out(row, performance, is_own=is_own)
            return None
        target = parse_whole(row.get(self._columns.target)) if self._columns.target else None
        if target is not None and performance:
            performance[TARGET] = target
        series = self._find_series(row, iteration, performance, is_own=is_own)
        if not self._columns.metric:
            performance = self._reduce(iteration, performance)
        if not performance:
            return None
        rule = self._columns.time
        time = rule.read(row.get(rule.column), self._options.timezone, self._options.start_time) if rule else None
        return Observation(series, iteration, time, performance)

    def _leave_out(self, row: RawRow, performance: Row, *, is_own: bool) -> None:
        column = self._columns.iteration
        if is_own:
            self._summary.lose(f"rows whose {column} is not a whole number", f"{column}: {row[column]}")
        else:
            self._summary.skip(f"rows ahead of the first {column}", ", ".join(performance))

    def _find_iteration(self, row: RawRow) -> tuple[int | None, bool]:
        """Return the row's iteration, or the latest one if it has none, and whether it is its own."""
        value = row.get(self._columns.iteration)
        if value is None or value == "":
            return self._iteration, False
        step = parse_whole(value)
        return (None if step is None else step + self._find_offset(row, step)), True

    def _find_offset(self, row: RawRow, step: int) -> int:
        """Return the number of iterations of earlier epochs, if steps restart in each epoch."""
        epoch = parse_whole(row.get(self._columns.epoch)) if self._columns.epoch else None
        last_step, last_epoch = self._last_step, self._epoch
        if epoch is None:
            return self._offset
        if epoch == last_epoch and last_step is not None and step > last_step:
            self._gap = step - last_step
        if epoch in self._offsets:
            self._offset = self._offsets[epoch]
        elif last_step is not None and last_epoch is not None and step < last_step and epoch > last_epoch:
            self._offset += last_step - step + self._gap
            column = self._columns.iteration
            self._summary.note(f"{column} begins again with each epoch: iterations are counted on from epoch to epoch")
        self._offsets.setdefault(epoch, self._offset)
        self._last_step, self._epoch = step, epoch
        return self._offset

    def _find_series(self, row: RawRow, iteration: int, performance: Row, *, is_own: bool) -> str | None:
        """Return the series of the row's iteration; None if a decrease is not a restart."""
        if self._columns.metric:
            return str(row.get(self._columns.metric))
        last = self._iteration
        neutral = (self._columns.epoch, TARGET)
        if last is not None and iteration < last and all(EVALUATION.search(n) or n in neutral for n in performance):
            return None
        if not is_own:
            return None
        self._iteration = iteration
        return SERIES

    def _reduce(self, iteration: int, performance: Row) -> Row:
        new = self._rows.reduce(iteration, performance)
        if performance and not new:
            self._summary.skip("rows that repeat the one before")
        return new

    def _read_metrics(self, row: RawRow) -> Row:
        columns = self._columns
        if columns.metric and columns.value:
            name = str(row.get(columns.metric))
            return self._read_value(name, row.get(columns.value), {}) if row.get(columns.metric) else {}
        prefix = f"{row[columns.split]}/" if columns.split and row.get(columns.split) else ""
        performance: Row = {}
        for column, value in row.items():
            if column not in columns.own and value is not None and value != "":
                metric = self._names.get(column, column)
                performance = self._read_value(prefix + (column if metric in row else metric), value, performance)
        return performance

    def _read_value(self, name: str, value: Any, performance: Row) -> Row:
        """Add a value to ``performance``: a number, or a duration in seconds with a suffix."""
        if isinstance(value, str) and (seconds := parse_duration(value)) is not None:
            name, value = f"{name}_s", seconds
        number = self._numbers.parse_text(value, name) if isinstance(value, str) else self._numbers.check(value, name)
        if number is not None:
            performance[name] = number
        return performance
