"""The answers about clusters and workloads, as the OpenAPI page shows them."""

import marshmallow as ma

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
