"""The endpoints that list clusters and workloads."""

from collections.abc import Mapping
from typing import Any, cast

import marshmallow as ma
from flask import current_app

from lens_perf.api import listing_schemas
from lens_perf.api.access_check import list_readable
from lens_perf.api.arguments import NO_NUL, ClusterQuery, OptionalText, absent
from lens_perf.api.endpoints import StrictBlueprint, answers
from lens_perf.api.metrics_views import get_service
from lens_perf.api.point_arguments import WholeNumber
from lens_perf.api.point_queries import choose_metrics
from lens_perf.api.summary_views import MetricsQuery
from lens_perf.performance.listing import Listing
from lens_perf.performance.workload_list import ListQuery

LISTING = "lens_perf_listing"
NAMES_REQUIRED = "metrics is required, by name: metrics=a,b, or metric=a for a name taken verbatim"
PAGE_SIZE = 50
LARGEST_PAGE = 1000

listing = StrictBlueprint("listing", __name__, description="Clusters and workloads")


class NothingQuery(ma.Schema):
    """The query of an endpoint without parameters."""


class WorkloadsQuery(ClusterQuery):
    """Selects workloads."""

    search = OptionalText(
        load_default=absent,
        validate=ma.validate.Regexp(NO_NUL, error="search must not contain NUL"),
        metadata={
            "description": "Part of the uid, case-insensitive.",
            "example": "abc",
            "pattern": NO_NUL,
        },
    )
    page_size = WholeNumber(
        "page_size",
        f"Maximum number of workloads on a page; default {PAGE_SIZE}.",
        PAGE_SIZE,
        range(1, LARGEST_PAGE + 1),
    )
    page_token = OptionalText(
        load_default=absent,
        validate=ma.validate.Regexp(r"\A[A-Za-z0-9_-]*\Z", error="page_token must come from an earlier answer"),
        metadata={
            "description": "The `next_page_token` of the previous page.",
            "example": "",
            "pattern": "^[A-Za-z0-9_-]*$",
        },
    )


class WorkloadSummariesQuery(WorkloadsQuery, MetricsQuery):
    """Selects workloads and the metrics to summarize."""

    @ma.validates_schema
    def _check_names(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if not choose_metrics(data):
            raise ma.ValidationError(NAMES_REQUIRED, "metrics")


@listing.route("/clusters")
@listing.arguments(NothingQuery(), location="query")
@answers(listing, listing_schemas.Clusters(), listing_schemas.CLUSTERS_EXAMPLE)
def get_clusters(_query: Mapping[str, Any]) -> Mapping[str, Any]:
    """List clusters and whether each can be reached.

    Lists the clusters that the caller may read, and whether they can be reached.
    """
    return _listing().list_clusters(list_readable(_listing().names))


@listing.route("/workloads")
@listing.arguments(WorkloadsQuery(), location="query")
@answers(listing, listing_schemas.Workloads(), listing_schemas.WORKLOADS_EXAMPLE)
def get_workloads(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """List workloads, the most recently active first.

    Lists the workloads of one cluster or, by default, of all clusters, the most recently active first. With all
    clusters, those that do not answer are named in `warnings`.
    """
    return _listing().list_workloads(_build_list_query(query), must_answer=query["cluster"] is not None)


@listing.route("/workloads/summary")
@listing.arguments(WorkloadSummariesQuery(), location="query")
@answers(listing, listing_schemas.WorkloadSummaries(), listing_schemas.SUMMARIES_EXAMPLE)
def get_workload_summaries(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """List workloads with statistics of named metrics.

    Lists workloads as `workloads` does, each with the statistics of the requested metrics. A cluster that does not
    answer, or a workload whose statistics are not ready yet, is named in `warnings`.
    """
    page = _listing().list_workloads(_build_list_query(query), must_answer=False)
    return get_service().summarize_page(page, choose_metrics(query) or ())


def _build_list_query(query: Mapping[str, Any]) -> ListQuery:
    return ListQuery(
        clusters=list_readable(_listing().names) if query["cluster"] is None else (query["cluster"],),
        search=query["search"] or "",
        page_size=query["page_size"] or PAGE_SIZE,
        page_token=query["page_token"],
    )


def _listing() -> Listing:
    return cast("Listing", current_app.extensions[LISTING])
