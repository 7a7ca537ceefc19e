"""Collects the rows of a COPY in blocks, each of which is taken while the next one arrives."""

import io
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

BLOCK_SIZE = 1024 * 1024


class RowBlocks(io.RawIOBase):
    """The raw end of a buffered file: passes blocks of complete rows to ``take``.

    Full blocks are taken in a thread, one after the other, and the last one, which is all of a small answer, at once.
    What ``take`` raises goes through, with the next block or with ``wait``.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        super().__init__()
        self._take = take
        self._rest = b""
        self._thread: ThreadPoolExecutor | None = None
        self._taking: Future[None] | None = None

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
        self.wait()
        if len(rows) <= BLOCK_SIZE // 2 or not self._submit(rows):
            self._take(rows)

    def _submit(self, rows: bytes) -> bool:
        """Have a thread take ``rows``; return False if none can be started."""
        thread = self._thread or ThreadPoolExecutor(1, "lens_perf-rows")
        try:
            self._taking = thread.submit(self._take, rows)
        except RuntimeError:  # the limit of tasks, or of memory
            return False
        self._thread = thread
        return True

    def wait(self) -> None:
        """Wait until what was passed on has been taken."""
        if self._taking is not None:
            taking, self._taking = self._taking, None
            taking.result()

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.shutdown()
        super().close()


@contextmanager
def collect_rows(take: Callable[[bytes], None]) -> Iterator["io.BufferedWriter[RowBlocks]"]:
    """Open a sink for the rows of a COPY, each of which ends with a line feed and holds no other.

    ``take`` is called with whole rows, the last of them at the end of the block; when that fails, the rest is dropped.
    """
    with RowBlocks(take) as blocks:
        rows = io.BufferedWriter(blocks, BLOCK_SIZE)
        yield rows
        rows.flush()
        blocks.wait()
