"""M4: the first, last, lowest and highest point of each bucket (U. Jugel et al., VLDB 2014), with numpy.

Points are rows of arrays. Those of a group (a bucket of a series) are adjacent, in the order of (created_at, id). Among
equal points, the first in this order is chosen, so that choices remain the same while a workload grows. Choosing among
the points chosen from two sets gives the same result as choosing from their union, so points can be processed block by
block.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]
Indices = NDArray[np.int64]
Starts = NDArray[np.int64]
# Groups with more points than this on average are searched one by one, which reads each point only once.
LARGE_GROUP = 256
# The roles of points, the most important ones first. If fewer points are allowed, the last roles are left out.
ROLES = ("last", "greatest", "least", "first", "non_finite")


def find_starts(*keys: Numbers) -> Starts:
    """Return the indices at which groups of equal ``keys`` begin. The arrays are sorted, so equal keys are adjacent."""
    changes = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def find_least(values: Numbers, starts: Starts) -> Indices:
    """Return the index of the lowest of ``values`` in each group, the first among equal ones."""
    return _find_extremes(values, starts, np.minimum, np.ndarray.argmin)


def find_greatest(values: Numbers, starts: Starts) -> Indices:
    """Return the index of the highest of ``values`` in each group, the first among equal ones."""
    return _find_extremes(values, starts, np.maximum, np.ndarray.argmax)


def _find_extremes(
    values: Numbers, starts: Starts, extreme: np.ufunc, find: Callable[[Numbers], np.integer[Any]]
) -> Indices:
    ends = np.append(starts[1:], len(values))
    if len(starts) * LARGE_GROUP < len(values):
        return np.array([start + find(values[start:end]) for start, end in zip(starts, ends, strict=True)])
    hits = np.flatnonzero(values == np.repeat(extreme.reduceat(values, starts), ends - starts))
    return hits[np.searchsorted(hits, starts)]


def find_ends(axis: Numbers, starts: Starts) -> tuple[Indices, Indices]:
    """Return the indices of the last and of the first point along ``axis`` in each group."""
    return find_greatest(axis, starts), find_least(axis, starts)


def choose(ends: tuple[Indices, Indices], values: NDArray[np.float64], starts: Starts, roles: int) -> Indices:
    """Return the indices of the points chosen in each group, sorted, each once.

    ``ends`` are the indices of the last and the first point of each group. Points whose ``values`` are not finite can
    only have these two roles and ``non_finite``. ``roles`` is the number of ROLES to use.
    """
    last, first = ends
    others = ~np.isfinite(values)
    if not others.any():
        chosen = [last, find_greatest(values, starts), find_least(values, starts), first]
    else:
        greatest = find_greatest(np.where(others, -np.inf, values), starts)
        least = find_least(np.where(others, np.inf, values), starts)
        other = find_greatest(others, starts)
        # In a group without finite values or without others, the index found has a value of the wrong kind.
        chosen = [last, greatest[~others[greatest]], least[~others[least]], first, other[others[other]]]
    return sort_distinct(np.concatenate(chosen[:roles]))


def sort_distinct(indices: Indices) -> Indices:
    """Return ``indices`` sorted, each once. ``np.unique`` takes several times as long, because it hashes them first."""
    ordered = np.sort(indices)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
