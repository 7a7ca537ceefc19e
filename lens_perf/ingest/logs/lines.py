"""Splits the blocks of a log into lines."""

from collections.abc import Iterable, Iterator

# A line that is longer is not a line of text; it is cut, so that memory stays flat.
LONGEST_LINE = 1 << 20


def split_lines(blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """Yield the lines without their ends, a last one without an end included; None passes through."""
    rest = b""
    for block in blocks:
        if block is None:
            yield None
            continue
        lines = (rest + block).split(b"\n")
        rest = lines.pop()
        yield from lines
        if len(rest) > LONGEST_LINE:
            yield rest[:LONGEST_LINE]
            rest = b""
    if rest:
        yield rest
