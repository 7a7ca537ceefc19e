"""The buckets into which series are cut along an axis: as wide as needed, and always where they were.

A bucket is a power of two wide and begins at a multiple of it. All series of an answer have the same. While the axis
grows, buckets become too many only by doubling their width, so that each holds two whole ones of before.
"""

from dataclasses import dataclass
from math import frexp, inf, ldexp

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.int64] | NDArray[np.float64]
# Powers of two that a float64 can be.
LEAST_EXPONENT, GREATEST_EXPONENT = -1074, 1024


@dataclass(frozen=True)
class Buckets:
    """Buckets of a width of 2**exponent; None is a single bucket for all."""

    exponent: int | None

    @property
    def width(self) -> float:
        """The width on the axis, infinite where it is beyond what a float64 can be."""
        return inf if self.exponent is None or self.exponent >= GREATEST_EXPONENT else ldexp(1, self.exponent)

    def index(self, axis: Axis) -> Axis:
        """Return the number of the bucket of each value of ``axis``."""
        if self.exponent is None:
            return np.zeros_like(axis)
        if np.issubdtype(axis.dtype, np.integer):
            return np.right_shift(axis.astype(np.int64), self.exponent)
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.floor(np.ldexp(axis, -self.exponent))
        # A number so small that scaling took it to zero keeps its sign.
        scaled[(scaled == 0) & (axis < 0)] = -1
        return scaled


def choose_buckets(first: float, last: float, most: int) -> Buckets:
    """Return the narrowest buckets of which values from ``first`` to ``last`` need no more than ``most``.

    Integers are cut into buckets at least 1 wide. Numbers of both signs share a bucket only if ``most`` is 1, which is
    the single bucket for all.
    """
    if isinstance(first, int):
        exponents = range(64)
    else:
        width = (last / most) - (first / most)
        exponents = range(max(LEAST_EXPONENT, frexp(width)[1] - 2), GREATEST_EXPONENT + 1)
    for exponent in exponents:
        buckets = Buckets(exponent)
        begin, end = buckets.index(np.array([first, last])).tolist()
        if end - begin < most and abs(end) < inf:
            return buckets
    return Buckets(None)
