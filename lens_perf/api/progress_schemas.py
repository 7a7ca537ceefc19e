"""The answer about progress, as the OpenAPI page shows it; docs/progress.rst defines every number."""

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
    return kind(required=True, allow_none=True, metadata={"description": f"{description}; null where no record says"})


class Pace(ma.Schema):
    """Seconds per iteration of the latest intervals."""

    median = ma.fields.Float(required=True, metadata={"description": "Half of them took less"})
    low = ma.fields.Float(required=True, metadata={"description": "A tenth of them took less"})
    high = ma.fields.Float(required=True, metadata={"description": "A tenth of them took more"})
    intervals = ma.fields.Integer(required=True, metadata={"description": "How many there are, 100 at most"})
    first_iteration = ma.fields.Integer(required=True, metadata={"description": "Where they begin"})
    last_iteration = ma.fields.Integer(required=True, metadata={"description": "Where they end"})


class Estimate(ma.Schema):
    """When the workload will reach its target."""

    timestamp = ma.fields.Integer(required=True, metadata={"description": "At the median pace, in milliseconds"})
    earliest = ma.fields.Integer(required=True, allow_none=True, metadata={"description": "At the low pace"})
    latest = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "At the high pace; null after the year 9999"},
    )
    seconds = ma.fields.Float(required=True, metadata={"description": "From now to `timestamp`, not below 0"})
    basis = ma.fields.String(required=True, metadata={"description": "What the estimate rests on, in words"})


class Health(ma.Schema):
    """Whether somebody should look at the workload, and why."""

    status = ma.fields.String(required=True, metadata={"description": "`ok`, `warning` or `critical`"})
    reasons = ma.fields.List(
        ma.fields.String(),
        required=True,
        metadata={
            "description": "Of a `critical` status `stalled`, `non_finite_loss`; of a `warning` `non_finite_metric`, "
            "`ended_before_target`"
        },
    )


class Attempt(ma.Schema):
    """What lies between two restarts."""

    number = ma.fields.Integer(required=True, metadata={"description": "Counted from 1"})
    serial = _number(ma.fields.Integer, "The `serial` of its records")
    first_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration of its first record"})
    last_iteration = ma.fields.Integer(required=True, metadata={"description": "Iteration of its last record"})
    first_timestamp = ma.fields.Integer(required=True, metadata={"description": "Time of its first record, in ms"})
    last_timestamp = ma.fields.Integer(required=True, metadata={"description": "Time of its last record, in ms"})
    records = ma.fields.Integer(required=True, metadata={"description": "How many records it has"})
    discarded_from = ma.fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Lowest iteration that a later attempt trained again; null if none was"},
    )


class NonFiniteMetric(ma.Schema):
    """A metric whose latest values are all NaN or infinite."""

    metric_name = ma.fields.String(required=True, metadata={"description": "The metric"})
    data_source = ma.fields.String(required=True, allow_none=True, metadata={"description": "Its data source"})
    since_iteration = _number(ma.fields.Integer, "Iteration of the first such record")
    since_timestamp = _number(ma.fields.Integer, "Time of that record, in milliseconds")


class Progress(ma.Schema):
    """How a workload is getting on."""

    workload_uid = ma.fields.String(required=True, metadata={"description": "The workload unique identifier"})
    data_source = ma.fields.String(metadata={"description": "The data source asked for (if specified)"})
    source = _number(ma.fields.String, "The data source that the numbers rest on")
    state = ma.fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "`running`, `stalled`, `ended` or `finished`", "example": "running"},
    )
    health = ma.fields.Nested(Health, required=True)
    current_iteration = _number(ma.fields.Integer, "Iteration of the newest record")
    target_iteration = _number(ma.fields.Integer, "How many iterations there are to be")
    share_done = _number(ma.fields.Float, "Current by target iteration, 0 to 1")
    first_timestamp = _number(ma.fields.Integer, "Time of the earliest record, in milliseconds")
    last_timestamp = _number(ma.fields.Integer, "Time of the newest record, in milliseconds")
    seconds_per_iteration = ma.fields.Nested(Pace, required=True, allow_none=True)
    eta = ma.fields.Nested(Estimate, required=True, allow_none=True)
    restarts = _number(ma.fields.Integer, "How often the workload was restarted")
    attempts = ma.fields.List(
        ma.fields.Nested(Attempt), required=True, metadata={"description": "The latest 100 attempts, by time"}
    )
    iterations_repeated = _number(ma.fields.Integer, "Iterations trained again after restarts")
    non_finite = ma.fields.List(
        ma.fields.Nested(NonFiniteMetric),
        required=True,
        metadata={"description": "Up to 100 metrics whose values are not finite any more, the earliest first"},
    )
    seconds_wall = _number(ma.fields.Float, "From the first record to the last")
    seconds_lost_to_restarts = _number(ma.fields.Float, "Around restarts, and training iterations again")
    seconds_paused = _number(ma.fields.Float, "In pauses")
    seconds_productive = _number(ma.fields.Float, "The rest")
    goodput = _number(ma.fields.Float, "Productive share of the wall clock, 0 to 1")
