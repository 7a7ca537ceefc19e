"""Sorts records by group and bucket once, so that M4 can then be applied to each of their fields."""

import numpy as np
from numpy.typing import NDArray

from lens_perf.performance.m4.buckets import Axis, Buckets
from lens_perf.performance.m4.choice import Indices, choose, find_ends, find_starts

Mask = NDArray[np.bool_]


class BucketedRecords:
    """Records with the values ``axis`` on an axis; ``groups`` has the number, from 0, of each record's group."""

    def __init__(self, axis: Axis, groups: Indices, buckets: Buckets) -> None:
        numbers = buckets.index(axis)
        numbers = (numbers - numbers.min()).astype(np.int64)
        keys = groups * (numbers.max() + 1) + numbers
        # numpy sorts small integers in linear time.
        keys = keys.astype(np.uint16) if keys.max() < 2**16 else keys
        self._axis = axis
        self._order = np.arange(len(keys)) if (keys[1:] >= keys[:-1]).all() else np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._starts = find_starts(self._keys)
        self._ends = find_ends(axis[self._order], self._starts)

    def choose(self, values: NDArray[np.float64], mask: Mask | None, roles: int) -> Indices:
        """Return the indices of the records whose points are chosen, each once.

        ``values`` are those of one field, and ``mask`` says which records have a point, None for all. ``roles`` is the
        maximum number of points for each bucket, see ``choice.choose``.
        """
        order, starts, ends = self._order, self._starts, self._ends
        if mask is not None:
            present = mask[order]
            order = order[present]
            if not len(order):
                return order
            starts = find_starts(self._keys[present])
            ends = find_ends(self._axis[order], starts)
        return order[choose(ends, values[order], starts, roles)]
