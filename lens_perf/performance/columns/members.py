"""Reads the members of a JSONB object from its text, with numbers as stored."""

import json
import re
from collections.abc import Callable, Iterator

from lens_perf.performance.metric_fields import NON_FINITE

SCALAR = re.compile(r"[^,}\]\[{\"]++")
# A match holds the GIL, so it has a limited number of escapes.
STRING_PIECE = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+){0,10000}+')
BRACKET = re.compile(r'["\[\]{}]')
# Replaces values that are neither numbers nor texts for NaN and the infinities.
OTHER = "null"
LONGEST_KEPT = len('"-Infinity"')
MEMBERS_PER_CHECK = 1_000
# The standard library decodes a text of this many characters in about ten milliseconds, in which it holds the GIL.
LONGEST_DECODED = 2**20


def read_members(text: str, check: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each member of ``text``, an object as JSONB writes it.

    A value is the JSON text of a number or of a short string; all other values become ``OTHER``. ``check`` is called
    regularly, also within long values; its exceptions propagate.
    """
    check()
    members = _decode(text) if len(text) <= LONGEST_DECODED else None
    if members is not None:
        yield from members
        return
    position, count = 1, 0
    while position < len(text) and text[position] == '"':
        start = _find_string_end(text, position, check)
        name = text[position + 1 : start - 1]
        start += len(": ")
        end = _find_end(text, start, check)
        yield (json.loads(f'"{name}"') if "\\" in name else name), _keep(text, start, end)
        position = end + len(", ")
        count += 1
        if count % MEMBERS_PER_CHECK == 0:
            check()


class _Number(str):
    """The text of a number."""

    __slots__ = ()


_DECODER = json.JSONDecoder(parse_int=_Number, parse_float=_Number)


def _decode(text: str) -> list[tuple[str, str]] | None:
    """Return the members, decoded by the standard library, which is faster; None if it cannot decode ``text``.

    It holds the GIL, and has a limited depth of nested values.
    """
    try:
        members = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return [(name, _describe(value)) for name, value in members.items()] if isinstance(members, dict) else None


def _describe(value: object) -> str:
    if isinstance(value, _Number):
        # Operations on the subclass would be slower.
        return str(value)
    return f'"{value}"' if isinstance(value, str) and value in NON_FINITE else OTHER


def _keep(text: str, start: int, end: int) -> str:
    first = text[start]
    if first in "{[":
        return OTHER
    return text[start:end] if first != '"' or end - start <= LONGEST_KEPT else OTHER


def _find_end(text: str, start: int, check: Callable[[], None]) -> int:
    """Return the end of the value that begins at ``start``."""
    first = text[start]
    if first == '"':
        return _find_string_end(text, start, check)
    if first not in "{[":
        return _search(SCALAR, text, start).end()
    depth, position, count = 0, start, 0
    while True:
        bracket = _search(BRACKET, text, position)
        position = bracket.end()
        if bracket.group() == '"':
            position = _find_string_end(text, position - 1, check)
        else:
            depth += 1 if bracket.group() in "{[" else -1
        if depth == 0:
            return position
        count += 1
        if count % MEMBERS_PER_CHECK == 0:
            check()


def _search(pattern: re.Pattern[str], text: str, start: int) -> re.Match[str]:
    match = pattern.search(text, start)
    if match is None:
        raise ValueError("JSONB text is always balanced")
    return match


def _find_string_end(text: str, start: int, check: Callable[[], None]) -> int:
    """Return the end of the string whose opening quote is at ``start``."""
    position = start + 1
    while True:
        position = _search(STRING_PIECE, text, position).end()
        if text[position] == '"':
            return position + 1
        check()
