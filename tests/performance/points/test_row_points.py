"""Rows of PostgreSQL and blocks of a columnar copy give the same bytes in every encoding."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_perf.performance.points import row_points
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.points.row_points import RowPoints
from lens_perf.performance.points.spool import Spool
from lens_perf.performance.points.writers import open_writer
from lens_perf.performance.selection import Selection
from tests.performance.points.copies import Record, in_selection
from tests.performance.points.test_answers import NAMES, QUERIES, answer, record_lists


def write_rows(records: Sequence[Record], query: PointQuery) -> list[bytes]:
    """Return the rows of a COPY, as PostgreSQL writes them."""

    def write(each: Any) -> str:
        return "" if each is None else str(each)

    rows = []
    for record in sorted(records, key=lambda each: each.order):
        if in_selection(record, query.selection, query.serials):
            fields = record.fields()
            shared = [write(record.timestamp), write(record.iteration), json.dumps(record.source, ensure_ascii=False)]
            serial = [write(record.serial)] if query.include_serial else []
            values = [fields.get(name, "") for name in query.metrics or ()]
            rows.append("\t".join([*values, *shared, *serial]).encode() + b"\n")
    return rows


@pytest.mark.parametrize("encoding", ["json", "ndjson", "csv", "columns", "parquet"])
@pytest.mark.parametrize("block_bytes", [1, 2**20])
@given(
    records=record_lists(),
    query=QUERIES,
    names=st.lists(NAMES, min_size=1, max_size=4, unique=True),
    size=st.sampled_from([1, 100]),
    many_rows=st.sampled_from([0, 3, 10**6]),
)
@settings(max_examples=50)
def test_rows_and_blocks_give_the_same_bytes(
    encoding: Any,
    block_bytes: int,
    *,
    records: list[Record],
    query: PointQuery,
    names: list[str],
    size: int,
    many_rows: int,
) -> None:
    query = replace(query, encoding=encoding, metrics=tuple(names))
    rows = write_rows(records, query)
    with Spool(2**20) as spool, pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_points, "BLOCK_BYTES", block_bytes)
        patch.setattr(row_points, "MANY_ROWS", many_rows)
        writer = open_writer(query, spool, PointCount(10**6), 2**20)
        points = RowPoints(names, writer, spool, has_serial=query.include_serial, non_finite=query.non_finite)
        for start in range(0, len(rows), size):
            points.take(b"".join(rows[start : start + size]))
        points.finish()
        body = writer.finish({})
    content = body.content
    if body.file is not None:
        with body.file:
            content = body.file.read()
    assert content == answer(records, query)


def test_changes_are_the_first_line_or_the_end_of_an_object() -> None:
    changes = {"cursor": "c", "reset": False, "changed": []}
    row = b'0.5\t1000\t7\t"log"\n'
    found = {}
    for encoding in ("json", "ndjson"):
        query = replace(PointQuery(None, Selection("w")), encoding=encoding)
        with Spool(2**20) as spool:
            writer = open_writer(query, spool, PointCount(9), 2**20, changes)
            points = RowPoints(["loss"], writer, spool)
            points.take(row)
            points.finish()
            found[encoding] = writer.finish(changes).content
    point = '{"metric_name":"loss","value":0.5,"timestamp":1000,"iteration":7,"data_source":"log"}'
    end = '"cursor":"c","reset":false,"changed":[]}\n'
    assert found["json"] == f'{{"workload_uid":"w","data":[{point}],"total_count":1,{end}'.encode()
    assert found["ndjson"] == f"{{{end}{point}\n".encode()
