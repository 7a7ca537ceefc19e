"""Collects the rows of a COPY in blocks; a block is processed while the next one arrives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lens_perf.performance.stages import Stage

# An operation on a block takes time regardless of its size. A part consists of a whole number of blocks.
BLOCK_ROWS = 8_192
BLOCK_BYTES = 6 * 1024 * 1024
# A longer row is a block of its own.
LONGEST_ROW = 1024 * 1024


class RowBlocks:
    """A sink for rows that passes blocks of them to a stage."""

    def __init__(self, stage: Stage[list[bytes]]) -> None:
        self._stage = stage
        self._rows: list[bytes] = []
        self._size = 0

    def write(self, row: bytes) -> int:
        """Add a row; return its length. Raises the exceptions of the stage."""
        if len(row) > LONGEST_ROW and self._rows:
            self.flush()
        self._rows.append(row)
        self._size += len(row)
        if self._size >= BLOCK_BYTES or len(self._rows) >= BLOCK_ROWS or len(row) > LONGEST_ROW:
            self.flush()
        return len(row)

    def flush(self) -> None:
        """Pass the collected rows to the stage. Raises the exceptions of the stage."""
        self._stage.put(self._take())

    def finish(self) -> None:
        """Process the remaining rows in this thread. Raises the exceptions of the stage."""
        if self._rows:
            self._stage.process_here(self._take())

    def _take(self) -> list[bytes]:
        block, self._rows, self._size = self._rows, [], 0
        return block


@contextmanager
def read_in_blocks(take: Callable[[list[bytes]], None]) -> Iterator[RowBlocks]:
    """Open a sink for rows; ``take`` is called with blocks of rows, one after another.

    It is called in a separate thread, except for the last block. At the end of the context, all blocks have been
    processed. Raises the exceptions of ``take``, and ClusterSaturatedError if no thread can be started.
    """
    with Stage(take) as stage:
        rows = RowBlocks(stage)
        yield rows
        rows.finish()
