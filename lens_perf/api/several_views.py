"""Several workloads in one request: their data points, summaries and progress."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import marshmallow as ma
from flask import Response

from lens_perf.api import several_schemas as schemas
from lens_perf.api.access_check import SEVERAL_BLUEPRINT
from lens_perf.api.arguments import BLANKS, LONGEST_UID, SourceQuery, absent, find_uid_error, split_workload
from lens_perf.api.endpoints import StrictBlueprint, answers, answers_points
from lens_perf.api.metrics_views import get_service
from lens_perf.api.point_answers import send_body, send_no_points, wants_no_points
from lens_perf.api.point_arguments import DataQuery
from lens_perf.api.point_queries import build_point_query, choose_metrics, choose_serials
from lens_perf.api.summary_views import SummaryQuery
from lens_perf.errors import InvalidParameterError
from lens_perf.performance.points.query import CURSOR_SEPARATOR, PointQuery
from lens_perf.performance.several_workloads import WorkloadKey

MOST_WORKLOADS = 100
FILE_NAME = "workloads-data"
# The encodings that say which points of which workload to drop.
WITH_CHANGES = frozenset({"json", "columns"})
NO_CLUSTER = "workload must be <cluster>/<uid>"
REQUIRED = "workload is required"
NOT_THEIR_CURSOR = "after must be the cursor of an earlier answer for these workloads in this order, or empty"
JSON_REQUIRED = "after for several workloads requires format=json or layout=columns"
NAMES_REQUIRED = "layout=wide for several workloads requires metrics: name the columns"

several = StrictBlueprint(SEVERAL_BLUEPRINT, __name__, description="Training metrics of several workloads")


class WorkloadName(ma.fields.Field[WorkloadKey]):
    """``<cluster>/<uid>``; the first slash ends the cluster's name."""

    def _deserialize(self, value: Any, *_rest: Any, **_kwargs: Any) -> WorkloadKey:
        workload = WorkloadKey(*split_workload(value))
        message = NO_CLUSTER if not workload.cluster or "/" not in value else find_uid_error(workload.uid)
        if message is not None:
            raise ma.ValidationError(message)
        return workload


class SeveralQuery(ma.Schema):
    """Selects workloads."""

    workload = ma.fields.List(
        WorkloadName(metadata={"type": "string", "pattern": rf"^[^/\x00]+/[^\x00]*[^\x00{BLANKS}][^\x00]*$"}),
        required=True,
        error_messages={"required": REQUIRED},
        validate=ma.validate.Length(1, MOST_WORKLOADS, error=f"workload must be given once to {MOST_WORKLOADS} times"),
        metadata={
            "description": f"A workload, `<cluster>/<uid>`, whose uid has at most {LONGEST_UID} characters; "
            f"repeatable, {MOST_WORKLOADS} times at most.",
            "example": ["my-cluster/abc123"],
        },
    )

    @ma.post_load
    def _drop_repeats(self, data: dict[str, Any], **_kwargs: Any) -> dict[str, Any]:
        return data | {"workload": tuple(dict.fromkeys(data["workload"]))}


class SeveralDataQuery(DataQuery, SeveralQuery):
    """Selects data points of several workloads."""

    after = ma.fields.String(
        load_default=absent,
        validate=ma.validate.Regexp(r"\A[A-Za-z0-9_.-]*\Z", error=NOT_THEIR_CURSOR),
        metadata={
            "description": "The `cursor` of an earlier response for the same workloads in the same order: returns the "
            "changes since, which `workloads` describes. Empty: returns everything and a first cursor. `max_points` "
            "applies to workloads that are returned in full, not to changes.",
            "example": "",
            "pattern": "^[A-Za-z0-9_.-]*$",
        },
    )

    class Meta:
        """Each workload names its cluster."""

        exclude = ("cluster",)


class SeveralSummaryQuery(SummaryQuery, SeveralQuery):
    """Selects metrics of several workloads to summarize."""

    class Meta:
        """Each workload names its cluster."""

        exclude = ("cluster",)


class SeveralProgressQuery(SourceQuery, SeveralQuery):
    """Selects the workloads of a progress request."""

    class Meta:
        """Each workload names its cluster."""

        exclude = ("cluster",)


@several.route("/metrics/data")
@several.arguments(SeveralDataQuery(), location="query")
@answers_points(
    several, schemas.SEVERAL_DATA_EXAMPLE, schema=schemas.SeveralMetricsData, csv_example=schemas.SEVERAL_CSV_EXAMPLE
)
def get_several_data(query: Mapping[str, Any]) -> Response:
    """Get data points of several workloads.

    Returns the data points of each workload like `data`, each with its cluster and workload. Workloads whose cluster
    does not answer are named in `warnings`; the header `X-Warnings` is their number.
    """
    return _answer_points(query)


