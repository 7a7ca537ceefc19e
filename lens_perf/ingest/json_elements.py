"""Splits a JSON array, or JSON lines, into elements without parsing them, so that a damaged one affects no other."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

OUTSIDE = re.compile(rb'["{}\[\]]')
IN_TEXT = re.compile(rb'["\\]')
# A longer element is skipped, because it would have to fit in memory.
LONGEST_ELEMENT = 1 << 24


class Element(NamedTuple):
    """An object or array in an array, or a line: its offset in the file, and its bytes, None if it is too long."""

    byte: int
    content: bytes | None


def split_json_lines(blocks: Iterable[bytes | None]) -> Iterator[Element | None]:
    """Yield the lines as elements, without line ends; an empty block ends a line, and None is passed on."""
    line = _OpenLine()
    for block in blocks:
        if block is None:
            yield None
            continue
        *pieces, last = block.split(b"\n")
        for piece in pieces:
            line.add(piece)
            yield line.end()
        line.add(last)
        if not block and line.size:
            yield line.end()
    if line.size:
        yield line.end()


class _OpenLine:
    """The line whose end is not read yet."""

    def __init__(self) -> None:
        self.size = 0
        self._byte = 0
        self._pieces: list[bytes] = []

    def add(self, piece: bytes) -> None:
        self.size += len(piece)
        if self.size <= LONGEST_ELEMENT:
            self._pieces.append(piece)
        else:
            self._pieces.clear()

    def end(self) -> Element:
        element = Element(self._byte, b"".join(self._pieces) if self.size <= LONGEST_ELEMENT else None)
        self._byte += self.size + 1
        self.size, self._pieces = 0, []
        return element


class ElementSplitter:
    """Takes the bytes after the ``[`` of an array, and yields its objects and arrays.

    Each byte is examined once. Other elements, such as numbers and strings, are skipped.
    """

    def __init__(self, byte: int) -> None:
        self.is_closed = False
        """Whether the array's ``]`` was found."""
        self._byte = byte
        self._depth = 0
        self._in_text = self._is_escaped = False
        self._parts: list[bytes] = []
        self._size = 0
        self._start = byte

    @property
    def open_byte(self) -> int:
        """The offset of the element that has not ended, or else of the end of the bytes taken."""
        return self._start if self._depth else self._byte

    def feed(self, block: bytes) -> Iterator[Element]:
        """Yield the elements that end in ``block``."""
        begin = position = 0
        while not self.is_closed and (place := self._find_next(block, position)) >= 0:
            position = place + 1
            if not self._depth:
                self._start, begin = self._byte + place, place
            if self._take(block[place]):
                self._keep(block[begin:position])
                yield Element(self._start, b"".join(self._parts) if self._size <= LONGEST_ELEMENT else None)
                self._parts, self._size = [], 0
        if self._depth:
            self._keep(block[begin:])
        self._byte += len(block)

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size <= LONGEST_ELEMENT:
            self._parts.append(part)
        else:
            self._parts.clear()

    def _find_next(self, block: bytes, position: int) -> int:
        """Return the position of the next bracket or quote from ``position`` on, or -1."""
        while position < len(block):
            if self._is_escaped:
                self._is_escaped = False
                position += 1
                continue
            found = (IN_TEXT if self._in_text else OUTSIDE).search(block, position)
            if found is None:
                return -1
            position = found.end()
            char = found.group()
            if char == b"\\":
                self._is_escaped = True
            elif char == b'"':
                self._in_text = not self._in_text
            else:
                return found.start()
        return -1

    def _take(self, char: int) -> bool:
        """Count a bracket; return whether it ends an element."""
        if char in b"{[":
            self._depth += 1
            return False
        if self._depth == 0:
            self.is_closed = char == ord("]")
            return False
        self._depth -= 1
        return self._depth == 0
