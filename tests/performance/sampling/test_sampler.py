"""Sampled answers are equal to those of a simple M4, for any blocks; chosen points remain while series grow."""

import csv
import io
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import frexp, inf
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_perf.performance.m4 import choice
from lens_perf.performance.points import wide_rows
from lens_perf.performance.points.query import PointQuery, Sampling
from lens_perf.performance.sampling import sampler
from lens_perf.performance.selection import Selection
from tests.performance.points.copies import Record, in_selection, is_number, list_expected, parse_strict
from tests.performance.points.test_answers import answer, as_text, list_times, with_encoding

NUMBERS = ["0", "1", "1", "2", "-5", "0.5", "1.0", "1" + "0" * 30, "9007199254740993", "9007199254740992"]
VALUES = st.sampled_from([*NUMBERS, '"NaN"', '"-Infinity"', '"text"', "null", "1" + "0" * 400])
X = st.sampled_from(["0", "1", "-3", "0.25", "1e3"[:0] or "1000", "-0.000001", "1" + "0" * 300, '"NaN"'])


@st.composite
def record_lists(draw: st.DrawFn) -> list[Record]:
    rows = draw(
        st.lists(
            st.tuples(
                st.none()
                | st.integers(0, 10**9)
                | st.sampled_from([0, 1000, -(2**63), 2**63 - 1, 9223371331199999999]),
                st.none() | st.integers(-40, 300) | st.sampled_from([-(2**31), 2**31 - 1]),
                st.none() | st.integers(0, 2),
                st.sampled_from(["log", "log", "wandb", None]),
                st.fixed_dictionaries({}, optional={"loss": VALUES, "lr": VALUES, "x": X, "target_iteration": VALUES}),
            ),
            max_size=60,
        )
    )
    return [Record(index, *row) for index, row in enumerate(rows)]


@dataclass(frozen=True)
class Placed:
    """A point with its value on the axis, and its position among all records."""

    axis: Any
    order: int
    point: dict[str, Any]

    @property
    def value(self) -> float:
        return float(self.point["value"]) if is_number(self.point["value"]) else inf

    @property
    def is_finite(self) -> bool:
        return is_number(self.point["value"])