@several.route("/metrics/data", methods=["POST"])
@several.arguments(SeveralDataQuery(), location="form")
@answers_points(
    several,
    schemas.SEVERAL_DATA_EXAMPLE,
    schema=schemas.SeveralMetricsData,
    csv_example=schemas.SEVERAL_CSV_EXAMPLE,
    is_form=True,
)
def post_several_data(query: Mapping[str, Any]) -> Response:
    """Get data points of many workloads, with the parameters in the body.

    Returns the same as GET, for lists of workloads and cursors that are too long for a URL. Changes nothing.
    """
    return _answer_points(query)


def _answer_points(query: Mapping[str, Any]) -> Response:
    queries = _build_queries(query)
    if wants_no_points():
        get_service().check_points_of_several(queries)
        return send_no_points(None, queries[0].encoding, FILE_NAME)
    body, warnings = get_service().read_points_of_several(queries)
    return send_body(body, queries[0].encoding, FILE_NAME, len(warnings))


@several.route("/metrics/summary")
@several.arguments(SeveralSummaryQuery(), location="query")
@answers(several, schemas.SeveralSummaries(), schemas.SEVERAL_SUMMARIES_EXAMPLE)
def get_several_summaries(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Get the statistics of the metrics of several workloads.

    Returns the `summary` of each workload. Workloads whose cluster does not answer are named in `warnings`.
    """
    return _summarize(query)


@several.route("/metrics/summary", methods=["POST"])
@several.arguments(SeveralSummaryQuery(), location="form")
@answers(several, schemas.SeveralSummaries(), schemas.SEVERAL_SUMMARIES_EXAMPLE, is_form=True)
def post_several_summaries(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Get the statistics of the metrics of many workloads, with the parameters in the body.

    Returns the same as GET, for lists of workloads that are too long for a URL. Changes nothing.
    """
    return _summarize(query)


def _summarize(query: Mapping[str, Any]) -> Mapping[str, Any]:
    return get_service().summarize_several(
        query["workload"],
        query["data_source"],
        choose_metrics(query),
        by_attempt=query["split"] == "serial",
        serials=choose_serials(query),
    )


@several.route("/metrics/progress")
@several.arguments(SeveralProgressQuery(), location="query")
@answers(several, schemas.SeveralProgresses(), schemas.SEVERAL_PROGRESSES_EXAMPLE)
def get_several_progresses(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Get state, ETA, pace and restarts of several workloads.

    Returns the `progress` of each workload. Workloads whose cluster does not answer are named in `warnings`.
    """
    return get_service().read_progress_of_several(query["workload"], query["data_source"])


@several.route("/metrics/progress", methods=["POST"])
@several.arguments(SeveralProgressQuery(), location="form")
@answers(several, schemas.SeveralProgresses(), schemas.SEVERAL_PROGRESSES_EXAMPLE, is_form=True)
def post_several_progresses(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Get state, ETA, pace and restarts of many workloads, with the parameters in the body.

    Returns the same as GET, for lists of workloads that are too long for a URL. Changes nothing.
    """
    return get_service().read_progress_of_several(query["workload"], query["data_source"])


def _build_queries(query: Mapping[str, Any]) -> Sequence[PointQuery]:
    """Return a query object for each workload. Raises InvalidParameterError."""
    workloads: Sequence[WorkloadKey] = query["workload"]
    # A response about several workloads has no ETag.
    first = replace(build_point_query(workloads[0].uid, {**query, "cluster": None}, "data"), known=())
    if first.encoding.startswith("wide") and first.metrics is None:
        raise InvalidParameterError(NAMES_REQUIRED, {"query": {"metrics": [NAMES_REQUIRED]}})
    return [
        replace(
            first,
            cluster=each.cluster,
            selection=replace(first.selection, workload_uid=each.uid),
            after=after,
            is_part=True,
        )
        for each, after in zip(workloads, _split_cursor(query["after"], first, len(workloads)), strict=True)
    ]


def _split_cursor(after: str | None, query: PointQuery, count: int) -> Sequence[str | None]:
    """Return the cursor of each workload, None where the encoding has no place for it. Raises InvalidParameterError."""
    if not after:
        return [after if query.encoding in WITH_CHANGES else None] * count
    parts = after.split(CURSOR_SEPARATOR)
    if len(parts) != count:
        raise InvalidParameterError(NOT_THEIR_CURSOR, {"query": {"after": [NOT_THEIR_CURSOR]}})
    if query.encoding not in WITH_CHANGES:
        raise InvalidParameterError(JSON_REQUIRED, {"query": {"after": [JSON_REQUIRED]}})
    return parts
