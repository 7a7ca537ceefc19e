"""Measures steps: the time and the iterations between consecutive records, as arrays."""

from typing import NamedTuple

import numpy as np

from lens_perf.performance.progress.record_blocks import Booleans, Floats, Integers, Records, concatenate, find_restarts


class Steps(NamedTuple):
    """Steps between two records; all arrays have the same length.

    ``positions`` are those of the second records among all records, ``previous`` and ``current`` the iterations of both
    records, and ``reached`` the highest iteration before the second one. ``microseconds`` is 0 if the clock went back;
    ``is_interval`` is then false.
    """

    positions: Integers
    previous: Integers
    current: Integers
    reached: Integers
    microseconds: Floats
    is_restart: Booleans
    is_interval: Booleans

    @property
    def iterations(self) -> Integers:
        """The number of iterations that each step adds."""
        return self.current - self.previous

    def take(self, rows: Integers | Booleans) -> "Steps":
        """Return a copy of the steps at ``rows``."""
        return Steps._make(column[rows] for column in self)

    def join(self, later: "Steps") -> "Steps":
        """Return these steps followed by ``later``."""
        return Steps._make(map(np.concatenate, zip(self, later, strict=True)))


_NONE = np.empty(0, np.int64)
NO_STEPS = Steps(_NONE, _NONE, _NONE, _NONE, _NONE.astype(float), _NONE.astype(bool), _NONE.astype(bool))


def measure_steps(last: Records | None, records: Records, *, position: int, reached: int) -> Steps:
    """Return the steps to ``records``, the first of which is at ``position``.

    ``last`` is the record before them, if there is one, and ``reached`` is the highest iteration up to it.
    """
    joined = records if last is None else concatenate((last, records))
    previous, current = joined.iterations[:-1], joined.iterations[1:]
    is_forward = joined.times[1:] >= joined.times[:-1]
    # The range from 4713 BC to 294276 AD exceeds int64, but the difference modulo 2**64 is right as an unsigned number.
    microseconds = np.diff(joined.times.view(np.uint64)).astype(np.float64)
    is_restart = find_restarts(joined)
    return Steps(
        positions=np.arange(position + len(records.ids) - len(current), position + len(records.ids)),
        previous=previous,
        current=current,
        reached=np.maximum(np.maximum.accumulate(previous), reached),
        microseconds=np.where(is_forward, microseconds, 0.0),
        is_restart=is_restart,
        is_interval=is_forward & ~is_restart & (current > previous),
    )
