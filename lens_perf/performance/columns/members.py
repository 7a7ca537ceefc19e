"""Reads the members of one JSONB object from its text, exactly."""

import json
import re
from collections.abc import Callable, Iterator

from lens_perf.performance.metric_fields import NON_FINITE

SCALAR = re.compile(r"[^,}\]\[{\"]++")
# Of so many escapes at most, since a match holds the interpreter's lock.
STRING_PIECE = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+){0,10000}+')
BRACKET = re.compile(r'["\[\]{}]')
# Stands for the value of a member that is neither a number nor one of the texts for NaN and the infinities.
OTHER = "null"
LONGEST_KEPT = len('"-Infinity"')
MEMBERS_PER_CHECK = 1_000
# Characters that take some ten milliseconds to decode.
LONGEST_DECODED = 2**20


def read_members(text: str, check: Callable[[], None]) -> Iterator[tuple[str, str]]:
    """Yield the name and the value of each member of ``text``, an object as JSONB writes it.

    A value is the text of a number or of a short string; any other is ``OTHER``. ``check`` is called now and then.
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
    """Return the members as the standard library's decoder finds them, which is faster; None where it is not up to it.

    It holds the interpreter's lock, and recurses into what is nested.
    """
    try:
        members = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return [(name, _describe(value)) for name, value in members.items()] if isinstance(members, dict) else None


def _describe(value: object) -> str:
    if isinstance(value, _Number):
        # Not the subclass, which would be slower in all that follows.
        return str(value)
    return f'"{value}"' if isinstance(value, str) and value in NON_FINITE else OTHER


def _keep(text: str, start: int, end: int) -> str:
    first = text[start]
    if first in "{[":
        return OTHER
    return text[start:end] if first != '"' or end - start <= LONGEST_KEPT else OTHER


def _find_end(text: str, start: int, check: Callable[[], None]) -> int:
    """Return where the value that begins at ``start`` ends."""
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
    """Return where the string ends whose opening quote is at ``start``."""
    position = start + 1
    while True:
        position = _search(STRING_PIECE, text, position).end()
        if text[position] == '"':
            return position + 1
        check()
