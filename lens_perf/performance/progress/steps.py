"""Steps: the time and the iterations between consecutive records, block by block, as arrays."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np

from lens_perf.performance.progress.record_blocks import Booleans, Floats, Integers, Records, concatenate
from lens_perf.performance.progress.record_order import find_restarts


class Steps(NamedTuple):
    """The steps that lead to ``records``, except the first record of all.

    ``previous`` is the iteration before each step, ``iterations`` the number it adds, ``reached`` the highest iteration
    before it; ``microseconds`` is 0 where the clock went back, which ``is_interval`` excludes.
    """

    records: Records
    previous: Integers
    current: Integers
    iterations: Integers
    reached: Integers
    microseconds: Floats
    is_restart: Booleans
    is_interval: Booleans


def walk_steps(parts: Iterable[Records]) -> Iterator[Steps]:
    """Yield the steps of the records of ``parts``, which are in order."""
    last: Records | None = None
    reached = -(2**63)
    for part in parts:
        joined = part if last is None else concatenate((last, part))
        steps = _measure(joined, part, reached)
        reached = max(reached, int(part.iterations.max()), int(joined.iterations[0]))
        last = part.take(slice(-1, None))
        yield steps


def _measure(joined: Records, part: Records, reached: int) -> Steps:
    previous, current = joined.iterations[:-1], joined.iterations[1:]
    iterations = current - previous
    goes_on = joined.times[1:] >= joined.times[:-1]
    # The span from 4713 BC to 294276 AD exceeds an int64; modulo 2**64 the difference is right as unsigned.
    microseconds = np.diff(joined.times.view(np.uint64)).astype(np.float64)
    is_restart = find_restarts(joined)
    return Steps(
        records=part,
        previous=previous,
        current=current,
        iterations=iterations,
        reached=np.maximum(np.maximum.accumulate(previous), reached),
        microseconds=np.where(goes_on, microseconds, 0.0),
        is_restart=is_restart,
        is_interval=goes_on & ~is_restart & (iterations > 0),
    )
