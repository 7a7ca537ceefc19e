"""The query objects of data points: which points are wanted, how many of them, and in which encoding.

They are plain values. Parsing a request into one is the work of ``api``; choosing how to answer it that of the plan.
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
# What the points of an answer about several workloads carry beside their own fields.
ORIGIN_FIELDS = ("cluster", "workload_uid")
# Of the cursor of several workloads, which has theirs in the order asked.
CURSOR_SEPARATOR = "."


@dataclass(frozen=True)
class Sampling:
    """How series are downsampled: each to ``max_points`` at most, by buckets along ``axis``.

    ``axis_metric`` is the name of the metric that is the axis ``"metric"``. The method ``"stride"`` is the preview: the
    points of evenly spaced iterations, and nothing is promised of what lies between.
    """

    max_points: int
    axis: Axis = "iteration"
    axis_metric: str | None = None
    method: Method = "m4"


@dataclass(frozen=True)
class PointQuery:
    """Which data points are wanted, and how they are returned.

    ``metrics`` are the names in the order wanted, None for all; iteration times have none. ``serials`` are the
    attempts wanted, empty for all. ``split`` makes each attempt a series of its own. ``after`` is a cursor, "" to get
    one, None for neither. ``known`` are the ETags of the answers that the caller has. ``is_part`` makes the answer a
    part of one about several workloads: points that carry their origin, without what encloses them.
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
        """The ORIGIN_FIELDS that each point carries, if the answer is a part."""
        values = (str(self.cluster), self.selection.workload_uid)
        return dict(zip(ORIGIN_FIELDS, values, strict=True)) if self.is_part else {}


@dataclass(frozen=True)
class PointAnswer:
    """The body, None if the caller has it already, and its ETag, or the cursor for the next answer if one is wanted.

    ``points`` is the number of data points that were read for it. ``changes`` is what a client that keeps a copy does:
    the fields ``cursor``, ``reset`` and ``changed`` where ``after`` asks for them.
    """

    body: PointBody | None
    etag: str | None
    cursor: str | None = None
    points: int = 0
    changes: Mapping[str, Any] = field(default_factory=dict)
