"""The expander gives, shape by shape and slowly alike, what a full parse would."""

import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lens_perf.performance.notations import JSON
from lens_perf.performance.object_expander import MOST_HEADS, MOST_SHAPES, ObjectExpander
from lens_perf.performance.point_writer import BodyFile, PointCount, PointWriter

NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=6)
NON_FINITE = ['"NaN"', '"Infinity"', '"-Infinity"']
NUMBERS = st.decimals(allow_nan=False, allow_infinity=False, places=3).map("{:f}".format)
VALUES = st.one_of(
    NUMBERS, NUMBERS, st.sampled_from([*NON_FINITE, '"NaN "', "null", '"a\\"b"', '[{"x": 1}]', "{}", "1" + "0" * 400])
)
OBJECTS = st.dictionaries(NAMES, VALUES, max_size=4)


def row(members: dict[str, str], number: int) -> bytes:
    body = ", ".join(f"{json.dumps(name, ensure_ascii=False)}: {value}" for name, value in members.items())
    return f'1{number:03}\t{number}\t"log"\t{{{body}}}\n'.encode()


def open_writer() -> PointWriter:
    return PointWriter({"workload_uid": "w"}, BodyFile(2**30), PointCount(10**9))


def expand(rows: list[bytes], names: list[str] | None, *, non_finite: bool = False) -> Any:
    writer = open_writer()
    expander = ObjectExpander(names, JSON, writer, non_finite=non_finite)
    for start in range(0, len(rows), 3):
        expander.take(b"".join(rows[start : start + 3]))
    answer = json.loads(writer.finish({}).content or b"", parse_float=str, parse_int=str)
    assert answer["total_count"] == str(len(answer["data"]))
    return answer["data"]


def is_point(value: str) -> bool:
    return re.fullmatch(r"-?[0-9.]+", value) is not None and float(value) < float("inf")


@given(
    objects=st.lists(OBJECTS, max_size=6),
    repeats=st.integers(1, 3),
    names=st.none() | st.lists(NAMES, unique=True),
    non_finite=st.booleans(),
)
def test_expansion(objects: list[dict[str, str]], repeats: int, names: list[str] | None, non_finite: bool) -> None:
    chosen = [members for _ in range(repeats) for members in objects]
    points = expand([row(members, index) for index, members in enumerate(chosen)], names, non_finite=non_finite)
    expected = [
        (name, members[name].strip('"'), str(index))
        for index, members in enumerate(chosen)
        for name in (members if names is None else names)
        if name in members and (is_point(members[name]) or (non_finite and members[name] in NON_FINITE))
    ]
    assert [(point["metric_name"], point["value"], point["iteration"]) for point in points] == expected
    assert all(point["timestamp"] == f"1{int(point['iteration']):03}" for point in points)


def test_a_shape_is_learnt_once_and_their_number_is_bounded() -> None:
    writer = open_writer()
    expander = ObjectExpander(None, JSON, writer)
    for number in range(10):
        expander.take(row({"loss": str(number), "lr": "1"}, number))
    assert len(expander._shapes) == 1
    for number in range(2 * MOST_SHAPES):
        expander.take(row({f"m{number}": "1"}, number))
    assert len(expander._shapes) == MOST_SHAPES
    assert writer.finish({}).content


def test_names_are_remembered_up_to_a_bound() -> None:
    writer = open_writer()
    expander = ObjectExpander(None, JSON, writer)
    for number in range(MOST_HEADS + 50):
        # A nested value keeps a row from being learnt.
        expander.take(row({"a": "[]", f"m{number}": "1"}, number))
    assert len(expander._heads) <= MOST_HEADS
    assert writer.finish({}).content


def test_depth_has_no_limit() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    points = expand([row({"a": deep, "loss": "1"}, 1)], None)
    assert [point["metric_name"] for point in points] == ["loss"]
