"""Turns the lines of a log in a chosen dialect into observations."""

from collections.abc import Callable, Container, Generator, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from lens_perf.ingest.logs.evidence import LONGEST_MATCHED, Tally, decode, split_overwritten
from lens_perf.ingest.logs.forms import Dialect, Line, Purpose
from lens_perf.ingest.logs.iteration_lines import IterationLines
from lens_perf.ingest.logs.line_ends import CUT_OFF, LineEnds
from lens_perf.ingest.logs.lines import end_line, find_line_starts
from lens_perf.ingest.logs.mlperf_events import MlperfEvents
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.printed_dictionaries import PrintedDictionaries
from lens_perf.ingest.read_summary import MOST_EXAMPLES, ReadSummary
from lens_perf.ingest.records import Observation

NOT_AN_ITERATION = "lines that report no iteration"
TOO_LONG = f"lines of more than {LONGEST_MATCHED:,} characters, which are not read"
# So many consecutive reports of another dialect are not a coincidence.
LEAST_REPORTS = 3
# Maximum number of reports read from one line. Several processes may print into the same line.
MOST_GLUED = 8
# Maximum number of lines of other processes between those of one report.
MOST_BETWEEN = 3


class DialectReader(Protocol):
    """Turns the lines of one input into observations."""

    def take(self, line: Line, text: str) -> Iterator[Observation]:
        """Yield the observations of a line, and those that waited for it."""

    def settle(self) -> Iterator[Observation]:
        """Yield the waiting observations at the end of the input."""

    def note_other_time(self, line: Line) -> None:
        """Note the time of a line of another dialect for its iteration."""


READERS: dict[str, Callable[[ReadSummary, LogOptions], DialectReader]] = {
    "iterations": IterationLines,
    "printed dictionaries": PrintedDictionaries,
    "MLPerf events": MlperfEvents,
}


def skip_noise(summary: ReadSummary, chunk: bytes, starts: list[int], count: int) -> None:
    """Count ``count`` lines that report nothing, with some of the lines that are not at ``starts`` as examples."""
    if count <= 0:
        return
    summary.skip(NOT_AN_ITERATION, None, count)
    examples, known, start = summary.skipped[NOT_AN_ITERATION].examples, set(starts), 0
    looked_at = 0
    while len(examples) < MOST_EXAMPLES and 0 <= start < len(chunk) and looked_at < 2 * MOST_EXAMPLES:
        end = chunk.find(b"\n", start)
        if start not in known:
            looked_at += 1
            summary.skip(NOT_AN_ITERATION, chunk[start:end], 0)
        start = end + 1


