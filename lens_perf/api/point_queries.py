"""Builds the query object of a request for data points: the one place that interprets its parameters."""

from collections.abc import Mapping
from typing import Any, cast

from flask import request
from werkzeug.datastructures import MIMEAccept

from lens_perf.api.arguments import INT64, parse_workload_uid
from lens_perf.api.point_arguments import AXES, NO_PLACE_FOR_CHANGES, WIDE_NEEDS_TABLE, choose_max_points
from lens_perf.errors import InvalidParameterError
from lens_perf.performance.points.query import Axis, Encoding, Kind, Method, PointQuery, Sampling
from lens_perf.performance.selection import Selection

MEDIA_TYPES: Mapping[Encoding, str] = {
    "json": "application/json",
    "columns": "application/json",
    "csv": "text/csv",
    "wide-csv": "text/csv",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "wide-parquet": "application/vnd.apache.parquet",
}
BY_MEDIA_TYPE: Mapping[str, str] = {
    "application/json": "json",
    "text/csv": "csv",
    "application/x-ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
}
TABLE_TYPES = (MEDIA_TYPES["csv"], MEDIA_TYPES["parquet"])


def build_point_query(uid: str, query: Mapping[str, Any], kind: Kind) -> PointQuery:
    """Return the query object of a request with a checked PointsQuery. Raises InvalidParameterError."""
    encoding = _choose_encoding(query)
    if query["after"] and MEDIA_TYPES[encoding] in TABLE_TYPES:
        raise InvalidParameterError(NO_PLACE_FOR_CHANGES, {"query": {"after": [NO_PLACE_FOR_CHANGES]}})
    return PointQuery(
        cluster=query["cluster"],
        selection=_select_records(uid, query),
        kind=kind,
        metrics=choose_metrics(query),
        encoding=encoding,
        sampling=_choose_sampling(query),
        non_finite=query.get("non_finite") == "true",
        include_serial=query["include"] == "serial",
        serials=choose_serials(query),
        by_serial=query["split"] == "serial",
        after=query["after"],
        # Werkzeug reads an empty tag, which curl sends without a saved one, as None.
        known=tuple(sorted(filter(None, request.if_none_match.as_set(include_weak=True)))),
    )


def _choose_encoding(query: Mapping[str, Any]) -> Encoding:
    """Return the encoding of the parameters, else the one that the Accept header prefers, else JSON.

    Raises InvalidParameterError if neither chooses the encoding of a wide table.
    """
    chosen, layout = query["format"], query["layout"]
    if layout == "columns":
        return "columns"
    if layout == "wide":
        return cast("Encoding", f"wide-{chosen or _choose_table()}")
    return cast("Encoding", chosen or BY_MEDIA_TYPE[_list_accepted().best_match(BY_MEDIA_TYPE, "application/json")])


def _choose_table() -> str:
    """Return the encoding that the Accept header prefers for a wide table, which it must name."""
    named = MIMEAccept([(name, quality) for name, quality in _list_accepted() if "*" not in name])
    chosen = named.best_match(TABLE_TYPES)
    if chosen is None:
        raise InvalidParameterError(WIDE_NEEDS_TABLE, {"query": {"layout": [WIDE_NEEDS_TABLE]}})
    return BY_MEDIA_TYPE[chosen]


def _list_accepted() -> MIMEAccept:
    """Return the media types of the Accept header without parameters such as charset, which Werkzeug would compare."""
    return MIMEAccept([(each.partition(";")[0].strip(), quality) for each, quality in request.accept_mimetypes])


def _select_records(uid: str, query: Mapping[str, Any]) -> Selection:
    time_range = None if query["start"] is None else (query["start"], query["end"])
    first, last = query["start_iteration"], query["end_iteration"]
    iteration_range = None
    if first is not None or last is not None:
        iteration_range = INT64.start if first is None else first, INT64.stop - 1 if last is None else last
    return Selection(parse_workload_uid(uid), query["data_source"], time_range, iteration_range)


def choose_metrics(query: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the requested metrics, each once, in the order of the request; None for all."""
    names = query.get("metrics", ())
    return None if names is None else tuple(dict.fromkeys([*names, *query.get("metric", ())])) or None


def choose_serials(query: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the requested attempts, each once; empty for all."""
    return tuple(dict.fromkeys(serial for serial in query["serial"] if serial is not None))


def _choose_sampling(query: Mapping[str, Any]) -> Sampling | None:
    max_points = choose_max_points(query)
    if max_points is None:
        return None
    axis = query["axis"] or "iteration"
    method = cast("Method", query.get("method") or "m4")
    if axis in AXES:
        return Sampling(max_points, cast("Axis", axis), method=method)
    return Sampling(max_points, "metric", axis, method)
