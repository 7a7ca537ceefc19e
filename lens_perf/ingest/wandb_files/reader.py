"""Reads the history of a W&B run from its ``.wandb`` files: one observation for each call of ``wandb.log``."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from lens_perf.errors import ImportInputError
from lens_perf.ingest.iteration_rows import IterationRows, Row
from lens_perf.ingest.numbers import parse_whole
from lens_perf.ingest.protobuf_wire import MessageError
from lens_perf.ingest.read_summary import Damage, ReadSummary, make_printable
from lens_perf.ingest.records import Mark, MetricValue, Observation
from lens_perf.ingest.source_files import read_blocks
from lens_perf.ingest.wandb_files.axis import LOG_CALLS, MetricRules, choose_axis
from lens_perf.ingest.wandb_files.framing import RecordSplitter
from lens_perf.ingest.wandb_files.messages import (
    HISTORY,
    METRIC,
    RUN,
    HistoryParser,
    Run,
    find_message,
    read_metric,
    read_run,
)

SERIES = "history"
TIMESTAMP = "_timestamp"
RUNTIME = "_runtime"
# Fields that W&B's integration stores with the metrics; they describe a row, not the iteration.
METADATA_FIELDS = frozenset({"step", "run_id", "source", "history", "created_at", "updated_at"})
# Maximum number of rows read before the iteration is chosen.
MOST_WAITING_ROWS = 200
# The run is the second record of a file.
MOST_RECORDS_BEFORE_RUN = 1000
MOST_BLOCKS_BEFORE_RUN = 64
DIRECTORY_NAME = re.compile(r"(?:offline-)?run-(?P<start>\d{8}_\d{6})-(?P<run_id>.+)")


def read_wandb_files(
    files: Iterable[tuple[str, Iterable[bytes | None]]], summary: ReadSummary, *, step_metric: str | None = None
) -> Iterator[Observation | Mark]:
    """Yield an Observation for each history row of a run's files, pairs of path and blocks in order of their start.

    The iteration is chosen once, from up to 200 rows or those before the first pause: see ``choose_axis``. A row
    without it has the previous value; a row before the first value has no iteration. Raises ImportInputError if no row
    has ``step_metric``.
    """
    reader = _HistoryReader(summary, step_metric)
    for path, blocks in files:
        yield from reader.read_file(path, blocks)
    yield from reader.finish()


class _HistoryReader:
    def __init__(self, summary: ReadSummary, step_metric: str | None) -> None:
        self._summary = summary
        self._summary.read["history rows"] += 0  # a count of 0 is reported, too
        self._step_metric = step_metric
        self._parser = HistoryParser(summary)
        self._rules = MetricRules()
        self._metadata: Row = {"source": "wandb", "history": SERIES}
        self._axis = ""  # until it is chosen
        self._waiting: list[Row | Mark] = []
        self._iteration: int | None = None
        self._rows = IterationRows(varying=frozenset({RUNTIME}), counts_repeats=True)

    def read_file(self, path: str, blocks: Iterable[bytes | None]) -> Iterator[Observation | Mark]:
        """Yield the observations of a file, as soon as the iteration is chosen."""
        yield from self._start_session()
        splitter = RecordSplitter(path, self._summary)
        for block in blocks:
            if block is None:
                yield from self._pause()
                continue
            for record in splitter.feed(block):
                row = self._read_record(record, splitter, path)
                if row is None:
                    continue
                if not self._axis:
                    yield from self._wait(row)
                elif (observation := self._observe(row)) is not None:
                    yield observation
        splitter.finish()

    def finish(self) -> Iterator[Observation | Mark]:
        """Yield the waiting observations."""
        if self._summary.read["history rows"] == 0:
            self._summary.note("the run logged no history")
        elif not self._axis:
            yield from self._choose()

    def _start_session(self) -> Iterator[Mark]:
        self._rows.start_session()
        if not self._axis:
            self._waiting.append(Mark.SESSION)
        else:
            yield Mark.SESSION

    def _pause(self) -> Iterator[Observation | Mark]:
        """Choose from the rows so far, since followers wait for them, unless the requested metric is missing."""
        rows = self._list_waiting_rows()
        if rows and (self._step_metric is None or any(self._step_metric in row for row in rows)):
            yield from self._choose()
        yield Mark.PAUSE

    def _wait(self, row: Row) -> Iterator[Observation | Mark]:
        self._waiting.append(row)
        if len(self._waiting) >= MOST_WAITING_ROWS and len(self._list_waiting_rows()) >= MOST_WAITING_ROWS:
            yield from self._choose()

    def _list_waiting_rows(self) -> list[Row]:
        return [row for row in self._waiting if not isinstance(row, Mark)]

    def _choose(self) -> Iterator[Observation | Mark]:
        axis = choose_axis(self._list_waiting_rows(), self._rules, self._step_metric)
        self._axis = axis.name
        self._summary.note(str(axis))
        waiting, self._waiting = self._waiting, []
        for row in waiting:
            if isinstance(row, Mark):
                self._rows.start_session()
                yield row
            elif (observation := self._observe(row)) is not None:
                yield observation

    def _read_record(self, record: bytes, splitter: RecordSplitter, path: str) -> Row | None:
        """Return the history row of a record, or None; note the rules and the run in other records."""
        try:
            number, message = find_message(record)
            if number == HISTORY:
                return self._read_row(message)
            if number == METRIC:
                self._rules.add(read_metric(message))
            elif number == RUN and (run_id := read_run(message).run_id):
                self._metadata["run_id"] = make_printable(run_id)
        except MessageError as error:
            self._summary.note_damage(Damage(path, splitter.record_start, f"a record that is not a message: {error}"))
        return None

    def _read_row(self, message: bytes) -> Row:
        self._summary.read["history rows"] += 1
        return self._parser.read(message)

    def _observe(self, row: Row) -> Observation | None:
        """Return the observation of a row, or None."""
        if not self._update_iteration(row):
            return None
        step, created_at = row.pop(LOG_CALLS, None), _read_time(row.pop(TIMESTAMP, None))
        if not row:
            self._summary.skip("history rows without a number")
            return None
        performance: Row = self._metadata | self._rows.reduce(self._iteration, row)
        if type(step) is int:
            performance.setdefault("step", step)
        if created_at is not None:
            text = created_at.isoformat()
            performance.setdefault("created_at", text)
            performance.setdefault("updated_at", text)
        return Observation(SERIES, self._iteration, created_at, performance)

    def _update_iteration(self, row: Row) -> bool:
        """Advance to the row's iteration; return whether it is valid."""
        value = row.get(self._axis)
        if value is None:
            return True
        iteration = parse_whole(value)
        if iteration is None:
            self._summary.lose(f"history rows whose {self._axis} is not an integer", str(value))
            return False
        self._iteration = iteration
        return True


