"""The schemas of responses about clusters and workloads."""

from typing import Any

import marshmallow as ma

from lens_perf.api.summary_schemas import SUMMARY_EXAMPLE, MetricSummary

CLUSTERS_EXAMPLE = {
    "clusters": [{"name": "my-cluster", "default": True, "current": False, "reachable": True}],
    "total_count": 1,
}
WORKLOADS_EXAMPLE = {
    "workloads": [
        {
            "cluster": "my-cluster",
            "workload_uid": "abc123",
            "data_sources": ["log", "wandb"],
            "records": 2300,
            "first_timestamp": 1701734400000,
            "last_timestamp": 1701820800000,
            "last_iteration": 1500,
        }
    ],
    "total_count": 1,
    "next_page_token": None,
    "warnings": [{"cluster": "other-cluster", "message": "Cluster other-cluster did not answer in time"}],
}

SUMMARIES_EXAMPLE: dict[str, Any] = WORKLOADS_EXAMPLE | {
    "workloads": [each | {"metrics": SUMMARY_EXAMPLE["metrics"]} for each in WORKLOADS_EXAMPLE["workloads"]],  # type: ignore[attr-defined]  # a list
    "warnings": [
        {
            "cluster": "other-cluster",
            "workload_uid": "def456",
            "message": "The workload is being read for the first time; try again later",
        }
    ],
}


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class ClusterInfo(ma.Schema):
    """A cluster."""

    name = ma.fields.String(required=True, metadata=_about("Name of the cluster, for the parameter `cluster`"))
    default = ma.fields.Boolean(required=True, metadata=_about("Whether requests that name no cluster go to this one"))
    current = ma.fields.Boolean(required=True, metadata=_about("Whether the service runs in it"))
    reachable = ma.fields.Boolean(required=True, metadata=_about("Whether it answered the last query"))


class Clusters(ma.Schema):
    """The clusters that the caller may read."""

    clusters = ma.fields.List(
        ma.fields.Nested(ClusterInfo), required=True, metadata=_about("In the order of the settings")
    )
    total_count = ma.fields.Integer(required=True, metadata=_about("Number of clusters"))


class WorkloadInfo(ma.Schema):
    """A workload."""

    cluster = ma.fields.String(required=True, metadata=_about("The workload's cluster"))
    workload_uid = ma.fields.String(required=True, metadata=_about("The workload unique identifier"))
    data_sources = ma.fields.List(
        ma.fields.String(), required=True, metadata=_about("Its data sources; an empty name for records without one")
    )
    records = ma.fields.Integer(required=True, metadata=_about("Number of its records"))
    first_timestamp = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata=_about("Time of the first record in milliseconds; null if no record has a time"),
    )
    last_timestamp = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata=_about("Time of the last record in milliseconds; null if no record has a time"),
    )
    last_iteration = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("The highest iteration; null if no record has one")
    )


class ClusterWarning(ma.Schema):
    """Why a cluster did not answer."""

    cluster = ma.fields.String(required=True, metadata=_about("The cluster"))
    message = ma.fields.String(required=True, metadata=_about("The reason"))


class Workloads(ma.Schema):
    """A page of workloads."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadInfo), required=True, metadata=_about("The most recently active first")
    )
    total_count = ma.fields.Integer(
        required=True, metadata=_about("Number of workloads on all pages, in the clusters that answered")
    )
    next_page_token = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=_about("Value of `page_token` for the next page; null on the last page"),
    )
    warnings = ma.fields.List(
        ma.fields.Nested(ClusterWarning),
        required=True,
        metadata=_about("Clusters that are missing from this page, and why"),
    )


class WorkloadSummaryInfo(WorkloadInfo):
    """A workload with the statistics of some of its metrics."""

    metrics = ma.fields.List(
        ma.fields.Nested(MetricSummary),
        required=True,
        allow_none=True,
        metadata=_about("In the order of the request; null if a warning explains why"),
    )


class WorkloadsWarning(ClusterWarning):
    """Why a cluster, or the statistics of a workload, are missing."""

    workload_uid = ma.fields.String(metadata=_about("The workload, if the warning is about one"))


class WorkloadSummaries(Workloads):
    """A page of workloads with statistics."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadSummaryInfo), required=True, metadata=_about("The most recently active first")
    )
    warnings = ma.fields.List(
        ma.fields.Nested(WorkloadsWarning), required=True, metadata=_about("What is missing, and why")
    )
