"""Splits the blocks of a log into lines, and finds the lines with a marker."""

from collections.abc import Iterable, Iterator

# Longer lines are cut, so that memory use is constant.
LONGEST_LINE = 1 << 20


def split_lines(blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """Yield the lines without their line ends, including an incomplete last line; None is passed on."""
    for chunk in split_whole_lines(blocks):
        if chunk is None:
            yield None
        else:
            yield from chunk.removesuffix(b"\n").split(b"\n")


def split_whole_lines(blocks: Iterable[bytes | None]) -> Iterator[bytes | None]:
    """Yield chunks of complete lines with their line ends; None is passed on.

    An incomplete line at the end, or before an empty block, is a chunk without a line end.
    """
    rest: list[bytes] = []
    length = 0
    for block in blocks:
        if block is None:
            yield None
            continue
        end = block.rfind(b"\n") + 1
        if end:
            yield b"".join([*rest, block[:end]])
            rest, length = [], 0
        rest.append(block[end:])
        length += len(block) - end
        if length > LONGEST_LINE:
            yield b"".join(rest)[:LONGEST_LINE] + b"\n"
            rest, length = [], 0
        elif length and not block:
            yield b"".join(rest)
            rest, length = [], 0
    if length:
        yield b"".join(rest)


def end_line(chunk: bytes) -> bytes:
    """Return a chunk with the line end that its last line may lack."""
    return chunk if chunk.endswith(b"\n") else chunk + b"\n"


def find_line_starts(chunk: bytes, markers: Iterable[bytes]) -> list[int]:
    """Return the offsets of the lines of ``chunk`` that contain a marker, in order."""
    starts = set()
    for marker in markers:
        position = chunk.find(marker)
        while position >= 0:
            starts.add(chunk.rfind(b"\n", 0, position) + 1)
            position = chunk.find(marker, chunk.find(b"\n", position))
    return sorted(starts)
