"""The schemas of the contract's responses. They document the responses; nothing is dumped through them."""

from typing import Any

import marshmallow as ma

from lens_perf.performance.metric_fields import NON_FINITE

EXAMPLE_UID = "abc123"


class DataSourceInfo(ma.Schema):
    """A data source of a workload."""

    name = ma.fields.String(
        required=True,
        metadata={
            "description": 'Data source name (e.g., "log", "wandb", "tensorflow"); empty for records without one'
        },
    )
    count = ma.fields.Integer(required=True, metadata={"description": "Number of records of this data source"})


class Sources(ma.Schema):
    """The data sources of a workload."""

    workload_uid = ma.fields.String(required=True, metadata={"description": "The workload unique identifier"})
    data_sources = ma.fields.List(
        ma.fields.Nested(DataSourceInfo),
        required=True,
        metadata={"description": "List of data source information, most records first"},
    )
    total_count = ma.fields.Integer(required=True, metadata={"description": "Total number of data sources"})


class MetricInfo(ma.Schema):
    """A metric of a workload."""

    name = ma.fields.String(required=True, metadata={"description": "Metric name"})
    data_source = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={"description": "List of data sources that contain this metric, most data points first"},
    )
    count = ma.fields.Integer(required=True, metadata={"description": "Total number of data points for this metric"})


class AvailableMetrics(ma.Schema):
    """The metrics of a workload."""

    workload_uid = ma.fields.String(required=True, metadata={"description": "The workload unique identifier"})
    metrics = ma.fields.List(
        ma.fields.Nested(MetricInfo),
        required=True,
        metadata={"description": "List of metric information, by name"},
    )
    total_count = ma.fields.Integer(required=True, metadata={"description": "Total number of available metrics"})


POINT_VALUE = [{"type": "number", "format": "double"}, {"type": "string", "enum": list(NON_FINITE)}]


class MetricDataPoint(ma.Schema):
    """One value of one metric."""

    metric_name = ma.fields.String(required=True, metadata={"description": "The name of the metric"})
    value = ma.fields.Raw(
        required=True,
        metadata={"description": "The metric value; a string only with `non_finite=true`", "oneOf": POINT_VALUE},
    )
    timestamp = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Timestamp in milliseconds; null if the record has none", "format": "int64"},
    )
    iteration = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Training step/iteration number; null if the record has none", "format": "int32"},
    )
    data_source = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Data source of this data point; null if the record has none"},
    )
    serial = ma.fields.Integer(
        allow_none=True, metadata={"description": "Attempt; with `include=serial` or `split=serial`", "format": "int32"}
    )
    axis_value = ma.fields.Float(
        metadata={"description": "Position on the axis; with `max_points` along `relative_time` or a metric"}
    )


def _array(description: str, items: Any, *, required: bool = True) -> ma.fields.Field[Any]:
    return ma.fields.List(
        ma.fields.Raw(metadata={} if isinstance(items, list) else {"type": items, "nullable": True}),
        required=required,
        metadata={"description": description},
    )


class Series(ma.Schema):
    """The data points of one metric and data source, with `layout=columns`: three arrays of one length."""

    metric_name = ma.fields.String(required=True, metadata={"description": "The name of the metric"})
    data_source = ma.fields.String(required=True, allow_none=True, metadata={"description": "Data source"})
    iterations = _array("Training step/iteration numbers", "integer")
    timestamps = _array("Timestamps in milliseconds", "integer")
    values = _array("The metric values", POINT_VALUE)
    serial = ma.fields.Integer(
        allow_none=True, metadata={"description": "Attempt of the series; with `split=serial`", "format": "int32"}
    )
    serials = _array("Attempts; with `include=serial`", "integer", required=False)
    axis_values = _array("Positions on the axis; as `axis_value` of a data point", "number", required=False)


class SamplingInfo(ma.Schema):
    """How the data points were sampled."""

    method = ma.fields.String(required=True, validate=ma.validate.OneOf(("m4", "stride", "none")))
    points_total = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Number of data points before sampling; null if not counted"},
    )
    points_returned = ma.fields.Integer(
        required=True, metadata={"description": "Number of data points in the response"}
    )
    bucket_width = ma.fields.Float(
        allow_none=True,
        metadata={
            "description": "Width of a bucket on the axis, a power of two, with `m4` only; null for a single bucket"
        },
    )


class ChangedPair(ma.Schema):
    """A data source and an iteration whose points have changed."""

    data_source = ma.fields.String(required=True, allow_none=True, metadata={"description": "Data source"})
    iteration = ma.fields.Integer(
        required=True, allow_none=True, metadata={"description": "Iteration; null for records without one"}
    )


class MetricsData(ma.Schema):
    """Data points of a workload."""

    workload_uid = ma.fields.String(required=True, metadata={"description": "The workload unique identifier"})
    data_source = ma.fields.String(metadata={"description": "The data source filter (if specified)"})
    data = ma.fields.List(
        ma.fields.Nested(MetricDataPoint),
        metadata={"description": "List of metric data points; not with `layout=columns`"},
    )
    series = ma.fields.List(
        ma.fields.Nested(Series), metadata={"description": "The data points by series, with `layout=columns` only"}
    )
    total_count = ma.fields.Integer(required=True, metadata={"description": "Total number of data points returned"})
    sampling = ma.fields.Nested(
        SamplingInfo, metadata={"description": "How the data points were sampled; with `max_points`"}
    )
    cursor = ma.fields.String(
        metadata={"description": "Value of `after` for the next request, which returns the changes since; with `after`"}
    )
    reset = ma.fields.Boolean(
        metadata={
            "description": "Whether this response has all points, so that earlier ones must be dropped; with `after`"
        }
    )
    changed = ma.fields.List(
        ma.fields.Nested(ChangedPair),
        metadata={"description": "Pairs whose points to drop before adding those of this response; with `after`"},
    )


def _point(metric_name: str, value: float, timestamp: int, iteration: int) -> dict[str, Any]:
    return {
        "metric_name": metric_name,
        "value": value,
        "timestamp": timestamp,
        "iteration": iteration,
        "data_source": "wandb",
    }


# The contract's own example responses.
SOURCES_EXAMPLE = {
    "workload_uid": EXAMPLE_UID,
    "data_sources": [{"name": "wandb", "count": 1500}, {"name": "log", "count": 800}],
    "total_count": 2,
}
AVAILABLE_EXAMPLE = {
    "workload_uid": EXAMPLE_UID,
    "metrics": [
        {"name": "loss", "data_source": ["wandb", "log"], "count": 2300},
        {"name": "accuracy", "data_source": ["wandb"], "count": 1500},
        {"name": "learning_rate", "data_source": ["wandb", "log"], "count": 2300},
    ],
    "total_count": 3,
}
DATA_EXAMPLE = {
    "workload_uid": EXAMPLE_UID,
    "data_source": "wandb",
    "data": [
        _point("loss", 0.5432, 1701734400000, 100),
        _point("loss", 0.4321, 1701734460000, 200),
        _point("accuracy", 0.8765, 1701734400000, 100),
    ],
    "total_count": 3,
}
ITERATION_TIMES_EXAMPLE = {
    "workload_uid": EXAMPLE_UID,
    "data_source": "wandb",
    "data": [
        _point("iteration", 100, 1701734400000, 100),
        _point("target_iteration", 10000, 1701734400000, 100),
        _point("iteration", 200, 1701734460000, 200),
        _point("target_iteration", 10000, 1701734460000, 200),
    ],
    "total_count": 4,
}
