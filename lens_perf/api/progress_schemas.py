"""The schema of the progress response; docs/progress.rst defines every number."""

from typing import Any

import marshmallow as ma

PROGRESS_EXAMPLE = {
    "workload_uid": "abc123",
    "source": "log",
    "state": "running",
    "health": {"status": "warning", "reasons": ["non_finite_metric"]},
    "current_iteration": 1500,
    "target_iteration": 10000,
    "share_done": 0.15,
    "first_timestamp": 1701734400000,
    "last_timestamp": 1701820800000,
    "seconds_per_iteration": {
        "median": 55.2,
        "low": 54.1,
        "high": 58.0,
        "intervals": 100,
        "first_iteration": 1400,
        "last_iteration": 1500,
    },
    "eta": {
        "timestamp": 1702290000000,
        "earliest": 1702280650000,
        "latest": 1702313800000,
        "seconds": 469150.0,
        "basis": "8500 iterations at the median pace of 100 intervals, iterations 1400 to 1500",
    },
    "restarts": 1,
    "attempts": [
        {
            "number": 1,
            "serial": 0,
            "first_iteration": 1,
            "last_iteration": 640,
            "first_timestamp": 1701734400000,
            "last_timestamp": 1701769700000,
            "records": 640,
            "discarded_from": 601,
        },
        {
            "number": 2,
            "serial": 1,
            "first_iteration": 601,
            "last_iteration": 1500,
            "first_timestamp": 1701771200000,
            "last_timestamp": 1701820800000,
            "records": 900,
            "discarded_from": None,
        },
    ],
    "iterations_repeated": 40,
    "non_finite": [
        {
            "metric_name": "grad_norm",
            "data_source": "log",
            "since_iteration": 1480,
            "since_timestamp": 1701819600000,
        }
    ],
    "seconds_wall": 86400.0,
    "seconds_lost_to_restarts": 2900.0,
    "seconds_paused": 600.0,
    "seconds_productive": 82900.0,
    "goodput": 0.9594907407407407,
}


def _number(kind: type[ma.fields.Field[Any]], description: str) -> ma.fields.Field[Any]:
    return kind(required=True, allow_none=True, metadata={"description": f"{description}; null if unknown"})


class Pace(ma.Schema):
    """Seconds per iteration of the latest intervals."""

    median = ma.fields.Float(required=True, metadata={"description": "Median"})
    low = ma.fields.Float(required=True, metadata={"description": "10th percentile"})
    high = ma.fields.Float(required=True, metadata={"description": "90th percentile"})
    intervals = ma.fields.Integer(required=True, metadata={"description": "Number of intervals, at most 100"})
    first_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration at which they begin"})
    last_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration at which they end"})


class Estimate(ma.Schema):
    """When the workload will reach its target."""

    timestamp = ma.fields.Integer(
        required=True, metadata={"description": "At the median pace, in milliseconds since 1970"}
    )
    earliest = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "At the low pace, in milliseconds; null after the year 9999"},
    )
    latest = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "At the high pace, in milliseconds; null after the year 9999"},
    )
    seconds = ma.fields.Float(required=True, metadata={"description": "Seconds from now to `timestamp`, at least 0"})
    basis = ma.fields.String(required=True, metadata={"description": "How the estimate was computed, in words"})


class Health(ma.Schema):
    """Whether the workload needs attention, and why."""

    status = ma.fields.String(required=True, metadata={"description": "`ok`, `warning` or `critical`"})
    reasons = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={
            "description": "`stalled` and `non_finite_loss` (critical), `non_finite_metric` and `ended_before_target` "
            "(warning)"
        },
    )


class Attempt(ma.Schema):
    """The records between two restarts."""

    number = ma.fields.Integer(required=True, metadata={"description": "Counted from 1"})
    serial = _number(ma.fields.Integer, "The `serial` of its records")
    first_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration of its first record"})
    last_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration of its last record"})
    first_timestamp = ma.fields.Integer(required=True, metadata={"description": "Time of its first record, in ms"})
    last_timestamp = ma.fields.Integer(required=True, metadata={"description": "Time of its last record, in ms"})
    records = ma.fields.Integer(required=True, metadata={"description": "Number of its records"})
    discarded_from = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Lowest iteration that a later attempt redid; null if none"},
    )


class NonFiniteMetric(ma.Schema):
    """A metric whose latest values are all NaN or infinite."""

    metric_name = ma.fields.String(required=True, metadata={"description": "The metric"})
    data_source = ma.fields.String(required=True, allow_none=True, metadata={"description": "Its data source"})
    since_iteration = _number(ma.fields.Integer, "Iteration of the first such record")
    since_timestamp = _number(ma.fields.Integer, "Time of that record, in milliseconds")


class Progress(ma.Schema):
    """The progress of a workload."""

    workload_uid = ma.fields.String(required=True, metadata={"description": "The workload unique identifier"})
    data_source = ma.fields.String(metadata={"description": "The data source filter (if specified)"})
    source = _number(ma.fields.String, "The data source of the numbers")
    state = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`running`, `stalled`, `ended` or `finished`", "example": "running"},
    )
    health = ma.fields.Nested(Health, required=True)
    current_iteration = _number(ma.fields.Integer, "Iteration of the newest record")
    target_iteration = _number(ma.fields.Integer, "Iteration at which the workload will be finished")
    share_done = _number(ma.fields.Float, "Current divided by target iteration, 0 to 1")
    first_timestamp = _number(ma.fields.Integer, "Time of the earliest record, in milliseconds")
    last_timestamp = _number(ma.fields.Integer, "Time of the newest record, in milliseconds")
    seconds_per_iteration = ma.fields.Nested(Pace, required=True, allow_none=True)
    eta = ma.fields.Nested(Estimate, required=True, allow_none=True)
    restarts = _number(ma.fields.Integer, "Number of restarts")
    attempts = ma.fields.List(
        ma.fields.Nested(Attempt), required=True, metadata={"description": "The latest 100 attempts, by time"}
    )
    iterations_repeated = _number(ma.fields.Integer, "Iterations redone after restarts")
    non_finite = ma.fields.List(
        ma.fields.Nested(NonFiniteMetric),
        required=True,
        metadata={"description": "Up to 100 metrics whose latest values are NaN or infinite, the earliest first"},
    )
    seconds_wall = _number(ma.fields.Float, "Seconds from the first record to the last")
    seconds_lost_to_restarts = _number(ma.fields.Float, "Seconds lost around restarts and in redone iterations")
    seconds_paused = _number(ma.fields.Float, "Seconds in pauses")
    seconds_productive = _number(ma.fields.Float, "Remaining seconds")
    goodput = _number(ma.fields.Float, "`seconds_productive` divided by `seconds_wall`, 0 to 1")
