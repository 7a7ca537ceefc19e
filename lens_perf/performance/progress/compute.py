"""Computes the facts of a workload's progress from its records, in two passes: usual values, then deviations."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np

from lens_perf.performance.progress.attempts import AttemptList, to_timestamp
from lens_perf.performance.progress.facts import NonFiniteMetric, ProgressFacts
from lens_perf.performance.progress.record_blocks import Booleans, Floats, Integers, RecordBlock, Records
from lens_perf.performance.progress.record_order import order_records
from lens_perf.performance.progress.steps import Steps, walk_steps
from lens_perf.performance.progress.usual_pace import Usual, measure_usual

RECENT_INTERVALS = 100
PAUSE_FACTOR = 5
PAUSE_MICROSECONDS = 10_000_000
MICROSECONDS = 1e6
# Reading a workload from its copy takes as long as computing its facts, so this many records of 32 bytes are kept for
# the second pass.
MOST_KEPT = 2**20
PACE_PERCENTILES = (10, 50, 90)

ReadBlocks = Callable[[], Iterable[RecordBlock]]


def compute_facts(
    read_blocks: ReadBlocks, *, source: str | None = None, non_finite: tuple[NonFiniteMetric, ...] = ()
) -> ProgressFacts:
    """Return the facts of the records that ``read_blocks`` yields, twice the same, in the order (time, id).

    Holds 8 bytes for each interval between two records, 12 where most intervals have more than 65,536 iterations,
    and MOST_KEPT records and a few blocks.
    """
    ordered = _OrderedRecords(read_blocks)
    totals = _Totals(measure_usual(walk_steps(ordered)))
    for steps in walk_steps(ordered):
        totals.add(steps)
    survey = ordered.survey
    if survey.first is None or survey.last is None:
        return ProgressFacts(source=source, non_finite=non_finite)
    pace, spacing = totals.recent.measure()
    return ProgressFacts(
        source=source,
        records=survey.records,
        current_iteration=totals.current,
        target_iteration=survey.target,
        first_timestamp=to_timestamp(survey.first),
        last_timestamp=to_timestamp(survey.last),
        restarts=totals.restarts,
        iterations_repeated=totals.repeated,
        seconds_wall=(survey.last - survey.first) / MICROSECONDS,
        seconds_lost=totals.lost / MICROSECONDS,
        seconds_paused=totals.paused / MICROSECONDS,
        intervals=len(totals.recent.microseconds),
        first_recent=totals.recent.first_iteration,
        last_recent=totals.recent.last_iteration,
        pace=pace,
        spacing_seconds=spacing,
        longest_wait=float(totals.waits.max()) / MICROSECONDS if len(totals.waits) else None,
        attempts=totals.attempts.list(),
        non_finite=non_finite,
    )


class _OrderedRecords:
    """The records in order, for repeated iteration. Up to MOST_KEPT are read only once."""

    def __init__(self, read_blocks: ReadBlocks) -> None:
        self._read_blocks = read_blocks
        self._kept: list[Records] | None = None
        self.survey = _Survey()

    def __iter__(self) -> Iterator[Records]:
        if self._kept is not None:
            yield from self._kept
            return
        self.survey = _Survey()
        kept: list[Records] = []
        for part in order_records(self.survey.watch(self._read_blocks())):
            if self.survey.records <= MOST_KEPT:
                kept.append(part)
            else:
                kept.clear()
            yield part
        if self.survey.records <= MOST_KEPT:
            self._kept = kept


class _Survey:
    """Facts noted in the first pass: the number of records, the first and last time, and the target."""

    def __init__(self) -> None:
        self.records = 0
        self.first: int | None = None
        self.last: int | None = None
        self.target: int | None = None
        self._target_at: int | None = None

    def watch(self, blocks: Iterable[RecordBlock]) -> Iterator[Records]:
        for block in blocks:
            times = block.records.times
            self.records += len(times)
            self.first = int(times[0]) if self.first is None else self.first
            self.last = int(times[-1])
            if block.target_at is not None and (self._target_at is None or block.target_at >= self._target_at):
                self._target_at, self.target = block.target_at, block.target
            yield block.records


class _Recent:
    """The latest RECENT_INTERVALS intervals that are not pauses."""

    def __init__(self) -> None:
        self.previous = self.current = np.empty(0, np.int64)
        self.microseconds = np.empty(0, np.float64)

    def add(self, steps: Steps, chosen: Booleans) -> None:
        rows = np.flatnonzero(chosen)[-RECENT_INTERVALS:]
        self.previous = np.concatenate((self.previous, steps.previous[rows]))[-RECENT_INTERVALS:]
        self.current = np.concatenate((self.current, steps.current[rows]))[-RECENT_INTERVALS:]
        self.microseconds = np.concatenate((self.microseconds, steps.microseconds[rows]))[-RECENT_INTERVALS:]

    def measure(self) -> tuple[tuple[float, float, float] | None, float | None]:
        """Return the percentiles of the pace and the median spacing, in seconds."""
        if not len(self.microseconds):
            return None, None
        seconds = self.microseconds / MICROSECONDS
        low, median, high = np.percentile(seconds / (self.current - self.previous), PACE_PERCENTILES)
        return (float(low), float(median), float(high)), float(np.median(seconds))

    @property
    def first_iteration(self) -> int | None:
        return int(self.previous.min()) if len(self.previous) else None

    @property
    def last_iteration(self) -> int | None:
        return int(self.current.max()) if len(self.current) else None


class _Totals:
    """Sums over the steps of a workload with a known usual pace. Spans in microseconds."""

    def __init__(self, usual: Usual) -> None:
        self._usual = usual
        self.current: int | None = None
        self.restarts = 0
        self.repeated = 0
        self.lost = 0.0
        self.paused = 0.0
        self.recent = _Recent()
        self.waits = np.empty(0, np.float64)
        self.attempts = AttemptList()

    def add(self, steps: Steps) -> None:
        self.attempts.add(steps)
        self.current = int(steps.records.iterations[-1])
        paused = self._find_pauses(steps)
        repeated = self._count_repeated(steps)
        self.restarts += int(np.count_nonzero(steps.is_restart))
        self.repeated += int(repeated.sum())
        self.paused += float(paused.sum())
        self.lost += float(self._find_lost(steps, paused, repeated).sum())
        self.recent.add(steps, steps.is_interval & (paused == 0))
        self.waits = np.concatenate((self.waits, steps.microseconds[~steps.is_restart]))[-RECENT_INTERVALS:]

    def _find_pauses(self, steps: Steps) -> Floats:
        """Return the time that each step took beyond the usual time of its iterations, if it is a pause."""
        if self._usual.pace is None:
            return np.zeros(len(steps.iterations))
        # Times are whole microseconds, so exactly ten seconds more are a pause whatever the fractions of the median.
        expected = np.rint(self._usual.pace * np.maximum(0, steps.iterations))
        beyond = steps.microseconds - expected
        is_pause = (beyond >= PAUSE_MICROSECONDS) & (steps.microseconds > PAUSE_FACTOR * expected)
        return np.where(is_pause & ~steps.is_restart, beyond, 0.0)

    def _count_repeated(self, steps: Steps) -> Integers:
        """Return the number of redone iterations of each step."""
        spacing = 1 if self._usual.spacing is None else self._usual.spacing
        start = np.where(steps.is_restart, steps.current - spacing, steps.previous)
        repeated: Integers = np.maximum(0, np.minimum(steps.current, steps.reached) - start)
        return repeated

    def _find_lost(self, steps: Steps, paused: Floats, repeated: Integers) -> Floats:
        """Return the time lost in each step: around a restart without its new iterations, and in redone iterations."""
        new = np.maximum(0, steps.current - steps.reached)
        at_restart = np.maximum(0.0, steps.microseconds - (self._usual.pace or 0.0) * new)
        share = repeated / np.maximum(1, steps.iterations)
        return np.where(steps.is_restart, at_restart, (steps.microseconds - paused) * share)
