"""What series are sampled along: each record's place on an axis, and that place as text where an answer shows it."""

from collections.abc import Callable, Mapping

import polars as pl

from lens_perf.performance.blocks import Block
from lens_perf.performance.columns.times import to_milliseconds

AXIS, AXIS_VALUE = "axis", "axis_value"
AddAxis = Callable[[pl.DataFrame], pl.DataFrame]


def along_iterations(frame: pl.DataFrame) -> pl.DataFrame:
    """Add each record's iteration as its axis."""
    return frame.hstack([frame["iteration"].cast(pl.Int64).alias(AXIS)])


def along_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Add each record's time, in milliseconds, as its axis."""
    return frame.with_columns(to_milliseconds().alias(AXIS))


# The axes on which the place of a record depends on nothing but the record's own columns.
AXES: Mapping[str, AddAxis] = {"iteration": along_iterations, "time": along_time}


class AlongRelativeTime:
    """Adds the milliseconds since the workload's first record, or with ``split`` since the attempt's.

    It must be given all records of the workload, in order of time.
    """

    def __init__(self, *, split: bool) -> None:
        self._keys = ["serial"] if split else []
        self._first = pl.DataFrame(schema={"serial": pl.Int32, "begin": pl.Int64}).select(*self._keys, "begin")

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add the axis to records that follow those of the calls before."""
        times = frame.select(*self._keys, to_milliseconds().alias("begin")).drop_nulls("begin")
        if self._keys:
            begun = times.unique("serial", keep="first", maintain_order=True)
            self._first = pl.concat([self._first, begun]).unique("serial", keep="first", maintain_order=True)
            extended = frame.join(self._first, on="serial", how="left", nulls_equal=True, maintain_order="left")
        else:
            self._first = pl.concat([self._first, times]).head(1)
            begin = self._first["begin"].first() if self._first.height else None
            extended = frame.with_columns(pl.lit(begin, pl.Int64).alias("begin"))
        since = (to_milliseconds() - pl.col("begin")).alias(AXIS)
        return extended.with_columns(since, since.cast(pl.String).alias(AXIS_VALUE)).drop("begin")


class AlongMetric:
    """Adds the record's data point of a metric as its axis."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Add the axis to records."""
        block = Block(frame)
        return frame.with_columns(
            block.read_values(self.name).alias(AXIS), block.read_texts(self.name).alias(AXIS_VALUE)
        )
