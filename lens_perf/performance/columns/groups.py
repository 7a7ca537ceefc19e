"""Numbers groups of records: data sources, attempts, or pairs of both."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lens_perf.performance.m4.choice import Indices

# Up to this number of groups, comparing columns with each group is faster than a join.
FEW = 8


class Groups:
    """Numbers the distinct values of the columns ``keys`` from 0, in order of first appearance."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)
        self._numbers: dict[tuple[Any, ...], int] = {} if keys else {(): 0}

    @property
    def count(self) -> int:
        """The number of groups so far."""
        return len(self._numbers)

    @property
    def keys(self) -> Sequence[tuple[Any, ...]]:
        """The values of each group so far."""
        return list(self._numbers)

    def number(self, frame: pl.DataFrame) -> Indices:
        """Return the group number of each record of ``frame``."""
        if not self._keys:
            return np.zeros(frame.height, np.int64)
        found = self._find_few([frame[key] for key in self._keys])
        if found is not None:
            return found
        keys = frame.select(self._keys)
        distinct = keys.unique(maintain_order=True)
        numbers = [self._numbers.setdefault(key, len(self._numbers)) for key in distinct.rows()]
        numbered = distinct.with_columns(pl.Series("group", numbers, pl.Int64))
        joined = keys.join(numbered, on=self._keys, how="left", nulls_equal=True, maintain_order="left")
        return joined["group"].to_numpy()

    def _find_few(self, columns: Sequence[pl.Series]) -> Indices | None:
        """Return the group number of each record, None if there are more than FEW groups."""
        groups = np.full(len(columns[0]), -1)
        rest = len(groups)
        known = iter(list(self._numbers.items()))
        while rest:
            key, number = next(known, None) or self._add(tuple(column[int(groups.argmin())] for column in columns))
            if number >= FEW:
                return None
            mask = np.logical_and.reduce([_find(*each) for each in zip(key, columns, strict=True)])
            rest -= int(np.count_nonzero(mask))
            groups[mask] = number
        return groups

    def _add(self, key: tuple[object, ...]) -> tuple[tuple[object, ...], int]:
        return key, self._numbers.setdefault(key, len(self._numbers))


def split_rows(groups: Indices) -> Iterator[Indices]:
    """Yield the rows of each group in ascending order; ``groups`` are the numbers of the records' groups."""
    if len(groups):
        order = np.argsort(groups, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def _find(value: object, column: pl.Series) -> NDArray[np.bool_]:
    """Return a mask of the elements of ``column`` that are ``value``, which may be None."""
    if value is None and column.null_count() == len(column):
        return np.ones(len(column), np.bool_)  # without waking the threads of polars
    mask = column.is_null() if value is None else column == value
    return (mask.fill_null(value=False) if mask.has_nulls() else mask).to_numpy()
