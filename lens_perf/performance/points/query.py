"""The query objects of data points: selection, sampling and encoding.

They are plain values: ``api`` parses requests into them, and the plan chooses how to answer them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lens_perf.performance.points.spool import PointBody
from lens_perf.performance.selection import Selection

Kind = Literal["data", "iteration-times"]
# ``wide-csv`` and ``wide-parquet`` have a row for each iteration and source, the others a row for each data point.
Encoding = Literal["json", "ndjson", "csv", "columns", "parquet", "wide-csv", "wide-parquet"]
Method = Literal["m4", "stride"]
Split = Literal["serial"]
Axis = Literal["iteration", "time", "relative_time", "metric"]
# Additional fields of points in responses for several workloads.
ORIGIN_FIELDS = ("cluster", "workload_uid")
# Separates the cursors of the workloads in a cursor of several.
CURSOR_SEPARATOR = "."


@dataclass(frozen=True)
class Sampling:
    """How series are downsampled: each to at most ``max_points``, by buckets along ``axis``.

    ``axis_metric`` is the name of the metric if the axis is ``"metric"``. The method ``"stride"`` is the preview: the
    points of evenly spaced iterations.
    """

    max_points: int
    axis: Axis = "iteration"
    axis_metric: str | None = None
    method: Method = "m4"


@dataclass(frozen=True)
class PointQuery:
    """Which data points are requested, and how they are returned.

    ``metrics`` are the names in the requested order, None for all; iteration times have none. ``serials`` are the
    requested attempts, empty for all. ``split`` makes each attempt a separate series. ``after`` is a cursor, "" to get
    a first one, or None. ``known`` are the ETags that the client has. ``is_part`` makes the answer a part of one for
    several workloads: points with their origin, without enclosing text.
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
    split: Split | None = None
    after: str | None = None
    known: tuple[str, ...] = ()
    is_part: bool = False

    @property
    def origin(self) -> Mapping[str, str]:
        """The ORIGIN_FIELDS of each point, if the answer is a part."""
        values = (str(self.cluster), self.selection.workload_uid)
        return dict(zip(ORIGIN_FIELDS, values, strict=True)) if self.is_part else {}


@dataclass(frozen=True)
class PointAnswer:
    """The body, None if the client's ETag is current, with its ETag, or with the next cursor if one is requested.

    ``points`` is the number of data points read. ``changes`` are the fields ``cursor``, ``reset`` and ``changed`` of a
    response to ``after``.
    """

    body: PointBody | None
    etag: str | None
    cursor: str | None = None
    points: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
