"""Expands whole ``performance`` objects into data points, without parsing what it has seen the like of before.

The objects of a workload come in a few shapes: the same metrics in the same order, all numbers. For each shape one
regular expression takes the numbers out of a row, as they are written, and one template puts them into points. A row
of no known shape is read member by member, which is exact but about four times slower, and teaches its shape.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from lens_perf.performance.metric_fields import NON_FINITE_TEXTS, SURELY_FINITE_LENGTH, encode_name
from lens_perf.performance.notations import Notation, is_data_point
from lens_perf.performance.point_writer import PointSink

# Stands for the fields that all points of a row share, while the template is filled; never part of JSON text.
SHARED = b"\x04"

# More shapes than this are a sign that shapes do not repeat: then learning them costs more than it saves.
MOST_SHAPES = 64
MOST_HEADS = 10_000

STRING = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
# A text that is no data point even where the texts for NaN and infinity are.
NO_POINT = rb'(?!"(?:NaN|-?Infinity)")' + STRING
NUMBER = rb"-?[0-9.]+"
# Possessive, as what follows is never part of them: a row that fits is matched in a fifth less time.
SHORT_NUMBER = rb"([-0-9.]{1,%d}+)" % SURELY_FINITE_LENGTH
COLUMN = rb"([^\t]*+)\t"
LITERAL = rb"true|false|null"
MEMBER = re.compile(rb"(?:, )?(" + STRING + rb"): (?:(" + NUMBER + rb")|(" + STRING + rb")|(" + LITERAL + rb"))?")
NESTED = re.compile(STRING + rb"|[\[\]{}]")


class Member(NamedTuple):
    """A member of an object: its name as JSON text, its value if that may be a point, and a pattern for such members.

    ``pattern`` is None for a value that no regular expression follows, or should.
    """

    name: bytes
    value: bytes | None
    pattern: bytes | None


class Shape(NamedTuple):
    """What the rows of one shape have in common; ``order`` puts the numbers as they were asked for."""

    pattern: re.Pattern[bytes]
    order: Sequence[int] | None
    template: bytes
    points: int


class ObjectExpander:
    """Takes the rows of ``copy_objects`` and gives ``writer`` their data points.

    ``names`` are the metrics wanted, in the order wanted; None wants all in stored order.
    """

    def __init__(
        self, names: Sequence[str] | None, notation: Notation, writer: PointSink, *, non_finite: bool = False
    ) -> None:
        self._names = None if names is None else [encode_name(name).encode() for name in names]
        self._notation = notation
        self._writer = writer
        self._non_finite = non_finite
        self._shapes: list[Shape] = []
        self._heads: dict[bytes, bytes] = {}

    def take(self, block: bytes) -> None:
        """Expand a block of rows."""
        points: list[bytes] = []
        count = 0
        write_tail = self._notation.tail_template
        for row in block.split(b"\n")[:-1]:
            for pattern, order, template, size in self._shapes:
                match = pattern.fullmatch(row)
                if match:
                    groups = match.groups()
                    numbers = groups[3:] if order is None else tuple([groups[index] for index in order])
                    points.append((template % numbers).replace(SHARED, write_tail(*groups[:3])))
                    count += size
                    break
            else:
                found = self._expand_unknown(row)
                points += found
                count += len(found)
        self._writer.write_points(b"".join(points), count)

    def _expand_unknown(self, row: bytes) -> list[bytes]:
        timestamp, iteration, data_source, text = row.split(b"\t")
        members = list(_read_members(text, self._non_finite))
        self._learn(members)
        tail = self._notation.tail_template(timestamp, iteration, data_source)
        return [
            self._write_head(member.name) + member.value + tail
            for member in self._in_order(members)
            if member.value is not None and is_data_point(member.value, non_finite=self._non_finite)
        ]

    def _in_order(self, members: Sequence[Member]) -> list[Member]:
        if self._names is None:
            return list(members)
        by_name = {member.name: member for member in members}
        return [by_name[name] for name in self._names if name in by_name]

    def _write_head(self, name: bytes) -> bytes:
        if name not in self._heads:
            if len(self._heads) == MOST_HEADS:
                self._heads.clear()
            self._heads[name] = self._notation.separator + self._notation.head(json.loads(name)).encode()
        return self._heads[name]

    def _learn(self, members: Sequence[Member]) -> None:
        patterns = [member.pattern for member in members]
        if None in patterns or len(self._shapes) == MOST_SHAPES:
            return
        numbers = [member for member in members if member.value is not None]
        wanted = [member for member in self._in_order(members) if member.value is not None]
        # The groups of the match are the three columns, then the numbers.
        order = [3 + numbers.index(member) for member in wanted]
        body = b", ".join(re.escape(member.name) + b": " + (member.pattern or b"") for member in members)
        heads = [self._write_head(member.name).replace(b"%", b"%%") for member in wanted]
        self._shapes.append(
            Shape(
                pattern=re.compile(COLUMN * 3 + rb"\{" + body + rb"\}"),
                order=None if order == list(range(3, 3 + len(numbers))) else order,
                template=b"".join(head + b"%b" + SHARED for head in heads),
                points=len(wanted),
            )
        )


def _read_members(text: bytes, non_finite: bool) -> Iterator[Member]:
    """Yield the members of ``text``, an object as JSONB writes it, with no limit on the depth of what is nested."""
    position = 1
    while match := MEMBER.match(text, position):
        name, number, string, literal = match.groups()
        position = match.end()
        if number is not None:
            yield Member(name, number, SHORT_NUMBER)
        elif string is not None:
            is_point = non_finite and string in NON_FINITE_TEXTS
            yield Member(name, string, None) if is_point else Member(name, None, NO_POINT if non_finite else STRING)
        elif literal is not None:
            yield Member(name, None, rb"(?:" + LITERAL + rb")")
        else:
            yield Member(name, None, None)
            position = _find_end(text, position)


def _find_end(text: bytes, start: int) -> int:
    """Return where the array or object that begins at ``start`` ends."""
    depth = 0
    for match in NESTED.finditer(text, start):
        if match.group() in b"[{":
            depth += 1
        elif match.group() in b"]}":
            depth -= 1
            if depth == 0:
                return match.end()
    raise ValueError("JSONB text is always balanced")
