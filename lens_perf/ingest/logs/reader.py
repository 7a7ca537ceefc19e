"""Reads training logs: finds out the dialect, and turns its lines into observations."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from lens_perf.ingest.logs.dialects import DIALECTS, Dialect, Form, Line, MlperfForm
from lens_perf.ingest.logs.metric_names import ELAPSED, read_field
from lens_perf.ingest.logs.stamps import find_rank, find_time, strip_colours
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, MetricValue, Observation

# Lines of a dialect that wait for one of a dialect that goes before it: a program that prints several, as GPT-NeoX
# does on DeepSpeed, prints all of them in its first iterations.
MOST_WAITING_LINES = 50
# Other ranks print an iteration nearly at once; one that lies further back is a restart.
LARGEST_LAG = 2

NOT_AN_ITERATION = "lines that report no iteration"
CUT_OFF = "iteration lines without fields, perhaps cut off"
CUT_HEAD = re.compile(r"\biteration\s+\d+(?:/\s*\d*)?\s*$")


@dataclass(frozen=True)
class LogOptions:
    """What a log may leave open.

    ``timezone`` is that of times without one. ``start_time`` is when training began, for logs that tell no time, and
    ``logging_steps`` how many iterations lie between reports, for logs that tell no iteration.
    """

    timezone: tzinfo = UTC
    start_time: datetime | None = None
    logging_steps: int | None = None


def read_log(
    lines: Iterable[bytes | None], summary: ReadSummary, options: LogOptions | None = None
) -> Iterator[Observation | Mark]:
    """Yield what the lines of a log report; Mark.PAUSE for None."""
    reader = _LogReader(summary, options or LogOptions())
    for line in lines:
        if line is None:
            yield from reader.settle()
            yield Mark.PAUSE
            continue
        summary.read["lines"] += 1
        if ANY_MARKER.search(line) is None:
            summary.skip(NOT_AN_ITERATION, line)
        # What a carriage return overwrites on a terminal, as progress bars do, are lines of their own.
        elif b"\r" in line:
            for part in line.removesuffix(b"\r").split(b"\r"):
                yield from reader.take(part)
        else:
            yield from reader.take(line)
    yield from reader.settle()


# One search for all markers takes 1 microsecond a line, one for each of them 2.5; most lines of a log are noise.
ANY_MARKER = re.compile(b"|".join(re.escape(form.marker) for dialect in DIALECTS for form in dialect.forms))


class _LogReader:
    def __init__(self, summary: ReadSummary, options: LogOptions) -> None:
        self._summary = summary
        self._options = options
        self._dialect: Dialect | None = None
        self._waiting: list[tuple[Dialect, Form | MlperfForm, str]] = []
        self._clock = options.start_time
        self._other_times: dict[int | None, datetime] = {}
        self._tells_time = False
        self._rank: int | None = None
        self._iteration: int | None = None
        self._reports = 0
        self._forms = [(form.marker, form, dialect) for dialect in DIALECTS for form in dialect.forms]

    def take(self, line: bytes) -> Iterator[Observation]:
        """Yield what one line reports, and what waited for it."""
        text: str | None = None
        for marker, form, dialect in self._forms:
            if marker in line:
                text = text or strip_colours(line.decode("utf-8", "replace"))
                if found := form.read(text):
                    yield from self._take_form(dialect, form, text, found)
                    return
        if text and CUT_HEAD.search(text):
            self._summary.skip(CUT_OFF, text)
        else:
            self._summary.skip(NOT_AN_ITERATION, line)

    def settle(self) -> Iterator[Observation]:
        """Decide for a dialect, if lines wait for that, and yield what they report."""
        if self._waiting:
            best = min(
                (dialect for dialect, form, _ in self._waiting if form.reports), key=DIALECTS.index, default=None
            )
            yield from self._decide(best) if best else ()

    def _take_form(self, dialect: Dialect, form: Form | MlperfForm, text: str, line: Line) -> Iterator[Observation]:
        if dialect is self._dialect:
            yield from self._observe(form, text, line)
        elif self._dialect is not None:
            self._leave_out(dialect, form, text, line)
        else:
            self._waiting.append((dialect, form, text))
            if dialect is DIALECTS[0] and form.reports:
                yield from self._decide(dialect)
            elif len(self._waiting) >= MOST_WAITING_LINES:
                yield from self.settle()

    def _decide(self, dialect: Dialect) -> Iterator[Observation]:
        self._dialect = dialect
        self._summary.note(f"the log's dialect is that of {dialect.name}")
        waiting, self._waiting = self._waiting, []
        for other, form, text in waiting:
            if line := form.read(text):
                yield from self._take_form(other, form, text, line)

    def _leave_out(self, dialect: Dialect, form: Form | MlperfForm, text: str, line: Line) -> None:
        # The dialect that counts may tell no time for the same iteration.
        if form.reports and not self._tells_time:
            told = find_time(line.prefix, self._options.timezone)
            self._other_times = {line.iteration: told} if told else self._other_times
        self._summary.skip(f"lines of {dialect.name}, which tell of the same iterations", text)

    def _observe(self, form: Form | MlperfForm, text: str, line: Line) -> Iterator[Observation]:
        if form.reports and line.iteration is not None and self._is_of_another_rank(line.iteration, line.prefix):
            self._summary.skip("lines of other ranks", text)
            return
        performance = self._read_fields(form, line)
        if line.target is not None:
            performance["target_iteration"] = line.target
        iteration, counted = self._find_iteration(form, line, performance)
        if not form.reports and iteration is None:
            self._summary.skip("lines ahead of the first iteration", text)
        elif not performance:
            self._summary.skip(CUT_OFF, text)
        else:
            created_at = self._find_time(line, performance, iteration) if form.reports else None
            if form.reports:
                self._iteration = iteration
            yield Observation(form.name if counted else None, iteration, created_at, performance)

    def _is_of_another_rank(self, iteration: int, prefix: str) -> bool:
        rank, last = find_rank(prefix), self._iteration
        near = last is not None and last - LARGEST_LAG <= iteration <= last
        if near and rank is not None and self._rank is not None and rank != self._rank:
            return True
        self._rank = rank if rank is not None else self._rank
        return False

    def _find_iteration(
        self, form: Form | MlperfForm, line: Line, performance: dict[str, MetricValue]
    ) -> tuple[int | None, bool]:
        """Return the line's iteration, and whether it can show a restart."""
        if line.iteration is not None:
            return line.iteration, True
        if not form.reports:
            return self._iteration, False
        if self._options.logging_steps is None:
            self._summary.note("the lines tell no iteration; --logging-steps N numbers them, if none is missing")
            return None, True
        # Evaluations and the final summary belong to the training report before them.
        if "loss" not in performance and self._reports:
            return self._iteration, False
        self._reports += 1
        self._summary.note(f"iterations are counted: one report every {self._options.logging_steps}")
        return self._reports * self._options.logging_steps, True

    def _read_fields(self, form: Form | MlperfForm, line: Line) -> dict[str, MetricValue]:
        found: dict[str, MetricValue] = {}
        for name, text in line.fields:
            metrics = read_field(name, text, form.names, verbatim=form.verbatim)
            if not metrics:
                self._summary.skip("fields that are no numbers", f"{name}: {text}")
            found |= {f"{line.name_prefix}{metric}{form.name_suffix}": value for metric, value in metrics.items()}
        return found

    def _find_time(self, line: Line, performance: dict[str, MetricValue], iteration: int | None) -> datetime | None:
        told = line.created_at or find_time(line.prefix, self._options.timezone)
        self._tells_time = told is not None
        told = told or (self._other_times.get(iteration) if iteration is not None else None)
        if told is not None:
            self._summary.note(f"times are the log's own; those without a zone are taken as {self._options.timezone}")
            return told
        elapsed = performance.get(ELAPSED)
        if self._clock is None or not isinstance(elapsed, (int, float)):
            return None
        passed = 1 if self._iteration is None or iteration is None else max(iteration - self._iteration, 1)
        self._clock += timedelta(milliseconds=elapsed * passed)
        self._summary.note("times are reckoned from --start-time and the elapsed times")
        return self._clock
