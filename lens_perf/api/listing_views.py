"""Which clusters and workloads there are."""

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
from lens_perf.performance.workload_list import ListQuestion

LISTING = "lens_perf_listing"
NAMES_REQUIRED = "name the metrics: metrics=a,b, or metric=a for a name taken verbatim"
PAGE_SIZE = 50
LARGEST_PAGE = 1000

listing = StrictBlueprint("listing", __name__, description="What there is to ask about")


class NothingQuery(ma.Schema):
    """The query of what takes no parameters."""


class WorkloadsQuery(ClusterQuery):
    """Which workloads are wanted."""

    search = OptionalText(
        load_default=absent,
        validate=ma.validate.Regexp(NO_NUL, error="a uid holds no NUL"),
        metadata={
            "description": "Part of the uid, without regard to upper and lower case.",
            "example": "abc",
            "pattern": NO_NUL,
        },
    )
    page_size = WholeNumber(
        "page_size", f"Most workloads of a page; default {PAGE_SIZE}.", PAGE_SIZE, range(1, LARGEST_PAGE + 1)
    )
    page_token = OptionalText(
        load_default=absent,
        validate=ma.validate.Regexp(r"\A[A-Za-z0-9_-]*\Z", error="page_token must be one of an earlier answer"),
        metadata={
            "description": "The `next_page_token` of the page before.",
            "example": "",
            "pattern": "^[A-Za-z0-9_-]*$",
        },
    )


class WorkloadSummariesQuery(WorkloadsQuery, MetricsQuery):
    """Which workloads are wanted, and which of their metrics."""

    @ma.validates_schema
    def _check_names(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if not choose_metrics(data):
            raise ma.ValidationError(NAMES_REQUIRED, "metrics")


@listing.route("/clusters")
@listing.arguments(NothingQuery(), location="query")
@answers(listing, listing_schemas.Clusters(), listing_schemas.CLUSTERS_EXAMPLE)
def get_clusters(_query: Mapping[str, Any]) -> dict[str, Any]:
    """Get clusters.

    Lists the clusters that may be asked, and whether they can be reached.
    """
    return _listing().list_clusters(list_readable(_listing().names))


@listing.route("/workloads")
@listing.arguments(WorkloadsQuery(), location="query")
@answers(listing, listing_schemas.Workloads(), listing_schemas.WORKLOADS_EXAMPLE)
def get_workloads(query: Mapping[str, Any]) -> dict[str, Any]:
    """Get workloads.

    Lists the workloads of one cluster or, by default, of all, the latest active first. Of all clusters, one that cannot
    answer is named in `warnings`.
    """
    return _listing().list_workloads(_build_question(query), must_answer=query["cluster"] is not None)


@listing.route("/workloads/summary")
@listing.arguments(WorkloadSummariesQuery(), location="query")
@answers(listing, listing_schemas.WorkloadSummaries(), listing_schemas.SUMMARIES_EXAMPLE)
def get_workload_summaries(query: Mapping[str, Any]) -> dict[str, Any]:
    """Get workloads with summaries of metrics.

    Lists workloads as `workloads` does, each with the statistics of the metrics that the request names. A cluster that
    cannot answer, or a workload whose statistics are not ready yet, is named in `warnings`.
    """
    page = _listing().list_workloads(_build_question(query), must_answer=False)
    return get_service().summarize_page(page, choose_metrics(query) or ())


def _build_question(query: Mapping[str, Any]) -> ListQuestion:
    return ListQuestion(
        clusters=list_readable(_listing().names) if query["cluster"] is None else (query["cluster"],),
        search=query["search"] or "",
        page_size=query["page_size"] or PAGE_SIZE,
        page_token=query["page_token"],
    )


def _listing() -> Listing:
    return cast("Listing", current_app.extensions[LISTING])
