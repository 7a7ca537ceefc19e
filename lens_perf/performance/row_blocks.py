"""Collects the rows of a COPY in blocks, so that Python code runs once for hundreds of rows."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

BLOCK_SIZE = 256 * 1024


class RowBlocks(io.RawIOBase):
    """The raw end of a buffered file: passes blocks of complete rows to ``take``."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""

    def writable(self) -> bool:
        """Tell the buffer that it may write."""
        return True

    def write(self, block: Any) -> int:
        """Accept a block of bytes, which may end within a row."""
        rows = self._rest + bytes(block)
        end = rows.rfind(b"\n") + 1
        self._rest = rows[end:]
        self._take(rows[:end])
        return len(block)


@contextmanager
def collect_rows(take: Callable[[bytes], None]) -> Iterator["io.BufferedWriter[RowBlocks]"]:
    """Open a sink for the rows of a COPY, each of which ends with a line feed and holds no other.

    ``take`` is called with whole rows, the last of them at the end of the block; when that fails, the rest is dropped.
    """
    with RowBlocks(take) as blocks:
        rows = io.BufferedWriter(blocks, BLOCK_SIZE)
        yield rows
        rows.flush()