def _read_time(timestamp: MetricValue) -> datetime | None:
    """Return the time of a row; None if it is missing or out of range."""
    if not isinstance(timestamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(timestamp, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def order_wandb_files(paths: Sequence[Path]) -> list[Path]:
    """Return a run's files in the order of their start, from the files, or else from their directories' names.

    Raises ImportInputError if they belong to several runs, or one cannot be read.
    """
    runs = {path: _find_run(path) for path in paths}
    run_ids = sorted({run.run_id for run in runs.values() if run.run_id})
    if len(run_ids) > 1:
        raise ImportInputError(
            f"the files are of {len(run_ids)} runs, {', '.join(run_ids)}: import each run as a workload of its own"
        )
    latest = datetime.max.replace(tzinfo=UTC)
    return sorted(paths, key=lambda path: (runs[path].start_time or latest, str(path)))


def _find_run(path: Path) -> Run:
    run = next((run for run in islice(_read_runs(path), MOST_RECORDS_BEFORE_RUN) if run is not None), Run("", None))
    named = DIRECTORY_NAME.fullmatch(path.absolute().parent.name)
    if named is None:
        return run
    start = run.start_time or _read_directory_time(named["start"])
    return Run(run.run_id or named["run_id"], start)


def _read_directory_time(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _read_runs(path: Path) -> Iterator[Run | None]:
    """Yield for each record of a file its run, or None."""
    summary = ReadSummary()
    splitter = RecordSplitter(str(path), summary)
    for block in islice(read_blocks(path, summary), MOST_BLOCKS_BEFORE_RUN):
        for record in splitter.feed(block):
            try:
                number, message = find_message(record)
                yield read_run(message) if number == RUN else None
            except MessageError:
                yield None
