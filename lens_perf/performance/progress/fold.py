"""Sums over the steps of a workload, to which the steps of later records can be added."""

from dataclasses import dataclass, field, replace

import numpy as np

from lens_perf.performance.progress.attempts import Attempts
from lens_perf.performance.progress.record_blocks import Booleans, Floats, Integers, Records
from lens_perf.performance.progress.record_order import CannotContinueError
from lens_perf.performance.progress.steps import NO_STEPS, Steps, measure_steps
from lens_perf.performance.progress.usual_pace import Intervals, Usual

RECENT_INTERVALS = 100
PAUSE_FACTOR = 5
PAUSE_MICROSECONDS = 10_000_000
# Lower than any iteration.
NOT_REACHED = -(2**63)
# Later intervals may lower the usual pace by a fifth before everything must be computed again.
LEAST_SHARE = 0.8
MOST_OPEN = 2**16


class PaceFellError(CannotContinueError):
    """The usual pace has fallen below ``least_pace`` of a fold; ``usual`` is the current one."""

    def __init__(self, usual: Usual) -> None:
        super().__init__()
        self.usual = usual


@dataclass(frozen=True)
class Fold:
    """Sums over all steps up to the record ``last``, except ``open`` steps. Durations are in microseconds.

    The usual pace, which later records change, decides which steps are pauses and how much time a restart cost. So
    restarts, and steps that are pauses at ``least_pace``, a pace below the usual one, remain ``open``. ``recent`` are
    the latest other intervals, ``waits`` the durations of the latest steps except restarts, and ``reached`` is the
    highest iteration.
    """

    records: int = 0
    last: Records | None = None
    reached: int = NOT_REACHED
    least_pace: float = 0.0
    open: Steps = NO_STEPS
    recent: Steps = NO_STEPS
    waits: Floats = field(default_factory=lambda: NO_STEPS.microseconds)
    intervals: Intervals = field(default_factory=Intervals)
    attempts: Attempts = field(default_factory=Attempts)
    repeated: int = 0
    lost: float = 0.0

    def add(self, records: Records) -> "Fold":
        """Return the sums with ``records`` added, which follow the previous ones."""
        steps = measure_steps(self.last, records, position=self.records, reached=self.reached)
        is_open = steps.is_restart | (find_pauses(steps, self.least_pace) > 0)
        opened = steps.take(is_open)
        added = replace(
            self,
            records=self.records + len(records.ids),
            last=records.take(np.array([-1])),  # a copy: a view would keep the block
            reached=max(self.reached, int(records.iterations.max())),
            open=self.open.join(opened),
            waits=np.concatenate((self.waits, steps.microseconds[~steps.is_restart][-RECENT_INTERVALS:]))[
                -RECENT_INTERVALS:
            ],
            intervals=self.intervals.add(steps),
            attempts=self.attempts.add(records, steps.is_restart),
        )
        return added._close(steps.take(~is_open) if len(opened.positions) else steps)._shorten()

    def find_usual(self) -> Usual:
        """Return the usual pace and spacing.

        Raises CannotContinueError if they are not known exactly, PaceFellError if ``least_pace`` is too high.
        """
        usual = self.intervals.find_usual()
        if usual is None:
            raise CannotContinueError
        if usual.pace is not None and usual.pace < self.least_pace:
            raise PaceFellError(usual)
        return usual

    def narrow(self, usual: Usual) -> "Fold":
        """Return the sums without values that are needed only if the usual pace changes much."""
        return replace(self.assume(usual), intervals=self.intervals.narrow())

    def assume(self, usual: Usual) -> "Fold":
        """Return the sums with ``least_pace`` a little below the usual pace, which leaves fewer open steps."""
        if usual.pace is None:
            return self
        least_pace = max(self.least_pace, LEAST_SHARE * usual.pace)
        is_open = self.open.is_restart | (find_pauses(self.open, least_pace) > 0)
        return replace(self, least_pace=least_pace, open=self.open.take(is_open))._close(self.open.take(~is_open))

    def _shorten(self) -> "Fold":
        """Return the sums with fewer open steps if there are many: in a slow workload, each step may be a pause."""
        known = self.open.is_restart.sum() * 2 + MOST_OPEN
        usual = self.intervals.find_usual() if self.least_pace == 0 and len(self.open.positions) > known else None
        return self if usual is None else self.assume(usual)

    def _close(self, steps: Steps) -> "Fold":
        """Return the sums with ``steps`` added, which are neither restarts nor pauses."""
        rows = np.flatnonzero(steps.is_interval)[-RECENT_INTERVALS:]
        redone = steps.take(np.flatnonzero(steps.reached > steps.previous))
        repeated = count_repeated(redone, None)
        return replace(
            self,
            recent=find_latest(self.recent.join(steps.take(rows))),
            repeated=self.repeated + int(repeated.sum()),
            lost=self.lost + float(find_lost(redone, 0.0, np.zeros(len(repeated)), repeated).sum()),
        )


def find_latest(intervals: Steps) -> Steps:
    """Return the latest RECENT_INTERVALS of ``intervals``."""
    return intervals.take(np.argsort(intervals.positions)[-RECENT_INTERVALS:])


def find_pauses(steps: Steps, pace: float) -> Floats:
    """Return the excess time of each step over ``pace`` times its iterations if it is a pause, else 0; in microseconds.

    A lower pace has the same pauses, and possibly more.
    """
    # Rounded like the times, so that a step is a pause at exactly ten seconds, whatever the fraction of the median.
    expected = np.rint(pace * np.maximum(0, steps.iterations))
    beyond = steps.microseconds - expected
    is_pause: Booleans = (beyond >= PAUSE_MICROSECONDS) & (steps.microseconds > PAUSE_FACTOR * expected)
    return np.where(is_pause & ~steps.is_restart, beyond, 0.0)


def count_repeated(steps: Steps, spacing: int | None) -> Integers:
    """Return the number of redone iterations of each step; ``spacing`` is the usual number of iterations."""
    start = np.where(steps.is_restart, steps.current - (spacing or 1), steps.previous)
    repeated: Integers = np.maximum(0, np.minimum(steps.current, steps.reached) - start)
    return repeated


def find_lost(steps: Steps, pace: float, paused: Floats, repeated: Integers) -> Floats:
    """Return the microseconds lost in each step: at a restart, beyond its new iterations, and in redone iterations.

    They are whole numbers, so that their sum does not depend on the order of the steps.
    """
    new = np.maximum(0, steps.current - steps.reached)
    at_restart = np.maximum(0.0, steps.microseconds - pace * new)
    share = repeated / np.maximum(1, steps.iterations)
    return np.rint(np.where(steps.is_restart, at_restart, (steps.microseconds - paused) * share))
