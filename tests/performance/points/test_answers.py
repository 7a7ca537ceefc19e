"""Answers from a columnar copy have the data points of a simple model of the records, in every encoding."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_perf.errors import ResultTooLargeError
from lens_perf.performance import blocks
from lens_perf.performance.blocks import order_as_stored
from lens_perf.performance.points import by_iteration, text_writer
from lens_perf.performance.points.answers import answer_from_copy
from lens_perf.performance.points.iteration_times import TARGET
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.points.spool import Spool
from lens_perf.performance.points.text_encodings import write_csv_text
from lens_perf.performance.selection import Selection
from tests.few_points import FEW, few_points
from tests.performance.points.copies import (
    MemoryCopy,
    Record,
    in_selection,
    is_number,
    is_point,
    list_expected,
    parse_strict,
    write_point,
)

ODD = ["a,b", 'say "hi"', "=1+1", "é/ü", "line\nbreak", "%s", "'", "\x7f", "", "\t", "\\", "^v:.*$", "*", "iteration",
       "timestamp", "step", "target_iteration"]  # fmt: skip
NAMES = st.sampled_from(["loss", "lr", *ODD])
NUMBERS = ["0", "1", "-5", "3", "0.5", "2.50", "1" + "0" * 30, "0." + "0" * 20 + "1", "9007199254740993", "7"]
VALUES = st.sampled_from(
    [*NUMBERS, *NUMBERS, "1" + "0" * 400, '"NaN"', '"Infinity"', '"-Infinity"', '"text"', "null", "true", '{"a": 1}']
)
TIMES = (
    st.none() | st.sampled_from([-(2**63), 2**63 - 1, 0, 1, -1, 999, 1000, 9223371331199999999]) | st.integers(0, 5000)
)
SOURCES = st.sampled_from(["log", "log", "wandb", None, 'o"dd', "=x", "a,b\n"])


@st.composite
def record_lists(draw: st.DrawFn) -> list[Record]:
    rows = draw(
        st.lists(
            st.tuples(
                TIMES,
                st.none() | st.integers(0, 6) | st.sampled_from([-(2**31), 2**31 - 1]),
                st.none() | st.integers(0, 2),
                SOURCES,
                st.dictionaries(NAMES, VALUES, max_size=5),
            ),
            max_size=14,
        )
    )
    return [Record(index, *row) for index, row in enumerate(rows)]


SELECTIONS = st.builds(
    Selection,
    st.just("w"),
    st.sampled_from([None, None, "log", "wandb"]),
    st.none() | st.sampled_from([(-(2**63), 2**63 - 1), (946_684_800_000, 946_684_800_001), (5, 4)]),
    st.none() | st.sampled_from([(-(2**63), 2**63 - 1), (1, 3), (2**40, 2**41)]),
)


def answer(
    records: Sequence[Record], query: PointQuery, *, size: int = 4, memory: int = 2**20, max_points: int = 10**6
) -> bytes:
    return read_answer(MemoryCopy(records, size), query, memory=memory, max_points=max_points)


def read_answer(copy: Any, query: PointQuery, *, memory: int = 2**20, max_points: int = 10**6) -> bytes:
    count = PointCount(max_points)
    with Spool(memory) as spool:
        body = answer_from_copy(copy, query, spool, count, memory_bytes=memory, check=lambda: None, extra={})
    if body.file is None:
        assert body.content is not None
        content = body.content
    else:
        with body.file:
            content = body.file.read()
    assert len(content) == body.size
    return content


QUERIES = st.builds(
    PointQuery,
    st.none(),
    SELECTIONS,
    metrics=st.none() | st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple),
    non_finite=st.booleans(),
    include_serial=st.booleans(),
    serials=st.sampled_from([(), (), (0,), (1, 2, 2**40)]),
)


def expect(records: Sequence[Record], query: PointQuery) -> list[dict[str, Any]]:
    points = list_expected(records, query.selection, query.metrics, non_finite=query.non_finite, serials=query.serials)
    return points if query.include_serial else [{**point, "serial": None} for point in points]


def write_expected(point: dict[str, Any], encoding: str, *, serial: bool) -> str:
    """Return the text of a point according to the contract and RFC 4180."""
    shared = ["timestamp", "iteration", "data_source", *(["serial"] if serial else [])]
    if encoding == "csv":
        source = point["data_source"]
        texts = {**point, "data_source": None if source is None else write_csv_text(source)}
        fields = ["" if texts[name] is None else str(texts[name]) for name in shared]
        return ",".join([write_csv_text(point["metric_name"]), point["value"], *fields])
    members = [f'"{name}":{json.dumps(point[name], ensure_ascii=False)}' for name in shared]
    name = json.dumps(point["metric_name"], ensure_ascii=False)
    return f'{{"metric_name":{name},"value":{point["value"]},{",".join(members)}}}'


def with_encoding(query: PointQuery, encoding: Any) -> PointQuery:
    return replace(query, encoding=encoding)


def check_text(records: list[Record], query: PointQuery, size: int, memory: int) -> None:
    points = expect(records, query)

    def write(encoding: str) -> list[str]:
        return [write_expected(point, encoding, serial=query.include_serial) for point in points]

    labels = {"workload_uid": "w"}
    if query.selection.data_source is not None:
        labels["data_source"] = query.selection.data_source
    begin = json.dumps(labels, separators=(",", ":"))[:-1] + ',"data":['
    expected = begin + ",".join(write("json")) + f'],"total_count":{len(points)}}}\n'
    assert answer(records, query, size=size, memory=memory).decode() == expected
    parse_strict(expected)
    lines = answer(records, with_encoding(query, "ndjson"), size=size, memory=memory).decode()
    assert lines == "".join(line + "\n" for line in write("ndjson"))
    table = answer(records, with_encoding(query, "csv"), size=size, memory=memory).decode()
    header = "metric_name,value,timestamp,iteration,data_source" + (",serial" if query.include_serial else "")
    assert table == header + "\n" + "".join(line + "\n" for line in write("csv"))
    rows = list(csv.reader(io.StringIO(table)))
    assert len(rows) == 1 + len(points)
    assert {len(row) for row in rows} == {len(rows[0])}


given_limits = given(
    records=record_lists(),
    query=QUERIES,
    size=st.sampled_from([1, 3, 100]),
    memory=st.sampled_from([0, 2**20]),
    few=FEW,
)


@given_limits
def test_text_is_the_points_byte_for_byte(
    records: list[Record], query: PointQuery, size: int, memory: int, *, few: int
) -> None:
    with few_points(few):
        check_text(records, query, size, memory)


@pytest.mark.parametrize("sparse", [0, 10**9])
@given(records=record_lists(), query=QUERIES, few=FEW)
def test_few_points_are_written_as_many_are(records: list[Record], query: PointQuery, sparse: int, few: int) -> None:
    with pytest.MonkeyPatch.context() as patch, few_points(few):
        patch.setattr(blocks, "SPARSE", sparse)
        patch.setattr(text_writer, "CELLS", 7)
        check_text(records, query, 100, 2**20)
        check_columns(records, query, 100, 2**20)


def check_columns(records: list[Record], query: PointQuery, size: int, memory: int) -> None:
    points = [as_text(point) for point in expect(records, query)]
    found = parse_strict(answer(records, with_encoding(query, "columns"), size=size, memory=memory))
    expected: dict[Any, list[dict[str, Any]]] = {}
    for point in points:
        expected.setdefault((point["metric_name"], point["data_source"]), []).append(point)
    arrays = {"iterations": "iteration", "timestamps": "timestamp", "values": "value"}
    if query.include_serial:
        arrays["serials"] = "serial"
    assert found["series"] == [
        {
            "metric_name": name,
            "data_source": source,
            **{title: [point[field] for point in of_series] for title, field in arrays.items()},
        }
        for (name, source), of_series in expected.items()
    ]
    assert found["total_count"] == str(len(points))


@given_limits
def test_columns_are_the_points_by_series(
    records: list[Record], query: PointQuery, size: int, memory: int, *, few: int
) -> None:
    with few_points(few):
        check_columns(records, query, size, memory)


def test_columns_of_very_many_sources() -> None:
    records = [Record(index, index, index, source=f"source {index % 70}", values={"a": "1"}) for index in range(200)]
    check_columns(records, PointQuery(None, Selection("w")), 200, 2**20)


def as_text(point: dict[str, Any]) -> dict[str, Any]:
    """Return a point as ``parse_strict`` reads it."""
    texts = {name: str(each) if isinstance(each, int) else each for name, each in point.items()}
    return {**texts, "value": texts["value"].strip('"')}


@given(records=record_lists(), query=QUERIES, size=st.sampled_from([1, 3, 100]))
@settings(max_examples=50)
def test_parquet_has_a_row_for_each_point(records: list[Record], query: PointQuery, size: int) -> None:
    table = pl.read_parquet(answer(records, with_encoding(query, "parquet"), size=size))
    columns = ["metric_name", "value", "timestamp", "iteration", "data_source"]
    assert table.columns == columns + (["serial"] if query.include_serial else [])
    assert table["value"].dtype == pl.Float64
    points = [{**point, "value": float(point["value"].strip('"'))} for point in expect(records, query)]
    assert list(map(repr, table.rows())) == [repr(tuple(point[name] for name in table.columns)) for point in points]


def rank(value: Any) -> tuple[bool, Any]:
    return value is None, "" if isinstance(value, str) and not value else value or 0 if not isinstance(
        value, str
    ) else value


def build_wide(records: list[Record], query: PointQuery, names: Sequence[str]) -> list[list[Any]]:
    """Return the rows of a wide table, values as JSON texts."""
    rows: dict[Any, dict[str, Any]] = {}
    for record in sorted(records, key=lambda each: each.order):
        if not in_selection(record, query.selection, query.serials):
            continue
        shared = [record.iteration, record.source, *([record.serial] if query.include_serial else [])]
        key = record.id if record.iteration is None else tuple(shared)
        row = rows.setdefault(key, {"": shared})
        row["timestamp"] = record.timestamp if record.timestamp is not None else row.get("timestamp")
        fields = record.fields()
        row |= {
            ("metric", name): fields[name]
            for name in names
            if name in fields and is_point(fields[name], non_finite=query.non_finite)
        }
    ordered = sorted(rows.values(), key=lambda row: list(map(rank, row[""])) if row[""][0] is not None else [(True, 0)])
    return [
        [row[""][0], row["timestamp"], *row[""][1:], *(row.get(("metric", name)) for name in names)] for row in ordered
    ]


@pytest.mark.parametrize("cells", [1, 2**22])
@given(records=record_lists(), query=QUERIES, size=st.sampled_from([1, 3, 100]))
@settings(max_examples=60)
def test_wide_tables(records: list[Record], query: PointQuery, size: int, cells: int) -> None:
    copy = MemoryCopy(records)
    source = query.selection.data_source
    names = query.metrics or sorted({name for of, name in copy.fields if source in {None, of}}, key=order_as_stored)
    expected = build_wide(records, query, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_iteration, "CELLS", cells)
        text = answer(records, with_encoding(query, "wide-csv"), size=size).decode()
        table = pl.read_parquet(answer(records, with_encoding(query, "wide-parquet"), size=size))
    header, *rows = csv.reader(io.StringIO(text))
    sources = {write_csv_text(source): source for source in copy.sources if source is not None}
    assert header[:3] == ["iteration", "timestamp", "data_source"]
    fixed = 4 if query.include_serial else 3
    assert len(set(header)) == len(header) == fixed + len(names)
    assert len(rows) == len(expected)
    for row, wanted in zip(rows, expected, strict=True):
        assert [*row[:2], *row[3:]] == [
            "" if each is None else str(each).strip('"') for each in [*wanted[:2], *wanted[3:]]
        ]
    assert len(sources) <= len(copy.sources)
    assert [title for title in table.columns if title not in header] == [] or any(map(str.isprintable, header))
    assert len(table.columns) == len(header)
    for row, wanted in zip(table.rows(), expected, strict=True):
        values = [None if each is None else float(each.strip('"')) for each in wanted[fixed:]]
        assert repr(list(row[:fixed])) == repr(wanted[:fixed])
        assert repr([None if each is None else float(each) for each in row[fixed:]]) == repr(values)


def test_a_wide_column_of_integers_is_int64() -> None:
    records = [Record(1, 1, 1, values={"a": "9007199254740993", "b": "1"}), Record(2, 2, 2, values={"b": "0.5"})]
    table = pl.read_parquet(answer(records, PointQuery(None, Selection("w"), encoding="wide-parquet")))
    assert table.schema["a"] == pl.Int64
    assert table["a"].to_list() == [9007199254740993, None]
    assert table.schema["b"] == pl.Float64


def list_times(records: list[Record], query: PointQuery) -> list[dict[str, Any]]:
    of_source = Selection("w", query.selection.data_source)
    earliest: dict[tuple[int, bool, int], Record] = {}
    for record in sorted(records, key=lambda each: each.order):
        if record.iteration is not None and in_selection(record, of_source, query.serials):
            serial = (record.serial is None, record.serial or 0) if query.by_serial else (False, 0)
            earliest.setdefault((record.iteration, *serial), record)
    return [
        write_point(name, text, record)
        for (iteration, *_), record in sorted(earliest.items())
        if in_selection(record, query.selection)
        for name, text in (("iteration", str(iteration)), ("target_iteration", record.fields().get("target_iteration")))
        if text is not None and is_number(text)
    ]


@pytest.mark.parametrize("cells", [1, 20, 2**22])
@given(records=record_lists(), query=QUERIES, size=st.sampled_from([1, 3, 100]), by_serial=st.booleans(), few=FEW)
def test_iteration_times(
    records: list[Record], query: PointQuery, size: int, by_serial: bool, *, cells: int, few: int
) -> None:
    query = replace(query, kind="iteration-times", metrics=None, non_finite=False, by_serial=by_serial)
    with pytest.MonkeyPatch.context() as patch, few_points(few):
        patch.setattr(by_iteration, "CELLS", cells)
        found = parse_strict(answer(records, query, size=size))["data"]
        text = answer(records, with_encoding(query, "wide-csv"), size=size).decode()
        table = pl.read_parquet(answer(records, with_encoding(query, "wide-parquet"), size=size))
    points = [as_text(point) for point in list_times(records, query)]
    assert found == [{name: each for name, each in p.items() if name != "serial" or query.has_serial} for p in points]
    rows = pivot_times(points, has_serial=query.has_serial)
    assert list(csv.DictReader(io.StringIO(text))) == [
        {name: write_cell(name, each) for name, each in row.items()} for row in rows
    ]
    assert table.columns == ["iteration", "timestamp", "data_source", *["serial"] * query.has_serial, TARGET]
    found = [{name: read_cell(name, each) for name, each in row.items()} for row in table.rows(named=True)]
    assert found == [{name: read_cell(name, each) for name, each in row.items()} for row in rows]


def pivot_times(points: list[dict[str, Any]], *, has_serial: bool) -> list[dict[str, Any]]:
    """Return a row for each iteration time, from its points as texts."""
    shared = ["iteration", "timestamp", "data_source", *(["serial"] if has_serial else [])]
    rows: list[dict[str, Any]] = []
    for point in points:
        if point["metric_name"] == "iteration":
            rows.append({name: point[name] for name in shared} | {TARGET: None})
        else:
            rows[-1][TARGET] = point["value"]
    return sorted(rows, key=_order)


def _order(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the sort key of a row: iteration, data source and serial, None last."""
    source, serial = row["data_source"], row.get("serial")
    return int(row["iteration"]), source is None, source or "", serial is None, int(serial or 0)


