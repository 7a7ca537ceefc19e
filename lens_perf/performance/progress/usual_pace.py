"""The usual pace and spacing of a workload: medians over all intervals, with 8 to 12 bytes per interval."""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lens_perf.performance.progress.record_blocks import Floats, Integers
from lens_perf.performance.progress.steps import Steps

# Spacings below this are counted in a table; others are rare.
COUNTED_SPACINGS = 2**16


@dataclass(frozen=True)
class Usual:
    """The median of the microseconds per iteration of all intervals, and that of their iterations; None without any."""

    pace: float | None
    spacing: int | None


def measure_usual(all_steps: Iterable[Steps]) -> Usual:
    """Return the usual pace and spacing of a workload."""
    paces, counts, wide = array("d"), np.zeros(COUNTED_SPACINGS, np.int64), array("q")
    for steps in all_steps:
        iterations = steps.iterations[steps.is_interval]
        paces.frombytes((steps.microseconds[steps.is_interval] / iterations).tobytes())
        narrow = iterations < COUNTED_SPACINGS
        counts += np.bincount(iterations[narrow], minlength=COUNTED_SPACINGS)
        wide.frombytes(iterations[~narrow].tobytes())
    if not paces:
        return Usual(None, None)
    return Usual(_find_median(np.frombuffer(paces)), _find_spacing(counts, np.frombuffer(wide, np.int64), len(paces)))


def _find_median(values: Floats) -> float:
    """Return the median; reorders the values."""
    middle = len(values) // 2
    values.partition([middle - 1, middle] if len(values) % 2 == 0 else middle)
    return float(values[middle - 1 : middle + 1].mean() if len(values) % 2 == 0 else values[middle])


def _find_spacing(counts: Integers, wide: Integers, intervals: int) -> int:
    """Return the lower median of the iterations of all intervals."""
    rank = (intervals - 1) // 2
    reached = np.cumsum(counts)
    if rank < reached[-1]:
        return int(np.searchsorted(reached, rank, side="right"))
    wide.partition(rank - int(reached[-1]))
    return int(wide[rank - int(reached[-1])])
