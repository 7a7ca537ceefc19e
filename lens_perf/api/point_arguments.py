"""What a request for data points may say: which part of them, how many, in which form."""

from collections.abc import Mapping, Sequence
from typing import Any

import marshmallow as ma

from lens_perf.api.arguments import (
    INT64,
    NO_NUL,
    WHOLE_NUMBER,
    OptionalText,
    TimeRangeQuery,
    absent,
    parse_workload_uid,
)
from lens_perf.performance.sampling_sql import AXES, Sampling
from lens_perf.performance.selection import Selection

METHODS = ("m4", "stride")
FORMATS = ("json", "csv", "ndjson")
LAYOUTS = ("points", "columns")


class MetricNames(ma.fields.Field[Sequence[str] | None]):
    """``a,b`` or ``{a,b}``; ``{}``, or the one name ``all`` in any case, is every metric: None. A blank text is ()."""

    def _deserialize(self, value: Any, *_rest: Any, **_kwargs: Any) -> Any:
        text = value.strip()
        if not text:
            return ()
        if text.startswith("{") and text.endswith("}"):
            text = text[1:-1]
        names = [name for name in (each.strip() for each in text.split(",")) if name]
        return None if not names or [name.lower() for name in names] == ["all"] else names


class WholeNumber(ma.fields.Field[int]):
    """A whole number in ASCII digits, within ``bounds``; absent when it is empty."""

    def __init__(self, name: str, description: str, example: int, bounds: range = INT64) -> None:
        least = f" of at least {bounds.start}" if bounds.start >= 0 else ""
        most = f" and at most {bounds.stop - 1}" if bounds.stop < INT64.stop else ""
        number = {"type": "integer", "format": "int64", "minimum": bounds.start, "maximum": bounds.stop - 1}
        super().__init__(
            load_default=absent,
            error_messages={"invalid": f"{name} must be a whole number{least}{most}"},
            metadata={
                "description": description,
                "example": example,
                "oneOf": [number, {"type": "string", "enum": [""]}],
            },
        )
        self._bounds = bounds

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return None for the empty text."""
        return None if value == "" else super().deserialize(value, attr, data, **kwargs)

    def _deserialize(self, value: Any, *_rest: Any, **_kwargs: Any) -> int:
        if not WHOLE_NUMBER.fullmatch(value) or int(value) not in self._bounds:
            raise self.make_error("invalid")
        return int(value)


RANGE_END = "{} iteration, inclusive; records without an iteration are left out."


class PointsQuery(TimeRangeQuery):
    """A question whose answer is data points: which part of them, how many, in which form."""

    start_iteration = WholeNumber("start_iteration", RANGE_END.format("First"), 1000)
    end_iteration = WholeNumber("end_iteration", RANGE_END.format("Last"), 2000)
    max_points = WholeNumber(
        "max_points",
        "At most so many data points of each series, chosen so that a chart shows every spike: of each bucket the "
        "first, last, least and greatest.",
        1000,
        range(1, INT64.stop),
    )
    maxDataPoints = WholeNumber(  # noqa: N815
        "maxDataPoints", "Another name for `max_points`, as Grafana has it.", 1000, range(1, INT64.stop)
    )
    axis = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*AXES, None), error="axis must be iteration or time"),
        metadata={
            "description": "What the buckets of `max_points` lie along: `iteration` (default) or `time`.",
            "example": "iteration",
            "enum": ["", *AXES],
        },
    )
    format = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*FORMATS, None), error=f"format must be one of {', '.join(FORMATS)}"),
        metadata={
            "description": "Form of the answer; without it the `Accept` header chooses, JSON by default.",
            "example": "json",
            "enum": ["", *FORMATS],
        },
    )
    layout = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*LAYOUTS, None), error=f"layout must be one of {', '.join(LAYOUTS)}"),
        metadata={
            "description": "Layout of a JSON answer: `points` (default), or `columns`, an array of iterations, of "
            "timestamps and of values for each series, which is a fifth of the size.",
            "example": "points",
            "enum": ["", *LAYOUTS],
        },
    )
    after = ma.fields.String(
        load_default=absent,
        validate=ma.validate.Regexp(r"\A[A-Za-z0-9_-]*\Z", error="after must be the cursor of an earlier answer"),
        metadata={
            "description": "The `cursor` of an earlier answer: returns the changes since. `changed` lists the pairs of "
            "data source and iteration whose points to drop before adding `data`; `reset` says to drop all. Empty: "
            "returns everything and a first cursor.",
            "example": "",
            "pattern": "^[A-Za-z0-9_-]*$",
        },
    )

    @ma.validates_schema
    def _check_points(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        start, end = data.get("start_iteration"), data.get("end_iteration")
        if start is not None and end is not None and start > end:
            raise ma.ValidationError("start_iteration must not be after end_iteration", "start_iteration")
        if data.get("max_points") is not None and data.get("maxDataPoints") is not None:
            raise ma.ValidationError("max_points and maxDataPoints mean the same; give one", "maxDataPoints")
        if data.get("after") and choose_max_points(data) is not None:
            raise ma.ValidationError("after returns every change; remove max_points", "after")
        if data.get("layout") == "columns" and data.get("format") in {"csv", "ndjson"}:
            raise ma.ValidationError("layout is for format json", "layout")


class DataQuery(PointsQuery):
    """A question about the data points of some metrics or all."""

    non_finite = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(("true", "false", None), error="non_finite must be true or false"),
        metadata={
            "description": "Whether values stored as the texts `NaN`, `Infinity` and `-Infinity` are data points, too; "
            "`value` then is that text.",
            "example": "true",
            "enum": ["", "true", "false"],
        },
    )

    method = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*METHODS, None), error="method must be m4 or stride"),
        metadata={
            "description": "How `max_points` chooses: `m4` (default) reads all and loses no spike; `stride` takes the "
            "records of evenly spaced iterations: a glance, at once, until the whole is there.",
            "example": "m4",
            "enum": ["", *METHODS],
        },
    )
    metrics = MetricNames(
        load_default=tuple,
        metadata={
            "description": "Comma-separated list of metric names. Supports `all` (return all metrics), specific metric "
            "names, or Grafana format `{metric1,metric2}`. Default: return all metrics.",
            "example": "loss,accuracy",
            "type": "string",
            "pattern": NO_NUL,
        },
    )
    metric = ma.fields.List(
        ma.fields.String(validate=ma.validate.Regexp(NO_NUL, error="a metric name holds no NUL")),
        load_default=tuple,
        metadata={
            "description": "One metric name, taken verbatim, for names that hold commas or braces; repeatable, and in "
            "addition to `metrics`.",
            "example": ["loss"],
        },
    )

    @ma.validates("metrics")
    def _check_metrics(self, names: Sequence[str] | None, **_kwargs: Any) -> None:
        if any("\0" in name for name in names or ()):
            raise ma.ValidationError("a metric name holds no NUL")

    @ma.validates_schema
    def _check_method(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if data.get("method") != "stride":
            return
        if choose_max_points(data) is None:
            raise ma.ValidationError("method is for max_points; give that too", "method")
        if data.get("axis") == "time" or data.get("start") is not None:
            raise ma.ValidationError("stride goes along iterations; leave axis=time, start and end away", "method")


def choose_max_points(query: Mapping[str, Any]) -> int | None:
    """Return the most data points of a series that a PointsQuery asks for, by either name."""
    given = query.get("max_points"), query.get("maxDataPoints")
    return next((each for each in given if each is not None), None)


def choose_records(workload_uid: str, query: Mapping[str, Any]) -> Selection:
    """Return the selection that a checked PointsQuery and a path's uid make."""
    time_range = None if query["start"] is None else (query["start"], query["end"])
    first, last = query["start_iteration"], query["end_iteration"]
    iteration_range = None
    if first is not None or last is not None:
        iteration_range = INT64.start if first is None else first, INT64.stop - 1 if last is None else last
    return Selection(parse_workload_uid(workload_uid), query["data_source"], time_range, iteration_range)


def choose_sampling(query: Mapping[str, Any]) -> Sampling | None:
    """Return how a checked PointsQuery wants its series thinned out, if it does."""
    max_points = choose_max_points(query)
    if max_points is None:
        return None
    return Sampling(
        max_points, query["axis"] or "iteration", query.get("non_finite") == "true", method=query.get("method") or "m4"
    )


def choose_metrics(query: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the metrics that a checked DataQuery asks for, each once, in the order asked; None for all."""
    if query["metrics"] is None:
        return None
    return tuple(dict.fromkeys([*query["metrics"], *query["metric"]])) or None