def write_cell(name: str, value: str | None) -> str:
    """Return a cell as Python's reader returns it."""
    if value is None:
        return ""
    return next(csv.reader([write_csv_text(value)]))[0] if name == "data_source" else value


def read_cell(name: str, value: Any) -> Any:
    if value is None or name == "data_source":
        return value
    return float(value) if name == TARGET else int(value)


@pytest.mark.parametrize("encoding", ["json", "ndjson", "csv", "columns", "parquet", "wide-csv", "wide-parquet"])
@pytest.mark.parametrize("iteration_range", [None, (0, 100)])
def test_the_limit_of_points(encoding: Any, iteration_range: Any) -> None:
    records = [Record(index, index, index, values={"a": "1", "b": "2"}) for index in range(10)]
    query = PointQuery(None, Selection("w", iteration_range=iteration_range), encoding=encoding)

    assert answer(records, query, max_points=20)
    with pytest.raises(ResultTooLargeError, match="limit it with"):
        answer(records, query, max_points=19)


@pytest.mark.parametrize("encoding", ["json", "columns", "parquet", "wide-csv", "wide-parquet"])
@pytest.mark.parametrize("kind", ["data", "iteration-times"])
def test_every_answer_ends_if_the_client_disconnects(encoding: Any, kind: Any) -> None:
    class GoneError(Exception):
        """The client has disconnected."""

    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise GoneError

    records = [Record(index, index, index, values={"a": "1"}) for index in range(40)]
    query = PointQuery(None, Selection("w"), kind=kind, encoding=encoding)
    with pytest.raises(GoneError), Spool(0) as spool:
        answer_from_copy(MemoryCopy(records), query, spool, PointCount(99), memory_bytes=0, check=check, extra={})


