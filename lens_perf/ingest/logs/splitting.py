"""Splits the fields of a line into names and values, each way in one pass over the text."""

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

OPENING, CLOSING = "([{", ")]}"
JSON_BRACKET = re.compile(r"[][{}]")
BRACKET_OR_COMMA = re.compile(r"[][(){},]")
# Trainers print no values that are nested more deeply. Python's own parsers raise RecursionError at hundreds of levels.
DEEPEST_JSON = 50


class NumberBeyondRange(str):
    """A number in JSON, as it is written, that is beyond the range of a 64-bit float."""

    __slots__ = ()


def _parse_float(text: str) -> float | NumberBeyondRange:
    number = float(text)
    return number if math.isfinite(number) else NumberBeyondRange(text)


JSON_DECODER = json.JSONDecoder(parse_float=_parse_float)


class Split(NamedTuple):
    """The fields of a line as pairs of name and value, the parts that are not pairs, and the text after the fields."""

    pairs: list[tuple[str, str]]
    rest: list[str]
    tail: str = ""


Splitter = Callable[[str], Split]


def split_by(separator: str, assign: str) -> Splitter:
    """Return the splitter for fields separated by ``separator``, with ``assign`` between name and value.

    With a space as ``separator`` a value is one word and all words up to the next ``assign`` are a name. With a space
    as ``assign`` the last word of a field is its value. Commas within brackets are not separators.
    """
    if separator == " ":
        return lambda text: _split_words(text, assign)
    if separator == ",":
        return lambda text: _split_pieces(split_commas(text), assign)
    return lambda text: _split_pieces(text.split(separator), assign)


def _split_pieces(pieces: list[str], assign: str) -> Split:
    pairs: list[tuple[str, str]] = []
    rest: list[str] = []
    tail = ""
    last = len(pieces) - 1
    for index, piece in enumerate(pieces):
        if not piece or piece.isspace():
            continue
        name, found, value = piece.strip().rpartition(assign) if assign == " " else piece.partition(assign)
        name, value = name.strip(), value.strip()
        if found and name and value and (assign == " " or assign not in value):
            pairs.append((name, value))
        elif found and (several := _split_several(piece, assign)):
            pairs += several
        elif index < last:
            rest.append(piece.strip())
        else:
            # Text after the last separator may come from another process.
            tail = piece.strip()
    return Split(pairs, rest, tail)


def _split_several(piece: str, assign: str) -> list[tuple[str, str]]:
    """Return the fields of a part such as ``epoch: 1 pq: 0 rg: 8``, if it has only such plain names."""
    pairs, rest, tail = _split_words(piece, assign)
    return pairs if not rest and not tail and all(name.isidentifier() for name, _ in pairs) else []


def _split_words(text: str, assign: str) -> Split:
    pairs: list[tuple[str, str]] = []
    rest: list[str] = []
    name, *chunks = text.split(assign)
    name = name.strip()
    for chunk in chunks:
        value, *following = chunk.split(None, 1) or [""]
        if name and value:
            pairs.append((name, value))
        elif name or value:
            rest.append(f"{name}{assign}{value}")
        name = following[0].strip() if following else ""
    return Split(pairs, rest, name)


def split_commas(text: str) -> list[str]:
    """Return the parts of ``text`` between commas that are not in brackets."""
    if not any(bracket in text for bracket in OPENING):
        return text.split(",")
    parts, start, depth = [], 0, 0
    for found in BRACKET_OR_COMMA.finditer(text):
        character = found.group()
        if character in OPENING:
            depth += 1
        elif character in CLOSING:
            depth -= 1
        elif depth <= 0:
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


DICTIONARY_KEY = re.compile(r"\s*+'(?P<name>(?:[^'\\]|\\.)*+)'\s*+:\s*+")
QUOTED = re.compile(r"'(?P<single>(?:[^'\\]|\\.)*+)'|\"(?P<double>(?:[^\"\\]|\\.)*+)\"")


def split_python_dictionary(text: str) -> Split:
    """Split the text of a printed Python dictionary after its brace: keys are strings, values are as printed.

    Nested values are returned as a whole. An incomplete dictionary, or other text, has no pairs.
    """
    pairs: list[tuple[str, str]] = []
    position = 0
    while key := DICTIONARY_KEY.match(text, position):
        value, position = _read_python_value(text, key.end())
        pairs.append((key["name"], value))
        if text.startswith("}", position):
            return Split(pairs, [], text[position + 1 :].strip())
        if not text.startswith(",", position):
            break
        position += 1
    return Split([], [text])


def _read_python_value(text: str, start: int) -> tuple[str, int]:
    if quoted := QUOTED.match(text, start):
        content = quoted["single"] if quoted["single"] is not None else quoted["double"]
        return content, quoted.end()
    depth = 0
    for found in BRACKET_OR_COMMA.finditer(text, start):
        character = found.group()
        if character in OPENING:
            depth += 1
        elif depth == 0:
            return text[start : found.start()].strip(), found.start()
        elif character in CLOSING:
            depth -= 1
    return text[start:].strip(), len(text)


def load_json(text: str) -> tuple[Any, str]:
    """Return the JSON value at the start of ``text``, and the text after it.

    Raises ValueError, also for a value that is nested too deeply.
    """
    depth = 0
    for found in JSON_BRACKET.finditer(text):
        depth += 1 if found.group() in "[{" else -1
        if depth > DEEPEST_JSON:
            raise ValueError("nested too deeply")
        if depth == 0:
            break
    value, end = JSON_DECODER.raw_decode(text)
    return value, text[end:].strip()


def split_json_object(text: str) -> Split:
    """Split the text of a JSON object after its opening brace; numbers in nested objects keep their own names."""
    try:
        value, tail = load_json("{" + text)
    except ValueError:
        return Split([], [text])
    return Split(list(flatten(value)), [], tail)


def flatten(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the names and values of numbers and texts in an object, including nested objects."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from flatten(inner)
        elif isinstance(inner, str):
            yield name, inner
        elif type(inner) in (int, float):
            yield name, repr(inner)


NAMED_SPLITTERS: dict[str, Splitter] = {
    "python dictionary": split_python_dictionary,
    "JSON object": split_json_object,
}
