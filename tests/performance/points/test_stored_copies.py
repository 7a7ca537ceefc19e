"""Stored copies give the same answers as the copies in memory that other tests use."""

import time
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lens_perf.performance.columns import row_blocks
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.points.fetched_records import fetch_records
from lens_perf.performance.points.query import PointQuery, Sampling
from lens_perf.performance.points.summary import list_available, list_sources, summarize
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RowSink
from lens_perf.settings import ColumnSettings
from tests.few_points import FEW, few_points
from tests.performance.columns.fake_source import FakeSource
from tests.performance.columns.fake_source import Record as Row
from tests.performance.columns.test_copies import make_entries
from tests.performance.points.copies import MemoryCopy, Record, is_number
from tests.performance.points.test_answers import QUERIES, read_answer, record_lists

KEY = CopyKey("alpha", "w", "a database")
SAMPLINGS = st.none() | st.builds(
    Sampling,
    st.sampled_from([4, 9]),
    st.sampled_from(["iteration", "time", "relative_time", "metric"]),
    st.just("loss"),
)


@given(
    records=record_lists(),
    query=QUERIES,
    kind=st.sampled_from(["data", "iteration-times"]),
    encoding=st.sampled_from(["json", "csv", "columns", "parquet", "wide-csv", "wide-parquet"]),
    sampling=SAMPLINGS,
    has_entries=st.booleans(),
    few=FEW,
)
@settings(max_examples=120)
def test_stored_copies_give_the_same_answers(
    records: list[Record],
    query: PointQuery,
    *,
    kind: Any,
    encoding: Any,
    sampling: Sampling | None,
    has_entries: bool,
    few: int,
) -> None:
    query = replace(query, kind=kind, encoding=encoding, sampling=sampling)
    if kind == "iteration-times":
        query = replace(query, metrics=None, non_finite=False)
    source = FakeSource()
    source.change(
        [Row(each.id, each.created_us, each.iteration, each.serial, each.source, each.values) for each in records]
    )
    memory = MemoryCopy(records, 100)
    with TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        if has_entries:
            make_entries(patch)
        columns = Columns(ColumnSettings(directory=directory))
        with columns.open(KEY, source, time.monotonic() + 30) as copy, few_points(few):
            assert read_answer(copy, query) == read_answer(memory, query)
            assert dict(list_sources(copy)) == dict(list_sources(memory))
            available = {name: count for name, _sources, count in list_available(copy)}
            entries = summarize(copy, by_attempt=True)
    assert available == {
        name: sum(is_number(record.fields().get(name, "x")) for record in records)
        for name in {name for record in records for name in record.fields()}
    }
    check_attempts(entries, records)


# All of the first three records have the loss, and one of the others.
COLUMN_AND_ENTRY = [
    Record(number, number, number, 1, "log", {"loss": "2.50"} if number in {1, 2, 3, 6} else {"lr": "1"})
    for number in range(1, 7)
]


@given(
    records=record_lists(),
    query=QUERIES,
    encoding=st.sampled_from(["json", "csv", "columns", "parquet", "wide-csv", "wide-parquet"]),
    has_entries=st.booleans(),
)
@example(records=COLUMN_AND_ENTRY, query=PointQuery(None, Selection("w")), encoding="wide-csv", has_entries=True)
@settings(max_examples=120)
def test_fetched_records_give_the_same_answers(
    records: list[Record], query: PointQuery, *, encoding: Any, has_entries: bool
) -> None:
    query = replace(query, encoding=encoding)
    rows = [Row(each.id, each.created_us, each.iteration, each.serial, each.source, each.values) for each in records]

    def copy_rows(sink: RowSink) -> None:
        for row in sorted(rows, key=Row.sort_key):
            sink.write(row.row())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_blocks, "BLOCK_ROWS", 3)
        if has_entries:
            make_entries(patch)
        fetched = fetch_records(copy_rows, 100, lambda: None)
        assert read_answer(fetched, query) == read_answer(MemoryCopy(records, 100), query)


def check_attempts(entries: list[dict[str, Any]], records: list[Record]) -> None:
    """Check the first, last, least and greatest of each attempt."""
    found = {(each["data_source"], each["metric_name"], each["serial"]): each for each in entries}
    assert len(found) == len(entries)
    expected = {(record.source, name, record.serial) for record in records for name in record.fields()}
    assert set(found) == expected
    for (source, name, serial), entry in found.items():
        points = [
            (float(record.fields()[name]), record)
            for record in sorted(records, key=lambda each: each.order)
            if (record.source, record.serial) == (source, serial) and is_number(record.fields().get(name, "x"))
        ]
        assert entry["count"] == len(points)
        if points:
            least, greatest = min(points, key=lambda each: each[0]), max(points, key=lambda each: each[0])
            chosen = {"first": points[0], "last": points[-1], "least": least, "greatest": greatest}
            for role, (_value, record) in chosen.items():
                coordinates = {"iteration": record.iteration, "timestamp": record.timestamp}
                assert orjson.dumps(entry[role]["value"]).decode() == record.fields()[name]
                assert entry[role] == {"value": entry[role]["value"], **coordinates}
        else:
            assert [entry[role] for role in ("first", "last", "least", "greatest")] == [None] * 4
