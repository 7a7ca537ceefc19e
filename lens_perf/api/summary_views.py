"""Statistics of the metrics of a workload."""

from collections.abc import Mapping
from typing import Any

import marshmallow as ma

from lens_perf.api import summary_schemas
from lens_perf.api.arguments import NO_NUL, OptionalText, SourceQuery, absent, parse_workload_uid
from lens_perf.api.endpoints import UID_PARAMETER, answers
from lens_perf.api.metrics_views import get_service, metrics
from lens_perf.api.point_arguments import INT32, NAME_WITH_NUL, MetricNames, WholeNumber
from lens_perf.api.point_queries import choose_metrics, choose_serials
from lens_perf.performance.selection import Selection


class MetricsQuery(ma.Schema):
    """Selects metrics."""

    metrics = MetricNames(
        load_default=tuple,
        metadata={
            "description": "Comma-separated list of metric names, as for `data`. Default: all metrics.",
            "example": "loss,accuracy",
            "type": "string",
            "pattern": NO_NUL,
        },
    )
    metric = ma.fields.List(
        ma.fields.String(validate=ma.validate.Regexp(NO_NUL, error=NAME_WITH_NUL)),
        load_default=tuple,
        metadata={"description": "One metric name, taken verbatim; repeatable.", "example": ["loss"]},
    )


class SummaryQuery(SourceQuery, MetricsQuery):
    """Selects the metrics of a workload to summarize."""

    serial = ma.fields.List(
        WholeNumber("serial", "Attempt", 0, INT32),
        load_default=tuple,
        metadata={"description": "Summarize this attempt only; repeatable.", "example": []},
    )
    split = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(("serial", None), error="split must be serial"),
        metadata={
            "description": "`serial` summarizes each attempt separately.",
            "example": "serial",
            "enum": ["", "serial"],
        },
    )


@metrics.route("/metrics/summary", parameters=[UID_PARAMETER])
@metrics.arguments(SummaryQuery(), location="query")
@answers(metrics, summary_schemas.Summary(), summary_schemas.SUMMARY_EXAMPLE)
def get_summary(query: Mapping[str, Any], *, uid: str) -> Mapping[str, Any]:
    """Get count, first, last, least and greatest value of each metric.

    Returns for each metric the number of data points, the first, last, least and greatest data point, and since when
    its values have been NaN or infinite.
    """
    serials = choose_serials(query)
    return get_service().summarize(
        query["cluster"],
        Selection(parse_workload_uid(uid), query["data_source"]),
        choose_metrics(query),
        by_attempt=query["split"] == "serial",
        serials=serials,
    )
