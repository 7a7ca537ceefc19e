"""Finds spikes of a loss; docs/watching.rst has the rule, its reasons and its accuracy."""

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite
from statistics import median
from typing import NamedTuple

# A spike is compared with this many values before it, and has at least this many values.
BASE = 100
LENGTH = 3
# It exceeds the median by this many standard deviations, estimated from the median absolute deviation, and by this
# fraction of the median: losses of large batches vary much less.
DEVIATIONS = 6
LEAST_SHARE = 0.1
DEVIATION_OF_NORMAL = 1.4826


class LossPoint(NamedTuple):
    """A value of a loss, and its iteration."""

    iteration: int
    value: float


class Spike(NamedTuple):
    """A spike: its first iteration, the lowest of its first LENGTH values, and the median before it."""

    iteration: int
    value: float
    usual: float


def find_spikes(points: Sequence[LossPoint], after: int) -> list[Spike]:
    """Return the spikes of the last attempt in ``points`` with one of their first LENGTH values after ``after``."""
    attempt = [point for point in _last_attempt(points) if isfinite(point.value)]
    found: list[Spike] = []
    goes_on = False
    for end in range(BASE + LENGTH, len(attempt) + 1):
        start = end - LENGTH
        usual, limit = _measure([point.value for point in attempt[start - BASE : start]])
        lowest = min(point.value for point in attempt[start:end])
        if lowest > limit and not goes_on and attempt[end - 1].iteration > after:
            found.append(Spike(attempt[start].iteration, lowest, usual))
        goes_on = lowest > limit or (goes_on and attempt[end - 1].value > limit)
    return found


def _measure(base: Sequence[float]) -> tuple[float, float]:
    """Return the median of ``base``, and the limit above which a value belongs to a spike."""
    usual = median(base)
    deviation = DEVIATION_OF_NORMAL * median(abs(value - usual) for value in base)
    return usual, usual + max(DEVIATIONS * deviation, LEAST_SHARE * abs(usual))


def _last_attempt(points: Sequence[LossPoint]) -> Sequence[LossPoint]:
    """Return the points after the last decrease of the iteration."""
    falls = [place for place, (before, each) in enumerate(pairwise(points), 1) if each.iteration < before.iteration]
    return points[falls[-1] :] if falls else points
