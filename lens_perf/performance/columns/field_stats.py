"""The statistics of a field in a data source, and merging those of consecutive parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self


class Coordinates(NamedTuple):
    """The iteration of a record and its time in microseconds since 2000-01-01 UTC; None if NULL."""

    iteration: int | None
    created_us: int | None


class Point(NamedTuple):
    """A data point: the JSON text of its value as stored, and the iteration and time of its record."""

    text: str
    iteration: int | None
    created_us: int | None


@dataclass(frozen=True, slots=True)
class FieldStats:
    """Statistics of a field in a data source.

    ``count`` is the number of data points, ``non_finite`` the number of texts NaN, Infinity and -Infinity, ``others``
    the number of all other values. ``first`` and ``last`` are data points by (created_at, id), ``least`` and
    ``greatest`` by their values as float64, the first one among equal values. ``non_finite_since`` is the record from
    which on all values are non-finite, None if the last value is finite.
    """

    count: int = 0
    non_finite: int = 0
    others: int = 0
    first: Point | None = None
    last: Point | None = None
    least: Point | None = None
    greatest: Point | None = None
    non_finite_since: Coordinates | None = None

    def followed_by(self, later: "FieldStats") -> "FieldStats":
        """Return the statistics of these records and of ``later`` ones."""
        since = later.non_finite_since
        if later.count == 0:
            since = self.non_finite_since or since
        return FieldStats(
            self.count + later.count,
            self.non_finite + later.non_finite,
            self.others + later.others,
            self.first or later.first,
            later.last or self.last,
            _choose(self.least, later.least, -1),
            _choose(self.greatest, later.greatest, 1),
            since,
        )

    def write(self) -> list[Any]:
        """Return the fields as JSON values."""
        return [self.count, self.non_finite, self.others, self.first, self.last, self.least, self.greatest,
                self.non_finite_since]  # fmt: skip

    @classmethod
    def parse(cls, values: Sequence[Any]) -> Self:
        """Return the statistics from the result of ``write``."""
        count, non_finite, others, *points, since = values
        first, last, least, greatest = (each and Point(*each) for each in points)
        return cls(count, non_finite, others, first, last, least, greatest, since and Coordinates(*since))


def _choose(earlier: Point | None, later: Point | None, sign: int) -> Point | None:
    if earlier is None or later is None:
        return earlier or later
    return later if sign * float(later.text) > sign * float(earlier.text) else earlier


# By (data source, field), or by (data source, field, serial).
Fields = Mapping[tuple[Any, ...], FieldStats]


def merge_fields(parts: Sequence[Fields]) -> dict[tuple[Any, ...], FieldStats]:
    """Return the statistics of all records of consecutive ``parts``."""
    merged: dict[tuple[Any, ...], FieldStats] = {}
    for part in parts:
        for key, stats in part.items():
            before = merged.get(key)
            merged[key] = stats if before is None else before.followed_by(stats)
    return merged
