"""Statistics of each (data source, field): of the records of a part, and of parts one after the other."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import polars as pl

from lens_perf.performance.columns.field_columns import NON_FINITE, OTHER, TEXT, VALUE, list_fields
from lens_perf.performance.columns.number_text import render


class Where(NamedTuple):
    """The place of a record: its iteration, and its time in microseconds since 2000-01-01 UTC; None for NULL."""

    iteration: int | None
    created_us: int | None


class Point(NamedTuple):
    """A data point: the stored text of its value, and its place."""

    text: str
    iteration: int | None
    created_us: int | None


@dataclass(frozen=True, slots=True)
class FieldStats:
    """Statistics of one data source and field.

    ``count`` is the number of data points, ``non_finite`` that of the texts NaN, Infinity and -Infinity, ``others``
    that of all other values. ``first`` and ``last`` are data points in the order of (created_at, id), ``least`` and
    ``greatest`` by value as a float64, of equal ones the first. ``non_finite_since`` is the first record of the
    trailing run of non-finite values, None if the last value is finite.
    """

    count: int = 0
    non_finite: int = 0
    others: int = 0
    first: Point | None = None
    last: Point | None = None
    least: Point | None = None
    greatest: Point | None = None
    non_finite_since: Where | None = None

    def followed_by(self, later: "FieldStats") -> "FieldStats":
        """Return the statistics of these records and of later ones together."""
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
        """Return what ``write`` wrote."""
        count, non_finite, others, *points, since = values
        first, last, least, greatest = (each and Point(*each) for each in points)
        return cls(count, non_finite, others, first, last, least, greatest, since and Where(*since))


def _choose(earlier: Point | None, later: Point | None, sign: int) -> Point | None:
    if earlier is None or later is None:
        return earlier or later
    return later if sign * float(later.text) > sign * float(earlier.text) else earlier


# (data source, field), or (data source, field, serial).
Fields = Mapping[tuple[Any, ...], FieldStats]


def merge_fields(parts: Sequence[Fields]) -> dict[tuple[Any, ...], FieldStats]:
    """Return the statistics of parts that follow one another."""
    merged: dict[tuple[Any, ...], FieldStats] = {}
    for part in parts:
        for key, stats in part.items():
            before = merged.get(key)
            merged[key] = stats if before is None else before.followed_by(stats)
    return merged


def compute_fields(
    frame: pl.DataFrame, check: Callable[[], None], *, by_serial: bool = False
) -> dict[tuple[Any, ...], FieldStats]:
    """Return the statistics of the records of ``frame``, which are in order; with ``by_serial`` for each attempt."""
    groups = list(_group(frame, by_serial=by_serial))
    places = frame["iteration"], frame["created_at"]
    found: dict[tuple[Any, ...], FieldStats] = {}
    columns = {series.name: series for series in frame.iter_columns()}
    for name in list_fields(columns):
        check()
        field = _Field(columns, name)
        for (source, *serial), rows in groups:
            stats = field.compute(rows, *places)
            if stats is not None:
                found[source, name, *serial] = stats
    return found


def _group(frame: pl.DataFrame, *, by_serial: bool) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each data source, and serial, with the numbers of its records; None for all records."""
    keys = ["data_source", "serial"] if by_serial else ["data_source"]
    groups = frame.select(keys).with_row_index("row").group_by(keys, maintain_order=True).agg("row")
    for *key, rows in groups.iter_rows():
        yield tuple(key), None if len(groups) == 1 else np.array(rows)


class _Field:
    """The columns of one field, as numpy arrays with masks."""

    def __init__(self, columns: Mapping[str, pl.Series], name: str) -> None:
        values, non_finite, others = (columns.get(kind + name) for kind in (VALUE, NON_FINITE, OTHER))
        height = len(columns["id"])
        self._values = pl.repeat(None, height, dtype=pl.Int64, eager=True) if values is None else values
        self._texts = columns.get(TEXT + name)
        self._floats = self._values.cast(pl.Float64).to_numpy()
        # A null is NaN there, and no data point is.
        self._is_point = None if values is None else ~np.isnan(self._floats)
        self._non_finite = None if non_finite is None else non_finite.is_not_null().to_numpy()
        self._others = None if others is None else others.fill_null(value=False).to_numpy()

    def compute(self, rows: Any, iterations: pl.Series, times: pl.Series) -> FieldStats | None:
        """Return the statistics of the records ``rows``, or None where none of them has the field."""
        non_finite = _find(self._non_finite, rows)
        others = len(_find(self._others, rows))
        points = _find(self._is_point, rows)
        if not len(points) + len(non_finite) + others:
            return None

        def point(row: int) -> Point:
            return Point(self._text(row), iterations[row], times[row])

        since = None
        trailing = non_finite[non_finite > points[-1]] if len(points) else non_finite
        if len(trailing):
            since = Where(iterations[int(trailing[0])], times[int(trailing[0])])
        if not len(points):
            return FieldStats(0, len(non_finite), others, non_finite_since=since)
        floats = self._floats[points]
        ends = (0, -1, floats.argmin(), floats.argmax())
        first, last, least, greatest = (point(int(points[end])) for end in ends)
        return FieldStats(len(points), len(non_finite), others, first, last, least, greatest, since)

    def _text(self, row: int) -> str:
        if self._texts is not None:
            return str(self._texts[row])
        return str(render(self._values.slice(row, 1))[0])


def _find(mask: Any, rows: Any) -> Any:
    """Return the numbers of those of ``rows`` where ``mask`` is true, in order."""
    if mask is None:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(mask) if rows is None else rows[mask[rows]]
