"""Collects the rows of a COPY in blocks, each of which is taken while the next one arrives."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lens_perf.performance.stages import Stage

BLOCK_SIZE = 1024 * 1024


class RowBlocks(io.RawIOBase):
    """The raw end of a buffered file: passes blocks of complete rows to ``take``.

    Full blocks are taken in a thread, one after the other, and the last one, which is all of a small answer, at once.
    """

    def __init__(self, take: Callable[[bytes], None], stage: Stage[bytes]) -> None:
        super().__init__()
        self._take = take
        self._stage = stage
        self._rest = b""

    def writable(self) -> bool:
        """Tell the buffer that it may write."""
        return True

    def write(self, block: Any) -> int:
        """Accept a block of bytes, which may end within a row."""
        rows = self._rest + bytes(block)
        end = rows.rfind(b"\n") + 1
        self._rest = rows[end:]
        self._give(rows[:end])
        return len(block)

    def _give(self, rows: bytes) -> None:
        if len(rows) > BLOCK_SIZE // 2 and self._stage.offer(rows):
            return
        self._stage.wait()
        self._take(rows)


@contextmanager
def collect_rows(take: Callable[[bytes], None]) -> Iterator["io.BufferedWriter[RowBlocks]"]:
    """Open a sink for the rows of a COPY, each of which ends with a line feed and holds no other.

    ``take`` is called with whole rows, the last of them at the end of the block; when that fails, the rest is dropped.
    """
    with Stage(take) as stage, RowBlocks(take, stage) as blocks:
        rows = io.BufferedWriter(blocks, BLOCK_SIZE)
        yield rows
        rows.flush()
