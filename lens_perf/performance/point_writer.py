"""Turns the data points that a statement yields into the body of an answer, in flat memory.

The body grows in memory up to a limit and in an unnamed temporary file beyond, before the first byte is sent: its
length is exact, a failing query is an honest status, and a slow client holds no connection to the database.
"""

from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Self

import orjson

from lens_perf.errors import ResultTooLargeError
from lens_perf.performance.queries import COPY_QUOTE, POINT_MARK

BLOCK_SIZE = 256 * 1024
MARK = POINT_MARK.encode()
# None of these occurs in JSON text: the joints between a COPY's columns and rows, its quotes and the marks.
NOT_JSON = b"\t\n" + COPY_QUOTE.encode() + MARK


@dataclass(frozen=True)
class PointBody:
    """A finished JSON body of ``size`` bytes: in ``file``, at its start, or, if it was small, in ``content``."""

    size: int
    content: bytes | None
    file: IO[bytes] | None


class PointWriter:
    """Takes data points as JSON pieces, each point behind a POINT_MARK and a comma, and writes one JSON object.

    ``labels`` are the fields ahead of ``data``. Raises ResultTooLargeError as soon as there are more than
    ``max_points``. Used as a context manager, it gives up its file when the block fails.
    """

    def __init__(self, labels: dict[str, str], max_points: int, memory_bytes: int) -> None:
        self._max_points = max_points
        self._memory_bytes = memory_bytes
        self._count = 0
        self._block = bytearray()
        self._file: IO[bytes] = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - outlives the method
        self._file.write(orjson.dumps(labels)[:-1] + b',"data":[')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_rest: object) -> None:
        if failure is not None:
            self._file.close()

    def write(self, pieces: bytes) -> None:
        """Take one row of a COPY, or the points expanded from one."""
        self._block += pieces
        if len(self._block) >= BLOCK_SIZE:
            self._drain()

    def finish(self) -> PointBody:
        """Complete the object and return it."""
        self._drain()
        self._file.write(b'],"total_count":%d}\n' % self._count)
        size = self._file.tell()
        self._file.seek(0)
        if size > self._memory_bytes:
            return PointBody(size, None, self._file)
        with self._file:
            return PointBody(size, self._file.read(), None)

    def _drain(self) -> None:
        points = self._block.translate(None, NOT_JSON)
        first = self._count == 0
        self._count += self._block.count(MARK)
        self._block.clear()
        if self._count > self._max_points:
            raise ResultTooLargeError(
                f"The result has more than {self._max_points} data points; "
                "ask for fewer with metrics, data_source, or start and end"
            )
        self._file.write(points[1:] if first else points)
