"""Reads training logs: chooses the dialect by the beginning of a log, and reads its lines."""

from collections.abc import Iterable, Iterator

from lens_perf.ingest.logs.evidence import Evidence
from lens_perf.ingest.logs.line_reader import LineReader, skip_noise
from lens_perf.ingest.logs.lines import end_line
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation


def read_log(
    chunks: Iterable[bytes | None], summary: ReadSummary, options: LogOptions | None = None
) -> Iterator[Observation | Mark]:
    """Yield the observations in the ``chunks`` of a log; Mark.PAUSE for None.

    Each is of complete lines, or an incomplete line at the end of a file.
    """
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
        self._reader: LineReader | None = None

    def take(self, chunk: bytes) -> Iterator[Observation]:
        """Yield the observations in a chunk of lines, as soon as the dialect is known."""
        whole = end_line(chunk)
        lines = whole.count(b"\n")
        self._summary.read["lines"] += lines
        if self._reader is not None:
            yield from self._reader.take(chunk)
        elif self._evidence.take(whole):
            self._head.append(chunk)
            if self._evidence.is_enough:
                yield from self._choose()
        else:
            skip_noise(self._summary, whole, [], lines)

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
        self._reader = LineReader(dialect, self._evidence.markers, self._summary, self._options)
        head, self._head = self._head, []
        for chunk in head:
            yield from self._reader.take(chunk)
