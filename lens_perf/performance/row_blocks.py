"""Collects the rows of a COPY in blocks; a block is processed while the next one arrives."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lens_perf.performance.stages import Stage

BLOCK_SIZE = 1024 * 1024


class RowBlocks(io.RawIOBase):
    """The raw stream under a buffered one. Passes blocks of complete rows to ``take``.

    Large blocks are passed in the thread of ``stage``, one after another. The last block, the only one of a small
    answer, is passed in the caller's thread, so that a small answer does not start a thread.
    """

    def __init__(self, take: Callable[[bytes], None], stage: Stage[bytes]) -> None:
        super().__init__()
        self._take = take
        self._stage = stage
        self._rest = b""

    def writable(self) -> bool:
        """Return True: the buffer writes to this stream."""
        return True

    def write(self, block: Any) -> int:
        """Accept a block of bytes, which may end within a row; return its length."""
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
    """Open a sink for the rows of a COPY, each of which has a single line feed, at its end.

    ``take`` is called with complete rows, at the latest at the end of the block. If the block fails, the remaining rows
    are dropped. Raises the exceptions of ``take``.
    """
    with Stage(take) as stage, RowBlocks(take, stage) as blocks:
        rows = io.BufferedWriter(blocks, BLOCK_SIZE)
        yield rows
        rows.flush()
