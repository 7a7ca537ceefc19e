"""Rows as PostgreSQL writes them, with all that a value may be, and blocks of every size."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance import row_blocks
from lens_perf.performance.marked_points import MarkedPoints
from lens_perf.performance.notations import JSON
from lens_perf.performance.point_writer import BodyFile, PointCount, PointWriter
from lens_perf.performance.row_blocks import RowBlocks, collect_rows

GOOD = ["1", "-0.5", "1" + "0" * 307, "1" + "0" * 308, "0." + "0" * 400 + "1"]
BAD = ['"NaN"', "null", "true", '{"a": 1}', '[1, "x"]', '"\\",\\"value\\":1"', "1" + "0" * 309, "-" + "9" * 400, '"5"']
NAMES = ["loss", "a,b", '"', "\\", '","value":', "\x02", "é"]


def point(name: str, value: str) -> str:
    return f'\x02{{"metric_name":{json.dumps(name)},"value":{value},"timestamp":1,"iteration":2,"data_source":"log"}}'


@pytest.mark.parametrize("block_size", [1, 150, 10**6])
@given(
    rows=st.lists(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(GOOD * 3 + BAD)), max_size=3), max_size=9)
)
def test_only_finite_numbers_are_points(rows: list[list[tuple[str, str]]], block_size: int) -> None:
    with pytest.MonkeyPatch.context() as patch, BodyFile(2**20) as body:
        writer = PointWriter({"uid": "w"}, body, PointCount(10**9))
        patch.setattr(row_blocks, "BLOCK_SIZE", block_size)
        with collect_rows(MarkedPoints(JSON, writer).take) as sink:
            for row in rows:
                sink.write(("\t".join(point(*each) for each in row) + "\n").encode())
        answer = json.loads(writer.finish({}).content or b"", parse_int=str, parse_float=str)
    expected = [each for row in rows for each in row if each[1] in GOOD]
    assert [(each["metric_name"], each["value"]) for each in answer["data"]] == expected
    assert answer["total_count"] == str(len(expected))


@given(
    rows=st.lists(st.binary(max_size=20).map(lambda text: text.replace(b"\n", b"") + b"\n")),
    cuts=st.lists(st.integers(1, 9)),
)
def test_rows_are_whole_wherever_the_bytes_are_cut(rows: list[bytes], cuts: list[int]) -> None:
    taken: list[bytes] = []
    blocks = RowBlocks(taken.append)
    text = b"".join(rows)
    for cut in [*cuts, len(text)]:
        blocks.write(memoryview(text[:cut]))
        text = text[cut:]
    assert b"".join(taken) == b"".join(rows)
    assert all(block.endswith(b"\n") or not block for block in taken)


def test_after_a_failure_nothing_more_is_taken() -> None:
    taken: list[bytes] = []

    def fail() -> None:
        with collect_rows(taken.append) as sink:
            sink.write(b"row\n")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert taken == []
