"""The types of response payloads, with the meaning and unit of each field.

Timestamps are milliseconds since 1970, rounded down; None means that no record has the value.
"""

from typing import Any, Literal, NotRequired, TypedDict

State = Literal["running", "stalled", "ended", "finished"]


class DataSource(TypedDict):
    """A data source of a workload."""

    name: str
    """``log``, ``wandb`` or ``tensorflow``; empty for records without one."""
    count: int
    """Number of records."""


class Sources(TypedDict):
    """The data sources of a workload, most records first."""

    workload_uid: str
    data_sources: list[DataSource]
    total_count: int
    """Number of data sources."""


class AvailableMetric(TypedDict):
    """A metric of a workload."""

    name: str
    data_source: list[str]
    """The data sources that contain it, most data points first."""
    count: int
    """Number of data points in all of them."""


class Available(TypedDict):
    """The metrics of a workload, by name."""

    workload_uid: str
    metrics: list[AvailableMetric]
    total_count: int
    """Number of metrics."""


class CoordinateFields(TypedDict):
    """The iteration and time of a record."""

    iteration: int | None
    timestamp: int | None


class SummaryPoint(CoordinateFields):
    """A data point with its coordinates."""

    value: Any
    """The number as stored: an ``orjson.Fragment`` of its text."""


class MetricSummary(TypedDict):
    """The statistics of a metric in one data source, or in one attempt of it."""

    metric_name: str
    data_source: str | None
    serial: NotRequired[int | None]
    """The attempt, if attempts are summarized separately."""
    count: int
    """Number of data points."""
    non_finite_count: int
    """Number of values stored as the texts NaN, Infinity or -Infinity."""
    first: SummaryPoint | None
    last: SummaryPoint | None
    least: SummaryPoint | None
    """The lowest value; among equal ones, the first by time and id."""
    greatest: SummaryPoint | None
    """The highest value; among equal ones, the first by time and id."""
    non_finite_since: CoordinateFields | None
    """The record from which on all values are NaN or infinite; None if the last value is finite."""


class SummaryFields(TypedDict):
    """The statistics of metrics, by name or in the order of the request."""

    metrics: list[MetricSummary]
    total_count: int
    """Number of entries."""


class Summary(SummaryFields):
    """The statistics of a workload's metrics."""

    workload_uid: str
    data_source: NotRequired[str]
    """The data source of the request, if it has one."""


class Health(TypedDict):
    """Whether a workload needs attention, and why."""

    status: Literal["ok", "warning", "critical"]
    reasons: list[str]
    """``stalled``, ``non_finite_loss``, ``non_finite_metric``, ``ended_before_target``."""


class Pace(TypedDict):
    """Seconds per iteration of the latest intervals that are not pauses."""

    median: float
    low: float
    """10th percentile."""
    high: float
    """90th percentile."""
    intervals: int
    """Number of intervals, at most 100."""
    first_iteration: int | None
    """Iteration at which the intervals begin."""
    last_iteration: int | None
    """Iteration at which they end."""


class Eta(TypedDict):
    """When the target will be reached."""

    timestamp: int
    """At the median pace."""
    earliest: int | None
    """At the low pace; None after the year 9999."""
    latest: int | None
    """At the high pace; None after the year 9999."""
    seconds: float
    """From now to ``timestamp``, at least 0."""
    basis: str
    """How the estimate was computed, in words."""


class Attempt(TypedDict):
    """The records between two restarts."""

    number: int
    """Counted from 1."""
    serial: int | None
    """``serial`` of the first record."""
    first_iteration: int
    last_iteration: int
    first_timestamp: int
    last_timestamp: int
    records: int
    """Number of records."""
    discarded_from: int | None
    """Lowest iteration that a later attempt redid."""


class NonFiniteMetric(TypedDict):
    """A metric whose latest values are all NaN or infinite."""

    metric_name: str
    data_source: str | None
    since_iteration: int | None
    """Iteration of the first such record."""
    since_timestamp: int | None
    """Time of that record."""


class TimeFields(TypedDict):
    """The elapsed time of a workload and its parts."""

    seconds_wall: float | None
    """Seconds from the earliest record to the newest."""
    seconds_lost_to_restarts: float | None
    seconds_paused: float | None
    seconds_productive: float | None
    """The rest of ``seconds_wall``."""
    goodput: float | None
    """``seconds_productive`` divided by ``seconds_wall``, 0 to 1."""


class ProgressFields(TimeFields):
    """The progress of a workload, without its name. docs/progress.rst defines the numbers."""

    source: str | None
    """The data source of the numbers."""
    state: State | None
    health: Health
    current_iteration: int | None
    """Iteration of the newest record."""
    target_iteration: int | None
    """Iteration at which the workload will be finished."""
    share_done: float | None
    """Current divided by target iteration, 0 to 1."""
    first_timestamp: int | None
    """Time of the earliest record."""
    last_timestamp: int | None
    """Time of the newest record."""
    seconds_per_iteration: Pace | None
    eta: Eta | None
    """Only while the workload is running and has a target."""
    restarts: int | None
    attempts: list[Attempt]
    """The latest 100, by time."""
    iterations_repeated: int | None
    """Iterations redone after restarts."""
    non_finite: list[NonFiniteMetric]
    """At most 100, the earliest first."""


class Progress(ProgressFields):
    """The progress of a workload."""

    workload_uid: str
    data_source: NotRequired[str]
    """The data source of the request, if it has one."""


class ClusterWarning(TypedDict):
    """A cluster, or a workload of it, that is missing from a response."""

    cluster: str
    workload_uid: NotRequired[str]
    message: str
    """The reason, in words."""


class ListedWorkload(TypedDict):
    """A workload in a list."""

    cluster: str
    workload_uid: str
    data_sources: list[str]
    """Names of its data sources; empty for records without one."""
    records: int
    """Number of records."""
    first_timestamp: int | None
    last_timestamp: int | None
    """When it was last active."""
    last_iteration: int | None
    """The highest iteration."""


class WorkloadPage(TypedDict):
    """A page of workloads, the most recently active first."""

    workloads: list[ListedWorkload]
    total_count: int
    """Number of workloads on all pages, in the clusters that answered."""
    next_page_token: str | None
    """None on the last page."""
    warnings: list[ClusterWarning]


class ListedCluster(TypedDict):
    """A cluster in a list."""

    name: str
    default: bool
    """Whether requests without a cluster use it."""
    current: bool
    """Whether the service runs in it."""
    reachable: bool
    """Whether it answered the last query."""


class ClusterList(TypedDict):
    """The clusters that a caller may read, in the order of the settings."""

    clusters: list[ListedCluster]
    total_count: int
    """Number of clusters."""


class Several(TypedDict):
    """Responses for several workloads, in the order of the request."""

    workloads: list[dict[str, Any]]
    """For each workload ``cluster``, ``workload_uid``, and the fields of its response."""
    total_count: int
    """Number of workloads that were answered."""
    warnings: list[ClusterWarning]
    """The other workloads."""
