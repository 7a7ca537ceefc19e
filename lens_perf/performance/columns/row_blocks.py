"""Collects the rows of a COPY in blocks, each of which is read while the next one arrives."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self

from lens_perf.errors import NO_THREAD, ClusterSaturatedError

BLOCK_BYTES = 2 * 1024 * 1024
# A longer row is a block of its own.
LONGEST_ROW = 1024 * 1024


class RowBlocks:
    """A sink for rows; ``take`` gets whole rows, in a thread of its own, one block after the other.

    To be used as a context manager, which ends when everything has been taken. What ``take`` raises goes through;
    ClusterSaturatedError where no thread can be started.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rows: list[bytes] = []
        self._size = 0
        self._thread = ThreadPoolExecutor(1, "lens_perf-columns")
        self._taking: Future[None] | None = None
        self.rows = 0

    def write(self, row: bytes) -> int:
        """Take one row."""
        if len(row) > LONGEST_ROW and self._rows:
            self._flush()
        self._rows.append(row)
        self._size += len(row)
        if self._size >= BLOCK_BYTES or len(row) > LONGEST_ROW:
            self._flush()
        return len(row)

    def _flush(self) -> None:
        self._wait()
        self.rows += len(self._rows)
        block = self._rows[0] if len(self._rows) == 1 else b"".join(self._rows)
        self._rows.clear()
        self._size = 0
        try:
            self._taking = self._thread.submit(self._take, block)
        except RuntimeError:  # the limit of tasks, or of memory
            raise ClusterSaturatedError(NO_THREAD) from None

    def _wait(self) -> None:
        if self._taking is not None:
            taking, self._taking = self._taking, None
            taking.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                if self._rows:
                    self._flush()
                self._wait()
        finally:
            self._thread.shutdown()
