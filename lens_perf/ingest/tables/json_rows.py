"""Reads rows from JSON: a line for each object, or an array of objects."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from lens_perf.ingest.json_elements import LONGEST_ELEMENT, ElementSplitter, split_json_lines
from lens_perf.ingest.numbers import JsonError, NumberReader
from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.tables.columns import RawRow

BLANKS = b" \t\r\n\0\xef\xbb\xbf"
# Longer lists are samples and histograms rather than values of parameter groups.
MOST_GROUPS = 16
SEPARATOR = "."


def read_json_rows(blocks: Iterable[bytes | None], summary: ReadSummary, path: str) -> Iterator[RawRow | None]:
    """Yield the objects as rows, and None where there is no more data for now.

    Names of nested objects are joined by dots; a list of a few numbers is one metric if all are equal, else one metric
    for each, numbered. Invalid JSON is a Damage in ``summary``.
    """
    numbers = NumberReader(summary)
    for byte, text in _split_texts(iter(blocks), summary, path):
        if text is None:
            yield None
            continue
        try:
            value = numbers.load_json(text.decode("utf-8", "surrogateescape"))
        except JsonError as error:
            summary.note_damage(Damage(path, byte, f"no JSON: {error}"))
            continue
        if isinstance(value, dict):
            yield flatten(value, summary)
        else:
            summary.lose("values that are not objects", text)


def _split_texts(blocks: Iterator[bytes | None], summary: ReadSummary, path: str) -> Iterator[tuple[int, bytes | None]]:
    """Yield the text of each object with its offset: lines, or the elements of an array."""
    first = b""
    for block in blocks:
        if block is None:
            yield 0, None
            continue
        first += block
        if first.strip(BLANKS):
            break
    is_array = first.lstrip(BLANKS).startswith(b"[")
    rest = chain([first], blocks)
    yield from _split_array(rest, summary, path) if is_array else _split_json_lines(rest, summary, path)


def _split_json_lines(
    blocks: Iterable[bytes | None], summary: ReadSummary, path: str
) -> Iterator[tuple[int, bytes | None]]:
    for line in split_json_lines(blocks):
        if line is None:
            yield 0, None
        elif line.content is None:
            summary.note_damage(Damage(path, line.byte, f"a line of more than {LONGEST_ELEMENT >> 20} MiB"))
        elif (text := line.content.strip(BLANKS)).startswith(b"{"):
            yield line.byte, text
        elif text:
            summary.skip("lines that are not JSON objects", text)


def _split_array(blocks: Iterable[bytes | None], summary: ReadSummary, path: str) -> Iterator[tuple[int, bytes | None]]:
    splitter: ElementSplitter | None = None
    for block in blocks:
        if block is None:
            yield 0, None
            continue
        start = 0 if splitter else block.index(b"[") + 1
        splitter = splitter or ElementSplitter(start)
        for byte, content in splitter.feed(block[start:]):
            if content is None:
                summary.note_damage(Damage(path, byte, f"an object of more than {LONGEST_ELEMENT >> 20} MiB"))
            else:
                yield byte, content
        if splitter.is_closed:
            return
    if splitter is not None:
        summary.note_damage(Damage(path, splitter.open_byte, "ends inside the array"))


def flatten(value: Mapping[str, Any], summary: ReadSummary) -> RawRow:
    """Return the values of an object and its nested objects by their joined names."""
    row: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = list(value.items())[::-1]
    while waiting:
        name, each = waiting.pop()
        if isinstance(each, dict):
            waiting += [(f"{name}{SEPARATOR}{inner}", below) for inner, below in each.items()][::-1]
        elif isinstance(each, list) and _are_numbers(each):
            agree = all(number == each[0] for number in each)
            waiting += (
                [(name, each[0])] if agree else [(f"{name}_{index}", each[index]) for index in range(len(each))][::-1]
            )
        elif name in row:
            summary.lose("values whose joined name another value has", name)
        else:
            row[name] = each
    return row


def _are_numbers(values: Sequence[Any]) -> bool:
    return 0 < len(values) <= MOST_GROUPS and all(type(value) in (int, float) for value in values)
