"""Reads training logs: chooses the dialect, and turns its lines into observations."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from lens_perf.ingest.logs.evidence import LONGEST_MATCHED, Evidence, Tally, decode, split_overwritten
from lens_perf.ingest.logs.forms import Dialect, Form, Line
from lens_perf.ingest.logs.iteration_lines import IterationLines
from lens_perf.ingest.logs.lines import find_line_starts
from lens_perf.ingest.logs.mlperf_events import MlperfEvents
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.logs.printed_dictionaries import PrintedDictionaries
from lens_perf.ingest.read_summary import MOST_EXAMPLES, ReadSummary
from lens_perf.ingest.records import Mark, Observation

NOT_AN_ITERATION = "lines that report no iteration"
CUT_OFF = "iteration lines without fields, perhaps cut off"
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


def read_log(
    chunks: Iterable[bytes | None], summary: ReadSummary, options: LogOptions | None = None
) -> Iterator[Observation | Mark]:
    """Yield the observations in the ``chunks`` of a log, each of complete lines; Mark.PAUSE for None."""
    log = _Log(summary, options or LogOptions())
    for chunk in chunks:
        if chunk is None:
            yield from log.pause()
            yield Mark.PAUSE
        else:
            yield from log.take(chunk)
    yield from log.finish()


class _Log:
    """One log: its head until the dialect is chosen, and its reader afterwards."""

    def __init__(self, summary: ReadSummary, options: LogOptions) -> None:
        self._summary = summary
        self._options = options
        self._evidence = Evidence(options.dialects)
        self._head: list[bytes] = []
        self._reader: _LogReader | None = None

    def take(self, chunk: bytes) -> Iterator[Observation]:
        """Yield the observations in a chunk of complete lines, as soon as the dialect is known."""
        lines = chunk.count(b"\n")
        self._summary.read["lines"] += lines
        if self._reader is not None:
            yield from self._reader.take(chunk)
        elif self._evidence.take(chunk):
            self._head.append(chunk)
            if self._evidence.is_enough:
                yield from self._choose()
        else:
            _skip_noise(self._summary, chunk, [], lines)

    def pause(self) -> Iterator[Observation]:
        """Yield the observations that do not depend on later lines."""
        # A library may print before the program that uses it, whose dialect takes precedence.
        if not self._evidence.may_be_a_library:
            yield from self._choose()
        if self._reader is not None:
            yield from self._reader.pause()

    def finish(self) -> Iterator[Observation]:
        """Yield the observations that wait for later lines, at the end of the input."""
        yield from self._choose()
        if self._reader is not None:
            yield from self._reader.finish()

    def _choose(self) -> Iterator[Observation]:
        """Choose the dialect, if it is not chosen yet, and yield the observations in the head."""
        dialect = self._evidence.choose() if self._reader is None else None
        if dialect is None:
            return
        self._reader = _LogReader(dialect, self._evidence.markers, self._summary, self._options)
        head, self._head = self._head, []
        for chunk in head:
            yield from self._reader.take(chunk)


def _skip_noise(summary: ReadSummary, chunk: bytes, starts: list[int], count: int) -> None:
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


class _LogReader:
    """Reads the lines of one input in a dialect, and counts lines of other dialects."""

    def __init__(self, dialect: Dialect, markers: Iterable[bytes], summary: ReadSummary, options: LogOptions) -> None:
        self._dialect = dialect
        self._summary = summary
        self._reader = READERS[dialect.reader](summary, options)
        self._others = [each for each in options.dialects if each is not dialect]
        self._markers = markers
        self._tallies: dict[str, Tally] = {}
        self._open: tuple[Line, str] | None = None
        summary.note(f"read as log, in the dialect of {dialect.name}")

    def take(self, chunk: bytes) -> Iterator[Observation]:
        """Yield the observations in a chunk of complete lines."""
        starts, position = find_line_starts(chunk, self._markers), 0
        read, stops = 0, frozenset(starts)
        if self._open is not None:
            position, read = self._read_following(self._open[0], chunk, 0, stops)
            yield from self._close(ended=position < len(chunk))
        for start in starts:
            if start < position:
                continue
            end = chunk.find(b"\n", start)
            read += 1
            for before, text in split_overwritten(chunk[start:end]):
                yield from self._take_text(text, before)
            if self._open is not None:
                position, following = self._read_following(self._open[0], chunk, end + 1, stops)
                read += following
                yield from self._close(ended=position < len(chunk))
        _skip_noise(self._summary, chunk, starts, chunk.count(b"\n") - read)

    def pause(self) -> Iterator[Observation]:
        """Yield the report that waits for lines that continue it."""
        yield from self._close(ended=True)

    def finish(self) -> Iterator[Observation]:
        """Yield the observations that wait for later lines, at the end of the input."""
        yield from self._close(ended=True)
        yield from self._reader.settle()

    def _take_text(self, text: str, before: str) -> Iterator[Observation]:
        line = self._dialect.read(text)
        if line is None:
            self._leave_out(text)
            return
        if len(text) > LONGEST_MATCHED:
            self._summary.lose(TOO_LONG, text[:LONGEST_MATCHED])
            return
        if before and not line.prefix.strip():
            line = replace(line, prefix=before)
        for _ in range(MOST_GLUED):
            yield from self._take_line(line, text)
            if not line.tail:
                return
            # Another process may have printed into the same line.
            text = line.tail
            following = self._dialect.read(text)
            if following is None:
                break
            line = following
        self._summary.skip(f"texts behind the fields of the {line.form.name}", text)

    def _take_line(self, line: Line, text: str) -> Iterator[Observation]:
        if line.form.continued:
            self._open = line, text
        else:
            yield from self._reader.take(line, text)

    def _read_following(self, line: Line, chunk: bytes, position: int, stops: Container[int]) -> tuple[int, int]:
        """Add the fields on the lines from ``position`` on to ``line``; return their end and their number.

        Up to MOST_BETWEEN lines of other processes may be between them, but none that starts at one of ``stops``.
        """
        count = between = 0
        ahead = position
        while ahead < len(chunk) and ahead not in stops and between <= MOST_BETWEEN:
            end = chunk.find(b"\n", ahead)
            fields = line.form.read_following(decode(chunk[ahead:end]), line.prefix)
            ahead = end + 1
            if fields is None:
                between += 1
            else:
                line.fields.extend(fields)
                position, count, between = ahead, count + 1, 0
        return position, count

    def _close(self, *, ended: bool) -> Iterator[Observation]:
        if ended and self._open is not None:
            (line, text), self._open = self._open, None
            # Without fields, it only shows that training continues.
            yield from self._reader.take(line, text) if line.fields else ()

    def _leave_out(self, text: str) -> None:
        for dialect in self._others:
            if line := dialect.read(text):
                self._count_other(dialect, line, text)
                return
        form: Form | None = self._dialect.find_cut(text)
        if form is not None:
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
