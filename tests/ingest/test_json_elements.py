"""Splitting a JSON array or JSON lines into elements, for any size of blocks."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.json_elements import ElementSplitter, split_json_lines

VALUES = st.recursive(
    st.none() | st.integers() | st.text(st.sampled_from('a"\\[]{},é')),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)


def split(content: bytes, block_size: int) -> tuple[list[tuple[int, bytes | None]], ElementSplitter]:
    splitter = ElementSplitter(7)
    blocks = (content[begin : begin + block_size] for begin in range(0, len(content), block_size))
    return [tuple(element) for block in blocks for element in splitter.feed(block)], splitter  # type: ignore[misc]


@given(st.lists(VALUES), st.booleans(), st.integers(1, 50))
def test_every_object_and_array_is_returned(values: list[Any], ascii_only: bool, block_size: int) -> None:
    content = json.dumps(values, ensure_ascii=ascii_only).encode()[1:] + b', "more": {}'
    elements, splitter = split(content, block_size)
    assert [json.loads(element or b"") for _, element in elements] == [
        each for each in values if type(each) in (dict, list)
    ]
    assert all(content[byte - 7 :].startswith(element or b"?") for byte, element in elements)
    assert splitter.is_closed


@given(st.binary(max_size=200), st.integers(1, 50))
def test_the_result_does_not_depend_on_blocks(content: bytes, block_size: int) -> None:
    elements, splitter = split(content, block_size)
    whole, reference = split(content, 1 << 20)
    assert elements == whole
    assert (splitter.is_closed, splitter.open_byte) == (reference.is_closed, reference.open_byte)


@given(st.lists(st.binary(max_size=20).map(lambda line: line.replace(b"\n", b""))), st.integers(1, 50))
def test_lines_and_their_offsets(lines: list[bytes], block_size: int) -> None:
    content = b"\n".join(lines)
    blocks = [content[begin : begin + block_size] for begin in range(0, len(content), block_size)]
    elements = [element for element in split_json_lines(blocks) if element]
    assert [element.content for element in elements] == (content.removesuffix(b"\n").split(b"\n") if content else [])
    assert all(content[element.byte :].startswith(element.content or b"") for element in elements)


def test_another_file_begins_a_line() -> None:
    elements = list(split_json_lines([b"one\ntw", None, b"o", b"", b"three", b""]))
    assert elements == [(0, b"one"), None, (4, b"two"), (8, b"three")]


def test_a_line_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lens_perf.ingest.json_elements.LONGEST_ELEMENT", 10)
    elements = list(split_json_lines([b"one\n", b"x" * 8, b"x" * 8, b"x\n" + b"y" * 10 + b"\n", b"z" * 11]))
    assert elements == [(0, b"one"), (4, None), (22, b"y" * 10), (33, None)]
