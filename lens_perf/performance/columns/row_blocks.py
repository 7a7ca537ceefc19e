"""Collects the rows of a COPY in blocks, each of which is read while the next one arrives."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from lens_perf.performance.stages import Stage

# Each operation on a block costs time, whatever its size. A whole number of blocks makes a part.
BLOCK_ROWS = 8_192
BLOCK_BYTES = 6 * 1024 * 1024
# A longer row is a block of its own.
LONGEST_ROW = 1024 * 1024


class RowBlocks:
    """A sink for rows, which passes them in blocks to a stage."""

    def __init__(self, stage: Stage[list[bytes]]) -> None:
        self._stage = stage
        self._rows: list[bytes] = []
        self._size = 0

    def write(self, row: bytes) -> int:
        """Take one row."""
        if len(row) > LONGEST_ROW and self._rows:
            self.flush()
        self._rows.append(row)
        self._size += len(row)
        if self._size >= BLOCK_BYTES or len(self._rows) >= BLOCK_ROWS or len(row) > LONGEST_ROW:
            self.flush()
        return len(row)

    def flush(self) -> None:
        """Pass on what has been collected."""
        if self._rows:
            block, self._rows, self._size = self._rows, [], 0
            self._stage.put(block)


@contextmanager
def read_in_blocks(take: Callable[[list[bytes]], None]) -> Iterator[RowBlocks]:
    """Open a sink for rows; ``take`` gets blocks of them, in a thread of its own, one after the other.

    At the end of the block everything has been taken. Raises what ``take`` raises, and ClusterSaturatedError where no
    thread can be started.
    """
    with Stage(take) as stage:
        rows = RowBlocks(stage)
        yield rows
        rows.flush()
