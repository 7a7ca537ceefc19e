"""Splitting a JSON array into elements, for any size of blocks."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.json_elements import ElementSplitter

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
