"""The answers about clusters and workloads, as the OpenAPI page shows them."""

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

    name = ma.fields.String(required=True, metadata=_about("What `cluster` calls it"))
    default = ma.fields.Boolean(required=True, metadata=_about("Whether it answers when a request names none"))
    current = ma.fields.Boolean(required=True, metadata=_about("Whether the service runs in it"))
    reachable = ma.fields.Boolean(required=True, metadata=_about("Whether it answered when it was last asked"))


class Clusters(ma.Schema):
    """The clusters that may be asked."""

    clusters = ma.fields.List(
        ma.fields.Nested(ClusterInfo), required=True, metadata=_about("As the settings order them")
    )
    total_count = ma.fields.Integer(required=True, metadata=_about("Number of clusters"))


class WorkloadInfo(ma.Schema):
    """A workload."""

    cluster = ma.fields.String(required=True, metadata=_about("The cluster that has it"))
    workload_uid = ma.fields.String(required=True, metadata=_about("The workload unique identifier"))
    data_sources = ma.fields.List(
        ma.fields.String(), required=True, metadata=_about("Its data sources; an empty name where none is stored")
    )
    records = ma.fields.Integer(required=True, metadata=_about("Number of its records"))
    first_timestamp = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("When it began, in milliseconds; null where no record says")
    )
    last_timestamp = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("When it was last active, in milliseconds; null likewise")
    )
    last_iteration = ma.fields.Integer(
        required=True, allow_none=True, metadata=_about("The highest iteration; null where no record has one")
    )


class ClusterWarning(ma.Schema):
    """What kept a cluster from answering."""

    cluster = ma.fields.String(required=True, metadata=_about("The cluster"))
    message = ma.fields.String(required=True, metadata=_about("What is the matter"))


class Workloads(ma.Schema):
    """A page of workloads."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadInfo), required=True, metadata=_about("The latest active first")
    )
    total_count = ma.fields.Integer(
        required=True, metadata=_about("Number of workloads on all pages, of the clusters that answered")
    )
    next_page_token = ma.fields.String(
        required=True,
        allow_none=True,
        metadata=_about("What to ask as `page_token` for the next page; null on the last"),
    )
    warnings = ma.fields.List(
        ma.fields.Nested(ClusterWarning),
        required=True,
        metadata=_about("Clusters of which this page holds nothing, and why"),
    )


class WorkloadSummaryInfo(WorkloadInfo):
    """A workload, and the statistics of some of its metrics."""

    metrics = ma.fields.List(
        ma.fields.Nested(MetricSummary),
        required=True,
        allow_none=True,
        metadata=_about("In the order in which the request names them; null where a warning says why"),
    )


class WorkloadsWarning(ClusterWarning):
    """What kept a cluster, or the statistics of a workload, from being answered."""

    workload_uid = ma.fields.String(metadata=_about("The workload, if the warning is about one"))


class WorkloadSummaries(Workloads):
    """A page of workloads with statistics."""

    workloads = ma.fields.List(
        ma.fields.Nested(WorkloadSummaryInfo), required=True, metadata=_about("The latest active first")
    )
    warnings = ma.fields.List(
        ma.fields.Nested(WorkloadsWarning), required=True, metadata=_about("What is missing, and why")
    )
