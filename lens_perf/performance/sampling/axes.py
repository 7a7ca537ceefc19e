"""The axes along which series are sampled: they add each record's value on the axis, as a number and as text."""

from collections.abc import Callable, Mapping

import polars as pl

from lens_perf.performance.blocks import Block
from lens_perf.performance.columns.times import to_milliseconds

AXIS, AXIS_VALUE = "axis", "axis_value"
# Returns the frame with AXIS and, if responses contain the value, its text as AXIS_VALUE.
AddAxis = Callable[[pl.DataFrame], pl.DataFrame]


def along_iterations(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with the iteration as AXIS."""
    return frame.hstack([frame["iteration"].cast(pl.Int64).alias(AXIS)])


def along_time(frame: pl.DataFrame) -> pl.DataFrame:
    """Return ``frame`` with the time in milliseconds since 1970 as AXIS."""
    return frame.with_columns(to_milliseconds().alias(AXIS))


# The axes on which the value of a record depends only on its own columns.
AXES: Mapping[str, AddAxis] = {"iteration": along_iterations, "time": along_time}


class AlongRelativeTime:
    """Adds the milliseconds since the first record of the workload, or with ``by_serial`` of the attempt.

    Call it with all records of the workload, in order of time.
    """

    def __init__(self, *, by_serial: bool) -> None:
        self._keys = ["serial"] if by_serial else []
        self._first = pl.DataFrame(schema={"serial": pl.Int32, "begin": pl.Int64}).select(*self._keys, "begin")

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame``, whose records follow those of the previous call, with AXIS and AXIS_VALUE."""
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
    """Adds the data points of the metric ``name``."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return ``frame`` with AXIS and AXIS_VALUE, null for records without a data point."""
        block = Block(frame)
        return frame.with_columns(
            block.read_values(self.name).alias(AXIS), block.read_texts(self.name).alias(AXIS_VALUE)
        )
