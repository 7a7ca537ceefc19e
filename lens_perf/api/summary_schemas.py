"""The schemas of summaries of metrics."""

from typing import Any

import marshmallow as ma

from lens_perf.api.schemas import EXAMPLE_UID


def _about(text: str) -> dict[str, str]:
    return {"description": text}


class RecordPlace(ma.Schema):
    """Iteration and time of a record."""

    iteration = ma.fields.Integer(required=True, allow_none=True, metadata=_about("Iteration"))
    timestamp = ma.fields.Integer(required=True, allow_none=True, metadata=_about("Time in milliseconds"))


class SummaryPoint(RecordPlace):
    """A data point."""

    value = ma.fields.Float(required=True, metadata=_about("Value, as stored"))


def _point(description: str) -> ma.fields.Nested:
    return ma.fields.Nested(SummaryPoint, required=True, allow_none=True, metadata=_about(description))


class MetricSummary(ma.Schema):
    """The statistics of a metric in one data source."""

    metric_name = ma.fields.String(required=True, metadata=_about("The name of the metric"))
    data_source = ma.fields.String(required=True, allow_none=True, metadata=_about("The data source"))
    serial = ma.fields.Integer(allow_none=True, metadata=_about("The attempt, with `split` or `serial`"))
    count = ma.fields.Integer(required=True, metadata=_about("Number of data points"))
    non_finite_count = ma.fields.Integer(
        required=True, metadata=_about("Number of values stored as the texts `NaN`, `Infinity` or `-Infinity`")
    )
    first = _point("The first data point by time; null if there is none")
    last = _point("The last data point by time; null if there is none")
    least = _point("The data point with the least value, the first if there are several")
    greatest = _point("The data point with the greatest value, the first if there are several")
    non_finite_since = ma.fields.Nested(
        RecordPlace,
        required=True,
        allow_none=True,
        metadata=_about(
            "The record since which every value has been NaN or infinite; null if the last value is finite"
        ),
    )


class Summary(ma.Schema):
    """The statistics of a workload's metrics."""

    workload_uid = ma.fields.String(required=True, metadata=_about("The workload unique identifier"))
    data_source = ma.fields.String(metadata=_about("The data source filter (if specified)"))
    metrics = ma.fields.List(ma.fields.Nested(MetricSummary), required=True, metadata=_about("By name"))
    total_count = ma.fields.Integer(required=True, metadata=_about("Number of entries in `metrics`"))


def _example_point(value: float, iteration: int) -> dict[str, Any]:
    return {"value": value, "iteration": iteration, "timestamp": 1701734400000 + 600 * iteration}


SUMMARY_EXAMPLE = {
    "workload_uid": EXAMPLE_UID,
    "metrics": [
        {
            "metric_name": "loss",
            "data_source": "wandb",
            "count": 1500,
            "non_finite_count": 0,
            "first": _example_point(9.871, 1),
            "last": _example_point(0.4321, 1500),
            "least": _example_point(0.4297, 1488),
            "greatest": _example_point(9.871, 1),
            "non_finite_since": None,
        }
    ],
    "total_count": 1,
}
