"""Strict parsing of path and query string, with the contract's error messages."""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, cast

import marshmallow as ma
from flask import Request
from werkzeug.datastructures import MultiDict

from lens_perf.errors import InvalidParameterError
from lens_perf.performance.metric_fields import DATA_SOURCES

Location = Literal["query", "form"]

UID_REQUIRED = "workload_uid is required"
LONGEST_UID = 256
# Unicode's White_Space, written out, since Python's strip() also removes the ASCII separators.
BLANKS = r"\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NOT_BLANK = re.compile(f"[^{BLANKS}]")
UID_PATTERN = rf"^[^\x00]*[^\x00{BLANKS}][^\x00]*$"
NO_NUL = "^[^\\x00]*$"
WHOLE_NUMBER = re.compile(r"-?[0-9]{1,19}")
INT64 = range(-(2**63), 2**63)


def parse_workload_uid(text: str) -> str:
    """Return ``text``, a workload's uid from the path. Raises InvalidParameterError if it is not valid."""
    message = find_uid_error(text)
    if message is not None:
        raise InvalidParameterError(message, {"path": {"uid": [message]}})
    return text


def find_uid_error(text: str) -> str | None:
    """Return why ``text`` is not a valid uid, or None."""
    if not NOT_BLANK.search(text):
        return UID_REQUIRED
    if len(text) > LONGEST_UID or "\0" in text:
        return f"workload_uid must be at most {LONGEST_UID} characters, none of them NUL"
    return None


def split_workload(text: str) -> tuple[str, str]:
    """Return the cluster and the uid of ``text``, ``<cluster>/<uid>``; the uid is empty if there is no slash."""
    cluster, _, uid = text.partition("/")
    return cluster, uid


def absent() -> None:
    """Return None, the value of an absent parameter; a function, so that the spec shows no default."""


class OptionalText(ma.fields.String):
    """A string; the empty one, which Grafana sends for an unset variable, counts as absent."""

    def deserialize(self, value: Any, attr: str | None = None, data: Any = None, **kwargs: Any) -> Any:
        """Return None for the empty text."""
        return None if value == "" else super().deserialize(value, attr, data, **kwargs)


class Milliseconds(ma.fields.Field[int]):
    """An int64 in ASCII digits; ``name`` is its name in the contract's error messages."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(error_messages={"invalid": f"Invalid {name} time format"}, **kwargs)

    def _deserialize(self, value: Any, *_rest: Any, **_kwargs: Any) -> int:
        if not WHOLE_NUMBER.fullmatch(value) or int(value) not in INT64:
            raise self.make_error("invalid")
        return int(value)


class ClusterQuery(ma.Schema):
    """The parameters of every endpoint."""

    cluster = OptionalText(
        load_default=absent,
        metadata={
            "description": "Cluster name. Priority: specified cluster > default cluster > current cluster.",
            "example": "my-cluster",
        },
    )


class SourceQuery(ClusterQuery):
    """Selects one data source or all."""

    data_source = OptionalText(
        load_default=absent,
        validate=ma.validate.OneOf(
            (*DATA_SOURCES, None), error=f"data_source must be one of {', '.join(DATA_SOURCES)}"
        ),
        metadata={"description": "Filter by data source.", "example": "wandb", "enum": ["", *DATA_SOURCES]},
    )


class TimeRangeQuery(SourceQuery):
    """Selects a range of time."""

    start = Milliseconds(
        "start",
        load_default=absent,
        metadata={
            "description": "Start timestamp in milliseconds, inclusive (must be used with `end`).",
            "example": 1701734400000,
            "type": "integer",
            "format": "int64",
        },
    )
    end = Milliseconds(
        "end",
        load_default=absent,
        metadata={
            "description": "End timestamp in milliseconds, inclusive (must be used with `start`).",
            "example": 1701820800000,
            "type": "integer",
            "format": "int64",
        },
    )

    @ma.validates_schema
    def _check_range(self, data: Mapping[str, Any], **_kwargs: Any) -> None:
        start, end = data.get("start"), data.get("end")
        if (start is None) != (end is None):
            missing = "start" if start is None else "end"
            raise ma.ValidationError("start and end must be used together", missing)
        if start is not None and end is not None and start > end:
            raise ma.ValidationError("start must not be after end", "start")


def parse_parameters(current: Request, schema: ma.Schema, location: Location) -> Mapping[str, Any]:
    """Return the parameters of a request by ``schema``: those of its query, and for ``"form"`` also of its body.

    Unknown parameters are errors, and so are repeated ones unless they are repeatable. Raises InvalidParameterError
    with the first message, and with all messages by parameter.
    """
    try:
        if location == "query" and not current.query_string:
            return _load_nothing(schema)
        given = current.args.lists() if location == "query" else _join(current.args, current.form).lists()
        return cast("Mapping[str, Any]", schema.load(_read_values(given, schema)))
    except ma.ValidationError as error:
        messages: Any = error.messages
        raise InvalidParameterError(_find_first(messages), {location: messages}) from None


# Most requests have no query, and marshmallow takes a tenth of the time of a small one. One entry for each endpoint.
@cache
def _load_nothing(schema: ma.Schema) -> Mapping[str, Any]:
    """Return the parameters of a request without any; raises ma.ValidationError if one is required."""
    return MappingProxyType(schema.load({}))


def _join(*given: MultiDict[str, str]) -> MultiDict[str, str]:
    return MultiDict([item for each in given for item in each.items(multi=True)])


def _read_values(given: Iterable[tuple[str, list[str]]], schema: ma.Schema) -> Mapping[str, str | list[str]]:
    """Return the value of each parameter, a list if it is repeatable; raises ma.ValidationError."""
    values: dict[str, str | list[str]] = {}
    errors: dict[str, list[str]] = {}
    for name, texts in given:
        if name not in schema.fields:
            errors[name] = [f"Unknown parameter {name}; expected {', '.join(sorted(schema.fields))}"]
        elif isinstance(schema.fields[name], ma.fields.List):
            values[name] = texts
        elif len(texts) > 1:
            errors[name] = [f"{name} must be given once"]
        else:
            values[name] = texts[0]
    if errors:
        raise ma.ValidationError(errors)
    return values


def _find_first(messages: Any) -> str:
    """Return the first message of those by parameter; a List reports its messages by index."""
    while isinstance(messages, (dict, list)):
        messages = next(iter(messages.values() if isinstance(messages, dict) else messages))
    return str(messages)
