"""Computes the facts of a workload's progress, from all records or from an earlier state and the records since."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lens_perf.performance.progress.attempts import to_timestamp
from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.fold import (
    MOST_OPEN,
    Fold,
    PaceFellError,
    count_repeated,
    find_latest,
    find_lost,
    find_pauses,
)
from lens_perf.performance.progress.record_blocks import RecordBlock, Records, Target
from lens_perf.performance.progress.record_order import BEGINNING, REACH, CannotContinueError, Resume, order_records
from lens_perf.performance.progress.steps import Steps
from lens_perf.performance.progress.usual_pace import Intervals, Usual

MICROSECONDS = 1e6
PACE_PERCENTILES = (10, 50, 90)

# The beginning of a fold that always knows the usual pace.
HOLDING_ALL = Fold(intervals=Intervals().hold_all())

# Returns the blocks of records, one for each part, beginning with the part of this number.
ReadBlocks = Callable[[int], Iterable[RecordBlock]]


class Totals(NamedTuple):
    """The number of records, the times of the first and the last in microseconds since 2000, and the target."""

    records: int = 0
    first: int | None = None
    last: int | None = None
    target: Target = Target()

    def add(self, block: RecordBlock) -> "Totals":
        """Return the totals with ``block`` added."""
        times = block.records.times
        if not len(times):
            return self
        return Totals(
            records=self.records + len(times),
            first=int(times[0]) if self.first is None else self.first,
            last=int(times[-1]),
            target=self.target.follow(block.target),
        )


class Prefix(NamedTuple):
    """The state after the first ``order.parts`` parts, from which the computation can continue."""

    order: Resume = BEGINNING
    totals: Totals = Totals()
    fold: Fold = Fold()


def compute_facts(
    read_blocks: ReadBlocks, *, source: str | None = None, prefix: Prefix | None = None, reach: int = REACH
) -> tuple[ProgressFacts, Prefix | None]:
    """Return the facts of the records of all parts, which are in order of (time, id), and the state to continue from.

    The parts of ``prefix`` are not read again, unless the computation cannot continue from there. ``source`` is the
    data source, ``reach`` the number of records examined around a record in doubt. Takes up to 32 MiB of memory and a
    few blocks; if the usual pace has changed much, 8 bytes for each interval between two records, or 16 for one of more
    than 65,536 iterations.
    """
    start = prefix or Prefix()
    while True:
        try:
            return _continue(read_blocks, source, start, reach)
        except PaceFellError as error:
            start = Prefix(fold=HOLDING_ALL.assume(error.usual))
        except CannotContinueError:
            start = Prefix() if start.order.parts else Prefix(fold=HOLDING_ALL)


def _continue(
    read_blocks: ReadBlocks, source: str | None, start: Prefix, reach: int
) -> tuple[ProgressFacts, Prefix | None]:
    all_totals = [start.totals]

    def read_records() -> Iterator[Records]:
        for block in read_blocks(start.order.parts):
            all_totals.append(all_totals[-1].add(block))
            yield block.records

    fold, prefix = start.fold, start
    for part in order_records(read_records(), start.order, reach=reach):
        fold = fold.add(part.records)
        if part.resume is not None:
            prefix = Prefix(part.resume, all_totals[part.resume.parts - start.order.parts], fold)
    usual = fold.find_usual()
    known = prefix._replace(fold=prefix.fold.narrow(usual)) if prefix.order.parts else None
    is_small = known is not None and len(known.fold.open.positions) <= MOST_OPEN
    return _build_facts(source, all_totals[-1], fold, usual), known if is_small else None


def _build_facts(source: str | None, totals: Totals, fold: Fold, usual: Usual) -> ProgressFacts:
    if totals.first is None or totals.last is None or fold.last is None:
        return ProgressFacts(source=source)
    steps, pace = fold.open, usual.pace or 0.0
    paused = find_pauses(steps, pace) if usual.pace is not None else np.zeros(len(steps.positions))
    repeated = count_repeated(steps, usual.spacing)
    recent = find_latest(fold.recent.join(steps.take(steps.is_interval & (paused == 0))))
    measured, spacing = _measure_pace(recent)
    return ProgressFacts(
        source=source,
        records=totals.records,
        current_iteration=int(fold.last.iterations[-1]),
        target_iteration=totals.target.value,
        first_timestamp=to_timestamp(totals.first),
        last_timestamp=to_timestamp(totals.last),
        restarts=int(np.count_nonzero(steps.is_restart)),
        iterations_repeated=fold.repeated + int(repeated.sum()),
        seconds_wall=(totals.last - totals.first) / MICROSECONDS,
        seconds_lost=(fold.lost + float(find_lost(steps, pace, paused, repeated).sum())) / MICROSECONDS,
        seconds_paused=float(paused.sum()) / MICROSECONDS,
        intervals=len(recent.positions),
        first_recent=int(recent.previous.min()) if len(recent.positions) else None,
        last_recent=int(recent.current.max()) if len(recent.positions) else None,
        pace=measured,
        spacing_seconds=spacing,
        longest_wait=float(fold.waits.max()) / MICROSECONDS if len(fold.waits) else None,
        attempts=fold.attempts.list(),
    )


def _measure_pace(intervals: Steps) -> tuple[tuple[float, float, float] | None, float | None]:
    """Return the PACE_PERCENTILES of the seconds per iteration, and the median of the seconds between two records."""
    if not len(intervals.positions):
        return None, None
    seconds = intervals.microseconds / MICROSECONDS
    low, median, high = np.percentile(seconds / intervals.iterations, PACE_PERCENTILES)
    return (float(low), float(median), float(high)), float(np.median(seconds))
