"""Makes the rows of a wide table of sampled points."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.points.wide_rows import choose_rows_at_once


class SampledRows:
    """A row for each iteration and data source with a sampled point, and with the serial in ``extra`` for each attempt.

    ``points`` are the frames of ``Sampler.finish``, where ``field`` is an index into ``names``. The fields of the table
    are ``names`` except for ``left_out``. A row has the last sampled point of each field, and the last time. A record
    without an iteration is a separate row at the end.
    """

    def __init__(
        self, points: Iterable[pl.DataFrame], names: Sequence[str], extra: Sequence[str], left_out: Sequence[str]
    ) -> None:
        self._indices = [index for index, name in enumerate(names) if name not in left_out]
        self.fields = [names[index] for index in self._indices]
        self._extra = extra
        frames = [frame for frame in points if frame.height]
        self._points = pl.concat(frames) if frames else None
        self._keys = ["iteration", "data_source", *(["serial"] if "serial" in extra else [])]

    def find_types(self) -> Mapping[str, Any]:
        """Return the type of each field, None if it has no points."""
        if self._points is None:
            return dict.fromkeys(self.fields)
        texts = self._points.select("field", "text")
        of_whole = texts.group_by("field").agg(pl.col("text").cast(pl.Int64, strict=False).has_nulls().not_())
        whole = dict(of_whole.iter_rows())
        return {
            name: (pl.Int64 if whole[index] else pl.Float64) if index in whole else None
            for index, name in zip(self._indices, self.fields, strict=True)
        }

    def read(self, types: Mapping[str, Any]) -> Iterator[pl.DataFrame]:
        """Yield the rows by iteration, data source and serial."""
        if self._points is None:
            return
        rows, points = self._number_rows(self._points)
        order = ["iteration", "timestamp", "data_source", *self._extra]
        numbers = points["row"].to_numpy()
        at_once = choose_rows_at_once(len(self.fields))
        for start in range(0, rows.height, at_once):
            found = rows.slice(start, at_once)
            first, end = np.searchsorted(numbers, [start, start + found.height])
            cells = self._list_cells(points.slice(int(first), int(end - first)), start, found.height, types)
            yield found.select(order).hstack(list(cells))

    def _number_rows(self, points: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the rows without their cells, and the points by ``row``, the number of their row."""
        own = pl.when(pl.col("iteration").is_null()).then("position").alias("own")
        keys = ["iteration", "own", *self._keys[1:]]
        known = points.with_columns(own, to_milliseconds().alias("timestamp"))
        others = ["timestamp", *(name for name in self._extra if name not in keys)]
        rows = known.group_by(keys).agg(pl.col(others).drop_nulls().last()).sort(keys, nulls_last=True)
        numbered = rows.with_row_index("row").select("row", *keys)
        joined = known.join(numbered, on=keys, how="left", nulls_equal=True, maintain_order="left")
        return rows, joined.sort("row", maintain_order=True)

    def _list_cells(
        self, points: pl.DataFrame, first_row: int, rows: int, types: Mapping[str, Any]
    ) -> Iterator[pl.Series]:
        """Yield a column for each field, with the points of ``rows`` rows."""
        # The index after the last point stands for an empty cell.
        index = np.full((rows, len(self._indices)), points.height)
        wanted = np.flatnonzero(np.isin(points["field"].to_numpy(), self._indices))
        columns = np.searchsorted(self._indices, points["field"].to_numpy()[wanted])
        index[points["row"].to_numpy()[wanted] - first_row, columns] = wanted
        for number, dtype in enumerate(types.values()):
            name = "value" if dtype == pl.Float64 else "text"
            with_empty = points[name].extend_constant(None, 1)
            yield with_empty.gather(index[:, number]).cast(dtype).alias(str(number))