class LineReader:
    """Reads the lines of one input in a dialect, and counts lines of other dialects."""

    def __init__(self, dialect: Dialect, markers: Iterable[bytes], summary: ReadSummary, options: LogOptions) -> None:
        self._dialect = dialect
        self._summary = summary
        self._reader = READERS[dialect.reader](summary, options)
        self._others = [each for each in options.dialects if each is not dialect]
        self._markers = markers
        self._tallies: dict[str, Tally] = {}
        self._open: tuple[Line, str] | None = None
        self._between = 0
        self._ends = LineEnds(summary, growing=options.growing)
        self._is_incomplete = False
        summary.note(f"read as log, in the dialect of {dialect.name}")

    def take(self, chunk: bytes) -> Iterator[Observation]:
        """Yield the observations in a chunk of complete lines, or in an incomplete last line."""
        self._is_incomplete = not chunk.endswith(b"\n")
        chunk = end_line(chunk)
        starts, position = find_line_starts(chunk, self._markers), 0
        read, stops = 0, frozenset(starts)
        if self._open is not None:
            position, read = yield from self._continue(self._open[0], chunk, 0, stops)
        # A marker may be cut off.
        for start in [0] if self._is_incomplete else starts:
            if start < position:
                continue
            end = chunk.find(b"\n", start)
            read += 1
            texts = split_overwritten(chunk[start:end])
            for number, (before, text) in enumerate(texts, 1):
                yield from self._take_text(text, before, incomplete=self._is_incomplete and number == len(texts))
            if self._open is not None:
                position, following = yield from self._continue(self._open[0], chunk, end + 1, stops)
                read += following
        skip_noise(self._summary, chunk, starts, chunk.count(b"\n") - read)

    def pause(self) -> Iterator[Observation]:
        """Yield what was read of the report that waits for lines that continue it."""
        yield from self._report_open()

    def finish(self) -> Iterator[Observation]:
        """Yield the observations that wait for later lines, at the end of the input."""
        yield from self._report_open()
        yield from self._reader.settle()

    def _take_text(self, text: str, before: str, *, incomplete: bool) -> Iterator[Observation]:
        line = self._dialect.read(text)
        if line is None:
            self._leave_out(text, incomplete=incomplete)
            return
        if len(text) > LONGEST_MATCHED:
            self._summary.lose(TOO_LONG, text[:LONGEST_MATCHED])
            return
        if before and not line.prefix.strip():
            line = replace(line, prefix=before)
        for _ in range(MOST_GLUED):
            # Another process may have printed into the same line.
            following = self._dialect.read(line.tail) if line.tail else None
            if incomplete and following is None:
                self._ends.cut(line, text)
            yield from self._take_line(line, text)
            if not line.tail:
                return
            text = line.tail
            if following is None:
                break
            line = following
        self._summary.skip(f"texts behind the fields of the {line.form.name}", text)

    def _take_line(self, line: Line, text: str) -> Iterator[Observation]:
        if line.form.continued:
            self._open, self._between = (line, text), 0
        elif line.fields or line.rest or not line.form.closed:
            self._ends.note(line)
            yield from self._reader.take(line, text)

    def _continue(
        self, line: Line, chunk: bytes, position: int, stops: Container[int]
    ) -> Generator[Observation, None, tuple[int, int]]:
        """Add the fields on the lines from ``position`` on to ``line``, the open report, and yield it if it has ended.

        Up to MOST_BETWEEN lines of other processes may be between them, but none that starts at one of ``stops``.
        Returns the end of the lines that continue it, and their number.
        """
        ahead, count = position, 0
        while ahead < len(chunk) and ahead not in stops and self._between <= MOST_BETWEEN:
            end = chunk.find(b"\n", ahead)
            text = decode(chunk[ahead:end])
            fields = line.form.read_following(text, line.prefix)
            if fields and self._is_incomplete:
                self._ends.cut(replace(line, fields=fields), text)
            ahead = end + 1
            if fields is None:
                self._between += 1
            else:
                line.fields.extend(fields)
                position, count, self._between = ahead, count + 1, 0
        if ahead < len(chunk):
            yield from self._report_open()
            self._open = None
        return position, count

    def _report_open(self) -> Iterator[Observation]:
        """Yield the open report with the fields read since it was yielded before."""
        # Without fields, it only shows that training continues.
        if self._open is not None and self._open[0].fields:
            line, text = self._open
            self._open = replace(line, fields=[], rest=[]), text
            yield from self._reader.take(line, text)

    def _leave_out(self, text: str, *, incomplete: bool) -> None:
        for dialect in self._others:
            if (line := dialect.read(text)) and line.form.purpose is not Purpose.PROGRESS:
                self._count_other(dialect, line, text)
                return
        if incomplete and self._ends.count_cut(self._dialect, text):
            return
        if self._dialect.find_cut(text) is not None:
            self._summary.lose(CUT_OFF, text)
        else:
            self._summary.skip(NOT_AN_ITERATION, text)

    def _count_other(self, dialect: Dialect, line: Line, text: str) -> None:
        if line.form.reports:
            self._reader.note_other_time(line)
        if dialect.library or self._dialect.library:
            self._summary.skip(f"lines of {dialect.name}, which report the same iterations", text)
            return
        tally = self._tallies.setdefault(dialect.name, Tally())
        tally.add(line)
        if tally.rising > LEAST_REPORTS:
            self._summary.lose(f"lines of {dialect.name}: import the log of each program by itself", text)
        else:
            self._summary.skip(f"lines as {dialect.name} prints them", text)
