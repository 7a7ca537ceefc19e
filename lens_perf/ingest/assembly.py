"""Assembles observations into records: one for each iteration, with restarts and repetitions counted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from lens_perf.errors import ImportInputError
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, MetricValue, Observation, Performance, Record

# Records that wait for more metrics. Metrics of one iteration are written close to each other; later ones are added to
# the record in the table.
MOST_OPEN_RECORDS = 1000
LARGEST_ITERATION = LARGEST_SERIAL = 2**31 - 1


class Repetition(Enum):
    """What it means if a series reports the same iteration again, with other values."""

    RESTART = "the program was started again"
    ANOTHER_RECORD = "there is more than one value for the iteration"


@dataclass(slots=True)
class _OpenRecord:
    created_at: datetime | None
    performance: dict[str, MetricValue] = field(default_factory=dict)
    changed: bool = False
    counted: bool = False


@dataclass(slots=True)
class _SeriesState:
    """The state of a series: its last iteration, the metrics reported for it, and the session."""

    iteration: int
    ordinal: int
    performance: Performance
    session: int


def assemble(
    observations: Iterable[Observation | Mark],
    summary: ReadSummary,
    *,
    first_serial: int = 0,
    repetition: Repetition = Repetition.RESTART,
    metadata: frozenset[str] = frozenset(),
) -> Iterator[Record | None]:
    """Yield the records assembled from ``observations``; None where everything read so far should be stored.

    Memory is constant: a record is yielded when ``MOST_OPEN_RECORDS`` newer ones are open. Within an open record the
    first value of a metric is kept. Fields in ``metadata`` are stored, but are not metrics: they are not counted, and
    do not distinguish records. Raises ImportInputError if a restart would get a serial beyond what the table can hold.
    """
    assembler = _Assembler(summary, first_serial, repetition, metadata)
    for observation in observations:
        if isinstance(observation, Observation):
            if assembler.add(observation) > MOST_OPEN_RECORDS:
                yield from assembler.take_oldest()
        elif observation is Mark.PAUSE:
            yield from assembler.take_changed()
            yield None
        else:
            assembler.start_session()
    yield from assembler.take_changed()


class _Assembler:
    def __init__(
        self, summary: ReadSummary, first_serial: int, repetition: Repetition, metadata: frozenset[str]
    ) -> None:
        self._summary = summary
        self._metadata = metadata
        self._serial = first_serial
        self._repetition = repetition
        self._session = 0
        self._series: dict[str, _SeriesState] = {}
        self._open: dict[tuple[int, int | None, int], _OpenRecord] = {}
        self._more: dict[tuple[int, int], int] = {}
        self._without_iteration = 0

    def start_session(self) -> None:
        """Treat what follows as the output of another start of the program, which may report an iteration again."""
        self._session += 1

    def add(self, observation: Observation) -> int:
        """Add the observation to its record; return the number of open records."""
        ordinal = self._place(observation)
        if ordinal is not None:
            key = (self._serial, observation.iteration, ordinal)
            record = self._open.get(key)
            if record is None:
                record = self._open[key] = _OpenRecord(observation.created_at)
            self._merge(record, observation)
        return len(self._open)

    def take_oldest(self) -> Iterator[Record]:
        """Close the oldest record, and yield it unless it has been yielded."""
        oldest = next(iter(self._open))
        yield from self._take(oldest)
        del self._open[oldest]

    def take_changed(self) -> Iterator[Record]:
        """Yield the records that have not been yielded yet; they stay open."""
        for key in list(self._open):
            yield from self._take(key)

    def _place(self, observation: Observation) -> int | None:
        """Return the record to which an observation adds, counting restarts; None if it adds nothing."""
        series, iteration, _, performance = observation
        if iteration is not None and abs(iteration) > LARGEST_ITERATION:
            self._summary.lose("iterations beyond what the table can hold", str(iteration))
            return None
        if iteration is None:
            self._without_iteration += 1
            return self._without_iteration - 1
        if series is None:
            return self._find_room(iteration, performance)
        last = self._series.get(series)
        ordinal = 0
        if last is not None and iteration <= last.iteration:
            if iteration < last.iteration or self._is_redone(last, observation):
                self._restart()
            elif self._repetition is Repetition.RESTART and not self._find_news(last, performance):
                self._summary.skip("lines printed twice")
                return None
            else:
                ordinal = self._count_repetition(last, performance)
            last = self._series.get(series)  # reset by a restart
        if last is None:
            self._series[series] = _SeriesState(iteration, ordinal, performance, self._session)
        else:
            last.iteration, last.ordinal = iteration, ordinal
            last.performance, last.session = performance, self._session
        return ordinal

    def _find_room(self, iteration: int, performance: Performance) -> int:
        """Return the first record of an iteration that has no other values of the metrics."""
        ordinal = self._more.get((self._serial, iteration), 0)
        record = self._open.get((self._serial, iteration, ordinal))
        if record is None or self._agree(record.performance, performance):
            return ordinal
        self._more[self._serial, iteration] = ordinal + 1
        return ordinal + 1

    def _is_redone(self, last: _SeriesState, observation: Observation) -> bool:
        """Return whether the iteration, the same as the last one, was trained again."""
        if self._repetition is Repetition.RESTART:
            return not self._agree(last.performance, observation.performance)
        return self._session != last.session

    def _count_repetition(self, last: _SeriesState, performance: Performance) -> int:
        if self._repetition is Repetition.RESTART:
            return last.ordinal
        record = self._open.get((self._serial, last.iteration, last.ordinal))
        taken = record is None or any(name in record.performance for name in performance if name not in self._metadata)
        return last.ordinal + taken

    def _restart(self) -> None:
        if self._serial == LARGEST_SERIAL:
            raise ImportInputError(
                f"training was restarted after serial {LARGEST_SERIAL:,}, the largest that the table can hold: choose a"
                " lower --serial"
            )
        self._serial += 1
        self._summary.restarts += 1
        self._series.clear()
        self._without_iteration = 0

    def _merge(self, record: _OpenRecord, observation: Observation) -> None:
        reported, counts = record.performance, self._summary.metrics
        for name, value in observation.performance.items():
            if name in reported:
                continue
            reported[name] = value
            record.changed = True
            if name not in self._metadata:
                # Not update(), which takes three times as long for few names.
                counts[name] = counts.get(name, 0) + 1
                self._summary.non_finite += isinstance(value, str)
        if record.created_at is None and observation.created_at is not None:
            record.created_at, record.changed = observation.created_at, True

    def _take(self, key: tuple[int, int | None, int]) -> Iterator[Record]:
        record, (serial, iteration, ordinal) = self._open[key], key
        if not record.changed:
            return
        if not record.counted:
            self._summary.note_record(iteration, timed=record.created_at is not None)
        record.changed, record.counted = False, True
        yield Record(iteration, record.created_at, serial, dict(record.performance), ordinal)

    def _find_news(self, last: _SeriesState, performance: Performance) -> set[str]:
        return performance.keys() - last.performance.keys() - self._metadata

    def _agree(self, earlier: Performance, later: Performance) -> bool:
        """Return whether two reports have no metric with different values."""
        common = earlier.keys() & later.keys() - self._metadata
        return all(earlier[name] == later[name] for name in common)
