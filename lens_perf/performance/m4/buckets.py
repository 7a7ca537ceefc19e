"""Divides an axis into buckets whose limits do not move while a workload grows.

The width of a bucket is a power of two, and a bucket begins at a multiple of its width. All series of an answer have
the same buckets. When there would be too many, the width is doubled, so that each new bucket consists of two old ones.
"""

from dataclasses import dataclass
from math import frexp, inf, ldexp

import numpy as np
from numpy.typing import NDArray

Axis = NDArray[np.int64] | NDArray[np.float64]
# The exponents of the lowest power of two that a float64 can represent, and of the first one that it cannot.
LEAST_EXPONENT, GREATEST_EXPONENT = -1074, 1024


@dataclass(frozen=True)
class Buckets:
    """Buckets of the width 2**exponent; None means a single bucket."""

    exponent: int | None

    @property
    def width(self) -> float:
        """The width on the axis, infinite if it exceeds float64 or if there is a single bucket."""
        return inf if self.exponent is None or self.exponent >= GREATEST_EXPONENT else ldexp(1, self.exponent)

    def index(self, axis: Axis) -> Axis:
        """Return the number of the bucket of each value of ``axis``."""
        if self.exponent is None:
            return np.zeros_like(axis)
        if np.issubdtype(axis.dtype, np.integer):
            return np.right_shift(axis.astype(np.int64), self.exponent)
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.floor(np.ldexp(axis, -self.exponent))
        # Scaling may round a negative number to zero; it still belongs to bucket -1.
        scaled[(scaled == 0) & (axis < 0)] = -1
        return scaled


def choose_buckets(first: float, last: float, most: int) -> Buckets:
    """Return the narrowest buckets of which at most ``most`` cover the values from ``first`` to ``last``.

    For integers, the width is at least 1. Because buckets begin at multiples of their width, values of both signs never
    share a bucket unless ``most`` is 1: then there is a single bucket.
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