@pytest.mark.parametrize("encoding", ["json", "ndjson", "csv", "columns", "parquet", "wide-csv", "wide-parquet"])
@pytest.mark.parametrize("memory", [0, 2**20])
def test_an_answer_can_be_repeated(encoding: Any, memory: int) -> None:
    class DamagedError(Exception):
        """A part cannot be read."""

    class DamagedCopy(MemoryCopy):
        """A copy whose second part is damaged."""

        def blocks(self, *arguments: Any, **named: Any) -> Any:
            for number, block in enumerate(super().blocks(*arguments, **named)):
                if number == 1 and arguments[0] != []:
                    raise DamagedError
                yield block

    records = [Record(index, index, index, values={"a": "1", "b": "2"}) for index in range(10)]
    query = PointQuery(None, Selection("w"), encoding=encoding)
    with Spool(memory) as spool:
        count = PointCount(20)
        arguments: dict[str, Any] = {"memory_bytes": memory, "check": lambda: None, "extra": {}}
        with pytest.raises(DamagedError):
            answer_from_copy(DamagedCopy(records, 1), query, spool, count, **arguments)
        body = answer_from_copy(MemoryCopy(records), query, spool, count, **arguments)
    content = body.content
    if body.file is not None:
        with body.file:
            content = body.file.read()
    assert content == answer(records, query)