def fit(first: Any, last: Any, most: int) -> Any:
    """Return a function from a value on the axis to its bucket, for the narrowest buckets that are few enough."""
    exponents = range(64) if isinstance(first, int) else range(-1080, 1025)

    def index(place: Any, exponent: int) -> int:
        numerator, denominator = place.as_integer_ratio()
        if exponent >= 0:
            return int(numerator // (denominator << exponent))
        return int((numerator << -exponent) // denominator)

    for exponent in exponents:
        if index(last, exponent) - index(first, exponent) < most:
            return lambda place: index(place, exponent)
    return lambda _place: 0


def choose_naively(points: list[Placed], max_points: int, roles: int, bucket: Any) -> list[Placed]:
    if len(points) <= max_points:
        return points
    found: dict[int, Placed] = {}
    groups: dict[Any, list[Placed]] = defaultdict(list)
    for point in points:
        groups[bucket(point.axis)].append(point)
    for group in groups.values():
        finite = [each for each in group if each.is_finite]
        others = [each for each in group if not each.is_finite]
        wanted = [max(group, key=lambda each: (each.axis, -each.order))]
        wanted += [max(finite, key=lambda each: (each.value, -each.order))] if finite else [wanted[0]]
        wanted += [min(finite, key=lambda each: (each.value, each.order))] if finite else [wanted[0]]
        wanted.append(min(group, key=lambda each: (each.axis, each.order)))
        wanted += others[:1]
        found |= {each.order: each for each in wanted[:roles]}
    return [found[order] for order in sorted(found)]


def sample_naively(series: dict[Any, list[Placed]], max_points: int, *, non_finite: bool) -> list[Placed]:
    roles = min(max_points, 5 if non_finite else 4)
    places = [each.axis for points in series.values() for each in points]
    if not places:
        return []
    bucket = fit(min(places), max(places), max(1, max_points // roles))
    chosen = [each for points in series.values() for each in choose_naively(points, max_points, roles, bucket)]
    return sorted(chosen, key=lambda each: each.order)


def place_points(records: list[Record], query: PointQuery, points: list[dict[str, Any]]) -> dict[Any, list[Placed]]:
    """Return the points with a value on the axis, by series."""
    assert query.sampling is not None
    ordered = sorted(records, key=lambda each: each.order)
    begin: dict[Any, int] = {}
    for record in ordered:
        if record.timestamp is not None:
            begin.setdefault(record.serial if query.by_serial else None, record.timestamp)
    series: dict[Any, list[Placed]] = defaultdict(list)
    for order, point in enumerate(points):
        record = ordered[point["order"]]
        axis: Any
        if query.sampling.axis == "iteration":
            axis = record.iteration
        elif query.sampling.axis == "metric":
            text = record.fields().get("x", "")
            axis = float(text) if is_number(text) else None
        else:
            axis = record.timestamp
            if query.sampling.axis == "relative_time" and axis is not None:
                axis -= begin[record.serial if query.by_serial else None]
        if axis is not None:
            source = None if query.kind == "iteration-times" else point["data_source"]
            series[point["metric_name"], source, point["serial"] if query.by_serial else None].append(
                Placed(axis, order, point)
            )
    return series


def list_points(records: list[Record], query: PointQuery) -> list[dict[str, Any]]:
    ordered = sorted(records, key=lambda each: each.order)
    numbered = [replace(record, id=index) for index, record in enumerate(ordered)]
    if query.kind == "iteration-times":
        points = list_times(records, query)
        places = {
            (each.iteration, each.timestamp, each.serial, each.source): index
            for index, each in reversed(list(enumerate(ordered)))
        }
        return [
            {**each, "order": places[each["iteration"], each["timestamp"], each["serial"], each["data_source"]]}
            for each in points
        ]
    found = []
    for index, record in enumerate(numbered):
        points = list_expected(
            [record], query.selection, query.metrics, non_finite=query.non_finite, serials=query.serials
        )
        found += [{**point, "order": index} for point in points]
    return found


QUERIES = st.builds(
    PointQuery,
    st.none(),
    st.builds(
        Selection,
        st.just("w"),
        st.sampled_from([None, None, "log"]),
        iteration_range=st.sampled_from([None, None, (0, 200)]),
    ),
    kind=st.sampled_from(["data", "data", "data", "iteration-times"]),
    metrics=st.sampled_from([None, ("loss", "lr"), ("lr", "no such")]),
    non_finite=st.booleans(),
    by_serial=st.booleans(),
    sampling=st.builds(
        Sampling,
        st.sampled_from([1, 2, 3, 4, 5, 8, 9, 12, 20, 1000]),
        st.sampled_from(["iteration", "time", "relative_time", "metric"]),
        st.just("x"),
    ),
)


@given(records=record_lists(), query=QUERIES, size=st.sampled_from([1, 7, 100]), gathered=st.sampled_from([0, 2**17]),
       sparse=st.sampled_from([0, 8, 10**9]), large=st.sampled_from([0, 256]))  # fmt: skip
@settings(max_examples=300)
def test_m4(records: list[Record], query: PointQuery, *, size: int, gathered: int, sparse: int, large: int) -> None:
    if query.kind == "iteration-times":
        query = replace(query, metrics=None, non_finite=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "MOST_GATHERED", gathered)
        patch.setattr(sampler, "SPARSE", sparse)
        patch.setattr(choice, "LARGE_GROUP", large)
        found = parse_strict(answer(records, query, size=size))
    if is_whole(records, query):
        assert found["sampling"]["method"] == "none"
    else:
        width = found["sampling"].pop("bucket_width")
        assert width is None or frexp(float(width))[0] == 0.5  # a power of two
        assert found["sampling"] == {
            "method": "m4",
            "points_total": str(sum(map(len, place_points(records, query, list_points(records, query)).values()))),
            "points_returned": str(len(found["data"])),
        }
    shown = ["metric_name", "value", "timestamp", "iteration", "data_source", *(["serial"] if query.by_serial else [])]
    assert [{name: each[name] for name in shown} for each in found["data"]] == [
        {name: as_text(each)[name] for name in shown} for each in sample(records, query)
    ]


def is_whole(records: list[Record], query: PointQuery) -> bool:
    assert query.sampling is not None
    number = sum(query.selection.data_source in {None, each.source} for each in records)
    return number <= query.sampling.max_points and query.sampling.axis in {"iteration", "time"}


def sample(records: list[Record], query: PointQuery) -> list[dict[str, Any]]:
    """Return the expected points, with ``order``, the index of the record."""
    assert query.sampling is not None
    points = list_points(records, query)
    if is_whole(records, query):
        return points
    series = place_points(records, query, points)
    chosen = sample_naively(series, query.sampling.max_points, non_finite=query.non_finite)
    return [each.point for each in chosen]


@pytest.mark.parametrize("rows_at_once", [1, 64])
@given(records=record_lists(), query=QUERIES, include_serial=st.booleans())
@settings(max_examples=150)
def test_a_wide_table_has_the_sampled_points(
    records: list[Record], query: PointQuery, rows_at_once: int, *, include_serial: bool
) -> None:
    query = replace(query, include_serial=include_serial)
    if query.kind == "iteration-times":
        query = replace(query, metrics=None, non_finite=False)
    if query.kind == "iteration-times" and is_whole(records, query):
        whole = replace(query, sampling=None)
        for encoding in ("wide-csv", "wide-parquet"):
            assert answer(records, with_encoding(query, encoding)) == answer(records, with_encoding(whole, encoding))
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide_rows, "CELLS", 0)
        patch.setattr(wide_rows, "LEAST_ROWS", rows_at_once)
        text = answer(records, with_encoding(query, "wide-csv")).decode()
        table = pl.read_parquet(answer(records, with_encoding(query, "wide-parquet")))
    rows = pivot(records, query, sample(records, query))
    assert [{title: cell for title, cell in row.items() if cell} for row in csv.DictReader(io.StringIO(text))] == [
        {title: cell.strip('"') for title, cell in row.items()} for row in rows
    ]
    assert list(map(read_row, table.rows(named=True))) == list(map(read_row, rows))


def pivot(records: list[Record], query: PointQuery, points: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Return the rows of a wide table with the cells that are not empty, as texts."""
    ordered = sorted(records, key=lambda each: each.order)
    names = ["data_source", *(["serial"] if query.has_serial else [])]
    rows: dict[Any, dict[str, str]] = {}

    def make_key(order: int) -> tuple[Any, ...]:
        record = ordered[order]
        own = record.iteration is None, record.iteration or 0, order if record.iteration is None else 0
        shared = [record.source, *([record.serial] if query.has_serial else [])]
        return *own, *((value is None, value or 0) for value in shared)

    for point in points:
        record = ordered[point["order"]]
        row = rows.setdefault(make_key(point["order"]), {})
        row |= {name: str(point[name]) for name in ["iteration", "timestamp", *names] if point[name] is not None}
        row |= list_axis_value(records, query, record)
        if not (query.kind == "iteration-times" and point["metric_name"] == "iteration"):
            row[point["metric_name"]] = point["value"]
    if is_whole(records, query):
        # As without max_points, records without data points count for the time of a row.
        for order, record in enumerate(ordered):
            if record.timestamp is not None and in_selection(record, query.selection, query.serials):
                rows.get(make_key(order), {})["timestamp"] = str(record.timestamp)
    return [rows[key] for key in sorted(rows)]


def list_axis_value(records: list[Record], query: PointQuery, record: Record) -> dict[str, str]:
    assert query.sampling is not None
    if query.sampling.axis == "metric":
        return {"axis_value": record.fields()["x"]}
    if query.sampling.axis in {"iteration", "time"}:
        return {}
    times = [
        each.timestamp
        for each in sorted(records, key=lambda each: each.order)
        if each.timestamp is not None and (not query.by_serial or each.serial == record.serial)
    ]
    assert record.timestamp is not None
    return {"axis_value": str(record.timestamp - times[0])}


def read_row(row: Mapping[str, Any]) -> dict[str, str]:
    """Return the cells that are not empty, with numbers as float64."""
    texts = {title: cell.strip('"') if isinstance(cell, str) else cell for title, cell in row.items()}
    return {
        title: cell if title == "data_source" else repr(float(cell))
        for title, cell in texts.items()
        if cell is not None and cell != ""
    }
