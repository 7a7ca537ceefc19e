"""The schemas of responses about several workloads."""

from typing import Any

import marshmallow as ma

from lens_perf.api.progress_schemas import PROGRESS_EXAMPLE, Progress
from lens_perf.api.schemas import DATA_EXAMPLE, EXAMPLE_UID, ChangedPair, MetricDataPoint, SamplingInfo, Series
from lens_perf.api.summary_schemas import SUMMARY_EXAMPLE, MetricSummary

ORIGIN: dict[str, Any] = {"cluster": "my-cluster", "workload_uid": EXAMPLE_UID}


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class WorkloadOrigin(ma.Schema):
    """A workload of a cluster."""

    cluster = ma.fields.String(required=True, metadata=_about("The workload's cluster"))
    workload_uid = ma.fields.String(required=True, metadata=_about("The workload unique identifier"))


class WorkloadWarning(WorkloadOrigin):
    """Why a workload is missing."""

    message = ma.fields.String(required=True, metadata=_about("The reason"))


class WorkloadDataPoint(MetricDataPoint, WorkloadOrigin):
    """One value of one metric of a workload."""


class WorkloadSeries(Series, WorkloadOrigin):
    """The data points of one metric and data source of a workload, with `layout=columns`."""


class _Answered(ma.Schema):
    """What all responses about several workloads share."""

    warnings = ma.fields.List(
        ma.fields.Nested(WorkloadWarning), required=True, metadata=_about("Workloads that are missing, and why")
    )


class WorkloadChanges(WorkloadOrigin):
    """What a client that keeps the points of a workload does with those of the answer."""

    cursor = ma.fields.String(required=True, metadata=_about("The cursor of this workload alone"))
    reset = ma.fields.Boolean(
        required=True, metadata=_about("Whether to drop all points of the workload, as this answer holds all")
    )
    changed = ma.fields.List(
        ma.fields.Nested(ChangedPair),
        required=True,
        metadata=_about("Pairs whose points to drop before adding those of this answer"),
    )
    sampling = ma.fields.Nested(
        SamplingInfo, metadata=_about("How the data points were chosen, where they are not changes; with `max_points`")
    )


class SeveralMetricsData(_Answered):
    """Data points of several workloads."""

    data = ma.fields.List(
        ma.fields.Nested(WorkloadDataPoint),
        metadata=_about("Data points, workload by workload in the order of the request; not with `layout=columns`"),
    )
    series = ma.fields.List(
        ma.fields.Nested(WorkloadSeries), metadata=_about("The data points by series, with `layout=columns` only")
    )
    total_count = ma.fields.Integer(required=True, metadata=_about("Total number of data points returned"))
    sampling = ma.fields.Nested(
        SamplingInfo, metadata=_about("How the data points of all workloads were sampled; with `max_points`")
    )
    cursor = ma.fields.String(
        metadata=_about("Value of `after` for the next request about the same workloads; with `after` and JSON only")
    )
    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadChanges),
        metadata=_about("What to drop of each workload that was answered; with `after` and JSON only"),
    )


class WorkloadSummary(WorkloadOrigin):
    """The statistics of a workload's metrics."""

    metrics = ma.fields.List(ma.fields.Nested(MetricSummary), required=True, metadata=_about("By name"))


class SeveralSummaries(_Answered):
    """The statistics of the metrics of several workloads."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadSummary), required=True, metadata=_about("In the order of the request")
    )
    total_count = ma.fields.Integer(required=True, metadata=_about("Number of entries in `workloads`"))


class WorkloadProgress(Progress, WorkloadOrigin):
    """The progress of a workload."""


class SeveralProgresses(_Answered):
    """The progress of several workloads."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadProgress), required=True, metadata=_about("In the order of the request")
    )
    total_count = ma.fields.Integer(required=True, metadata=_about("Number of entries in `workloads`"))


_WARNINGS = [
    {
        "cluster": "other-cluster",
        "workload_uid": "def456",
        "message": "Cluster other-cluster cannot be reached now; try again later",
    }
]
SEVERAL_DATA_EXAMPLE = {
    "data": [point | ORIGIN for point in DATA_EXAMPLE["data"]],  # type: ignore[attr-defined]  # a list of points
    "total_count": 3,
    "warnings": _WARNINGS,
}
SEVERAL_CSV_EXAMPLE = (
    "metric_name,value,timestamp,iteration,data_source,cluster,workload_uid\n"
    "loss,0.5432,1701734400000,100,wandb,my-cluster,abc123\n"
)
SEVERAL_SUMMARIES_EXAMPLE = {
    "workloads": [ORIGIN | {"metrics": SUMMARY_EXAMPLE["metrics"]}],
    "total_count": 1,
    "warnings": _WARNINGS,
}
SEVERAL_PROGRESSES_EXAMPLE = {"workloads": [ORIGIN | PROGRESS_EXAMPLE], "total_count": 1, "warnings": _WARNINGS}
