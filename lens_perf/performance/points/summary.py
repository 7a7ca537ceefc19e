"""Lists data sources and metrics, and summarizes metrics, from the statistics of a columnar copy."""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from typing import Any

import orjson

from lens_perf.performance.columns.field_stats import Coordinates, FieldStats, Point
from lens_perf.performance.columns.times import read_milliseconds
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.payloads import CoordinateFields, MetricSummary, SummaryPoint
from lens_perf.performance.source_names import count_by_source


def list_sources(copy: Copy) -> list[tuple[str, int]]:
    """Return (name of the data source, number of records), most records first, then by name."""
    return count_by_source(copy.sources.items())


def list_available(copy: Copy, data_source: str | None = None) -> list[tuple[str, list[str], int]]:
    """Return (metric, its data sources, number of data points) by name; the sources by number of data points."""
    fields = _list_fields(copy.fields, None, data_source)
    found = []
    for name, each in groupby(fields, key=lambda field: field[0][1]):
        counts = count_by_source((key[0], stats.count) for key, stats in each)
        found.append((name, [source for source, _ in counts], sum(count for _, count in counts)))
    return found


def summarize(
    copy: Copy,
    names: Sequence[str] | None = None,
    data_source: str | None = None,
    *,
    by_attempt: bool = False,
    serials: Collection[int] = (),
) -> list[MetricSummary]:
    """Return the statistics of each metric in each data source, for encoding with orjson.

    They are sorted by name, or in the order of ``names``, then by number of data points, most first. With
    ``by_attempt`` or ``serials``, there is an entry for each attempt, or for each of ``serials``. Raises
    DamagedPartError.
    """
    if by_attempt or serials:
        attempts = _list_fields(copy.read_attempts(), names, data_source)
        return [_describe(key, stats) for key, stats in attempts if not serials or key[2] in serials]
    return [_describe(key, stats) for key, stats in _list_fields(copy.fields, names, data_source)]


def _list_fields(
    fields: Mapping[Any, FieldStats], names: Sequence[str] | None, data_source: str | None
) -> list[tuple[Any, FieldStats]]:
    ranks = None if names is None else {name: rank for rank, name in enumerate(names)}
    wanted = [
        (key, stats)
        for key, stats in fields.items()
        if (ranks is None or key[1] in ranks) and data_source in {None, key[0]}
    ]

    def order(each: tuple[Any, FieldStats]) -> tuple[Any, ...]:
        (source, name, *serial), stats = each
        attempt = [serial[0] is None, serial[0] or 0] if serial else []
        # The attempts of a data source are listed together, by serial.
        return name if ranks is None else ranks[name], *([] if serial else [-stats.count]), *_rank(source), *attempt

    return sorted(wanted, key=order)


def _rank(source: str | None) -> tuple[bool, str]:
    """Return a key that sorts data sources by name, None last."""
    return source is None, source or ""


def _describe(key: tuple[Any, ...], stats: FieldStats) -> MetricSummary:
    source, name, *serial = key
    since = stats.non_finite_since
    described: MetricSummary = {
        "metric_name": name,
        "data_source": source,
        "count": stats.count,
        "non_finite_count": stats.non_finite,
        "first": _describe_point(stats.first),
        "last": _describe_point(stats.last),
        "least": _describe_point(stats.least),
        "greatest": _describe_point(stats.greatest),
        "non_finite_since": None if since is None else _describe_coordinates(since),
    }
    if serial:
        described["serial"] = serial[0]
    return described


def _describe_point(point: Point | None) -> SummaryPoint | None:
    """Return the point with its value as stored."""
    return None if point is None else {"value": orjson.Fragment(point.text), **_describe_coordinates(point)}


def _describe_coordinates(record: Coordinates | Point) -> CoordinateFields:
    return {"iteration": record.iteration, "timestamp": read_milliseconds(record.created_us)}
