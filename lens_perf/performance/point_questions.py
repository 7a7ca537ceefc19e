"""A question for data points, and its answer: which points, how many, in which form, and after what."""

from dataclasses import dataclass
from typing import Literal

from lens_perf.performance.point_writer import PointBody
from lens_perf.performance.sampling_sql import Sampling
from lens_perf.performance.selection import Selection

Form = Literal["json", "ndjson", "csv", "columns"]
ITERATION_TIMES: Literal["iteration-times"] = "iteration-times"
Metrics = tuple[str, ...] | Literal["iteration-times"] | None


@dataclass(frozen=True)
class PointQuestion:
    """Which data points are wanted, and how.

    ``metrics`` are names, None for all, or ``"iteration-times"``. ``after`` is a cursor, or "" to get one. ``known``
    are the ETags of answers that the caller has.
    """

    cluster: str | None
    selection: Selection
    metrics: Metrics
    form: Form = "json"
    sampling: Sampling | None = None
    non_finite: bool = False
    after: str | None = None
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class PointAnswer:
    """The body, None if the caller has it already, and its ETag, or the cursor for the next answer if one is wanted."""

    body: PointBody | None
    etag: str | None
    cursor: str | None = None
