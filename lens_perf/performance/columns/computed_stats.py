"""Computes the statistics of fields from the records of a part."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import polars as pl

from lens_perf.performance.columns.field_columns import NON_FINITE, OTHER, TEXT, VALUE, list_fields
from lens_perf.performance.columns.field_stats import Coordinates, FieldStats, Point
from lens_perf.performance.columns.groups import Groups, split_rows
from lens_perf.performance.columns.number_text import render
from lens_perf.performance.columns.rest_stats import compute_rest

# Up to this number of records, rendering all numbers of a field takes less time than rendering single ones.
FEW_RECORDS = 64


def compute_fields(
    frame: pl.DataFrame, check: Callable[[], None], *, by_serial: bool = False
) -> dict[tuple[Any, ...], FieldStats]:
    """Return statistics by (data source, field), or with ``by_serial`` by (data source, field, serial).

    The records of ``frame`` are in order of (created_at, id). ``check`` is called for each field; its exceptions
    propagate.
    """
    groups = list(_group(frame, by_serial=by_serial))
    coordinates = frame["iteration"], frame["created_at"]
    found: dict[tuple[Any, ...], FieldStats] = {}
    columns = {series.name: series for series in frame.iter_columns()}
    for name in list_fields(columns):
        check()
        field = _Field(columns, name)
        for (source, *serial), rows in groups:
            stats = field.compute(rows, *coordinates)
            if stats is not None:
                found[source, name, *serial] = stats
    return found | compute_rest(frame, by_serial=by_serial)


def _group(frame: pl.DataFrame, *, by_serial: bool) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield each (data source,), or with ``by_serial`` each (data source, serial), and the rows of its records.

    If there is only one group, its rows are None, which means all records.
    """
    groups = Groups(["data_source", "serial"] if by_serial else ["data_source"])
    numbers = groups.number(frame)
    if groups.count == 1:
        yield groups.keys[0], None
    else:
        yield from zip(groups.keys, split_rows(numbers), strict=True)


class _Field:
    """The columns of one field, as numpy arrays with masks."""

    def __init__(self, columns: Mapping[str, pl.Series], name: str) -> None:
        values, non_finite, others = (columns.get(kind + name) for kind in (VALUE, NON_FINITE, OTHER))
        height = len(columns["id"])
        self._values = pl.repeat(None, height, dtype=pl.Int64, eager=True) if values is None else values
        self._texts = columns.get(TEXT + name)
        if self._texts is None and values is not None and height <= FEW_RECORDS:
            self._texts = render(values)
        self._floats = self._values.cast(pl.Float64).to_numpy()
        # Nulls become NaN. Data points are finite.
        self._is_point = None if values is None else ~np.isnan(self._floats)
        self._non_finite = None if non_finite is None else non_finite.is_not_null().to_numpy()
        self._others = None if others is None else others.fill_null(value=False).to_numpy()

    def compute(self, rows: Any, iterations: pl.Series, times: pl.Series) -> FieldStats | None:
        """Return the statistics of the records at ``rows``, None for all; None if no record has the field."""
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
            since = Coordinates(iterations[int(trailing[0])], times[int(trailing[0])])
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
    """Return those of ``rows``, None for all, for which ``mask`` is true, in ascending order."""
    if mask is None:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(mask) if rows is None else rows[mask[rows]]
