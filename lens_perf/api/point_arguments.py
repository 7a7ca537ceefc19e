"""The parameters of requests for data points: selection, sampling, encoding."""

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
)

METHODS = ("m4", "stride")
# Each is a lookup in an index.
MOST_PREVIEWED = 100_000
FORMATS = ("json", "csv", "ndjson", "parquet")
LAYOUTS = ("points", "columns", "wide")
AXES = ("iteration", "time", "relative_time")
INT32 = range(-(2**31), 2**31)
NAME_WITH_NUL = "a metric name must not contain NUL"


class MetricNames(ma.fields.Field[Sequence[str] | None]):
    """``a,b`` or ``{a,b}``; ``{}``, or the one name ``all`` in any case, is every metric: None. A blank text is ()."""

    def _deserialize(self, value: Any, *_rest: Any, **_kwargs: Any) -> Any:
        if "\0" in value:
            raise ma.ValidationError(NAME_WITH_NUL)
        text = value.strip()
        if not text:
            return ()
        if text.startswith("{") and text.endswith("}"):
            text = text[1:-1]
        names = [name for name in (each.strip() for each in text.split(",")) if name]
        return None if not names or [name.lower() for name in names] == ["all"] else names


class WholeNumber(ma.fields.Field[int]):
    """A whole number in ASCII digits within ``bounds``; the empty text is None."""

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


NO_PLACE_FOR_CHANGES = (
    "CSV and Parquet cannot say which points to drop; use format=json, format=ndjson or layout=columns with after"
)
WIDE_NEEDS_TABLE = "layout=wide requires format=csv or format=parquet"
RANGE_END = "{} iteration, inclusive; excludes records without an iteration."


class PointsQuery(TimeRangeQuery):
    """Selects data points, how many, and their encoding."""

    start_iteration = WholeNumber("start_iteration", RANGE_END.format("First"), 1000)
    end_iteration = WholeNumber("end_iteration", RANGE_END.format("Last"), 2000)
    max_points = WholeNumber(
        "max_points",
        "Maximum number of data points of each series, chosen so that a chart shows every spike: the first, last, "
        "least and greatest of each bucket.",
        1000,
        range(1, INT64.stop),
    )
    maxDataPoints = WholeNumber(  # noqa: N815
        "maxDataPoints", "Grafana's name for `max_points`.", 1000, range(1, INT64.stop)
    )
    axis = OptionalText(
        load_default=absent,
        validate=ma.validate.Regexp(NO_NUL, error=NAME_WITH_NUL),
        metadata={
            "description": "Axis along which `max_points` forms its buckets: `iteration` (default), `time`, "
            "`relative_time` (since the first record) or the name of a metric, such as `consumed_samples`.",
            "example": "iteration",
            "pattern": NO_NUL,
        },
    )
    serial = ma.fields.List(
        WholeNumber("serial", "Attempt", 0, INT32),
        load_default=tuple,
        metadata={"description": "Return this attempt only; repeatable.", "example": []},
    )
    include = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(("serial", None), error="include must be serial"),
        metadata={
            "description": "`serial` adds the attempt (`serial`) to each data point.",
            "example": "serial",
            "enum": ["", "serial"],
        },
    )
    split = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(("serial", None), error="split must be serial"),
        metadata={
            "description": "`serial` makes each attempt a series of its own, for `max_points` and `layout=columns`.",
            "example": "serial",
            "enum": ["", "serial"],
        },
    )
    format = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*FORMATS, None), error=f"format must be one of {', '.join(FORMATS)}"),
        metadata={
            "description": "Encoding of the response; by default the `Accept` header decides, else JSON.",
            "example": "json",
            "enum": ["", *FORMATS],
        },
    )
    layout = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*LAYOUTS, None), error=f"layout must be one of {', '.join(LAYOUTS)}"),
        metadata={
            "description": "`points` (default): one row for each data point. `columns` (JSON): arrays of iterations, "
            "timestamps and values for each series, a fifth of the size. `wide` (CSV, Parquet): one row for each "
            "iteration and data source, one column for each metric.",
            "example": "points",
            "enum": ["", *LAYOUTS],
        },
    )
    after = ma.fields.String(
        load_default=absent,
        validate=ma.validate.Regexp(r"\A[A-Za-z0-9_-]*\Z", error="after must be the cursor of an earlier answer"),
        metadata={
            "description": "The `cursor` of an earlier response: returns the changes since. `changed` lists the pairs "
            "of data source and iteration whose points to drop before adding `data`; `reset` means to drop all. Empty: "
            "returns everything and a first cursor. `max_points` applies to full responses, not to changes.",
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
            raise ma.ValidationError("max_points and maxDataPoints are the same parameter; use one", "maxDataPoints")
        if data.get("axis") is not None and choose_max_points(data) is None:
            raise ma.ValidationError("axis requires max_points", "axis")
        _check_encoding(data)


def _check_encoding(data: Mapping[str, Any]) -> None:
    encoding, layout = data.get("format"), data.get("layout")
    if layout == "columns" and encoding not in {None, "json"}:
        raise ma.ValidationError("layout=columns requires format=json", "layout")
    if layout == "wide" and encoding not in {None, "csv", "parquet"}:
        raise ma.ValidationError(WIDE_NEEDS_TABLE, "layout")
    if data.get("after") and encoding in {"csv", "parquet"}:
        raise ma.ValidationError(NO_PLACE_FOR_CHANGES, "after")


class DataQuery(PointsQuery):
    """Selects the data points of some metrics or all."""

    non_finite = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(("true", "false", None), error="non_finite must be true or false"),
        metadata={
            "description": "Whether values stored as the texts `NaN`, `Infinity` and `-Infinity` are returned as well; "
            "`value` is then that text.",
            "example": "true",
            "enum": ["", "true", "false"],
        },
    )

    method = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf((*METHODS, None), error="method must be m4 or stride"),
        metadata={
            "description": "How `max_points` samples: `m4` (default) reads all points and keeps every spike; `stride` "
            f"is a fast preview from the records of evenly spaced iterations, at most {MOST_PREVIEWED}.",
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
        ma.fields.String(validate=ma.validate.Regexp(NO_NUL, error=NAME_WITH_NUL)),
        load_default=tuple,
        metadata={
            "description": "One metric name, taken verbatim, for names that contain commas or braces; repeatable, in "
            "addition to `metrics`.",
            "example": ["loss"],
        },
    )

    @ma.validates_schema
    def _check_method(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        if data.get("method") != "stride":
            return
        max_points = choose_max_points(data)
        if max_points is None:
            raise ma.ValidationError("method requires max_points", "method")
        if max_points > MOST_PREVIEWED:
            raise ma.ValidationError(f"stride finds up to {MOST_PREVIEWED} iterations; reduce max_points", "method")
        if data.get("axis") not in {None, "iteration"} or data.get("start") is not None:
            raise ma.ValidationError("stride samples along iterations; remove axis, start and end", "method")
        if data.get("after") is not None:
            raise ma.ValidationError("stride is a preview and reports no changes; remove after", "method")


def choose_max_points(query: Mapping[str, Any]) -> int | None:
    """Return the maximum number of data points of a series in a PointsQuery, by either name."""
    given = query.get("max_points"), query.get("maxDataPoints")
    return next((each for each in given if each is not None), None)
