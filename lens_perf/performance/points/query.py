"""The query object for data points: selection, sampling and encoding.

The API builds it from a request, and the plan decides how to answer it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from lens_perf.performance.points.spool import PointBody
from lens_perf.performance.selection import Selection

Kind = Literal["data", "iteration-times"]
# ``wide-csv`` and ``wide-parquet`` have a row for each iteration and source, ``columns`` has arrays for each series;
# the others have a row for each data point.
Encoding = Literal["json", "ndjson", "csv", "columns", "parquet", "wide-csv", "wide-parquet"]
WIDE = frozenset({"wide-csv", "wide-parquet"})
Method = Literal["m4", "stride"]
Axis = Literal["iteration", "time", "relative_time", "metric"]
# Additional fields of points in responses for several workloads.
ORIGIN_FIELDS = ("cluster", "workload_uid")
# Separates the cursors of the workloads in a cursor of several.
CURSOR_SEPARATOR = "."


@dataclass(frozen=True)
class Sampling:
    """How series are downsampled: each to at most ``max_points``, by buckets along ``axis``.

    ``axis_metric`` is the name of the metric for the axis ``"metric"``. The method ``"stride"`` is the preview, which
    has the points of evenly spaced iterations.
    """

    max_points: int
    axis: Axis = "iteration"
    axis_metric: str | None = None
    method: Method = "m4"


@dataclass(frozen=True)
class PointQuery:
    """Which data points are requested, and how they are returned.

    ``metrics`` are the names in the requested order, None for all and for iteration times. ``serials`` are the
    requested attempts, empty for all. ``by_serial`` makes each attempt a separate series; for iteration times, each
    attempt then has its own earliest records. ``after`` is a cursor, "" to request a first one, or None. ``known`` are
    the client's ETags. With ``is_part``, the answer is a part of one for several workloads: its points have their
    origin, and there is no text around them.
    """

    cluster: str | None
    selection: Selection
    kind: Kind = "data"
    metrics: tuple[str, ...] | None = None
    encoding: Encoding = "json"
    sampling: Sampling | None = None
    non_finite: bool = False
    include_serial: bool = False
    serials: tuple[int, ...] = ()
    by_serial: bool = False
    after: str | None = None
    known: tuple[str, ...] = ()
    is_part: bool = False

    @property
    def basis(self) -> Selection:
        """The records that the answer depends on, also those of other data sources.

        Relative times count from the first record of the workload, and the type of a column in a wide Parquet file is
        that of all values of the metric.
        """
        is_relative = self.sampling is not None and self.sampling.axis == "relative_time"
        if is_relative or self.encoding == "wide-parquet":
            return replace(self.selection, data_source=None)
        return self.selection

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that the query names, also as its axis."""
        axis = None if self.sampling is None else self.sampling.axis_metric
        return (*(self.metrics or ()), *([] if axis is None else [axis]))

    @property
    def has_serial(self) -> bool:
        """Whether each data point has its attempt."""
        return self.include_serial or self.by_serial

    @property
    def origin(self) -> Mapping[str, str]:
        """The ORIGIN_FIELDS of each point, if the answer is a part."""
        values = (str(self.cluster), self.selection.workload_uid)
        return dict(zip(ORIGIN_FIELDS, values, strict=True)) if self.is_part else {}


@dataclass(frozen=True)
class PointAnswer:
    """The answer to a query.

    ``body`` is None if the client's ETag is current. There is an ``etag`` or, if requested, a ``cursor``. ``points`` is
    the number of data points in the body. ``changes`` are the fields ``cursor``, ``reset`` and ``changed`` of a
    response to ``after``.
    """

    body: PointBody | None
    etag: str | None
    cursor: str | None = None
    points: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
