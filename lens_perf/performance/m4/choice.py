"""M4: of the points of a bucket the first, last, least and greatest (U. Jugel et al., VLDB 2014), with numpy.

Points are rows of arrays, grouped: those of a group (a bucket of a series) are adjacent, in order of (created_at, id).
Of equal ones the first in this order is chosen, so that a choice stays while a workload grows. What is chosen of the
union of two sets is chosen of what was chosen of each: so points can be taken block by block.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_]
Indices = NDArray[np.int64]
Starts = NDArray[np.int64]
# Groups of so many points on average are searched one by one, which looks at each point once.
LARGE_GROUP = 256
# The order in which roles are filled where not all of them have room.
ROLES = ("last", "greatest", "least", "first", "non_finite")


def find_starts(*keys: Numbers) -> Starts:
    """Return where the groups of equal ``keys`` begin; the arrays are sorted by them."""
    changes = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
    return np.concatenate(([0], np.flatnonzero(changes) + 1))


def find_least(values: Numbers, starts: Starts) -> Indices:
    """Return the index of the first least of ``values`` in each group."""
    return _find_extremes(values, starts, np.minimum, np.ndarray.argmin)


def find_greatest(values: Numbers, starts: Starts) -> Indices:
    """Return the index of the first greatest of ``values`` in each group."""
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
    """Return the index of the last and of the first point along ``axis`` of each group."""
    return find_greatest(axis, starts), find_least(axis, starts)


def choose(ends: tuple[Indices, Indices], values: NDArray[np.float64], starts: Starts, roles: int) -> Indices:
    """Return the indices of the points chosen of each group, sorted, each once.

    ``ends`` are the last and the first point of each group. ``values`` that are not finite have no other role than
    these and ``non_finite``. ``roles`` is how many of ROLES there is room for.
    """
    last, first = ends
    others = ~np.isfinite(values)
    if not others.any():
        chosen = [last, find_greatest(values, starts), find_least(values, starts), first]
    else:
        greatest = find_greatest(np.where(others, -np.inf, values), starts)
        least = find_least(np.where(others, np.inf, values), starts)
        other = find_greatest(others, starts)
        # Where a group has no number, or nothing else, these are of no such kind.
        chosen = [last, greatest[~others[greatest]], least[~others[least]], first, other[others[other]]]
    return _sort_distinct(np.concatenate(chosen[:roles]))


def _sort_distinct(indices: Indices) -> Indices:
    """Return ``indices`` sorted, each once; ``np.unique`` hashes them first, which takes several times as long."""
    ordered = np.sort(indices)
    is_first = np.ones(len(ordered), np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_first[1:])
    return ordered[is_first]
