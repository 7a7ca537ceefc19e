"""Turns the data points that a statement yields into the body of an answer, in flat memory.

The body grows in memory up to a limit and in an unnamed temporary file beyond, before the first byte is sent: its
length is exact, a failing query is an honest status, and a slow client holds no connection to the database.
"""

from collections.abc import Callable
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Self

import orjson

from lens_perf.errors import ResultTooLargeError
from lens_perf.instrumentation.timing import note_rows

# What takes longer than some ten milliseconds to write: from there on a read counts as heavy.
HEAVY_POINTS = 50_000


@dataclass(frozen=True)
class PointBody:
    """A finished JSON body of ``size`` bytes: in ``file``, at its start, or, if it was small, in ``content``."""

    size: int
    content: bytes | None
    file: IO[bytes] | None


class PointWriter:
    """Takes data points as JSON texts, each behind a comma, and writes one JSON object.

    ``labels`` are the fields ahead of ``data``. Calls ``on_heavy`` once, when there are more than HEAVY_POINTS; what it
    raises ends the reading. Raises ResultTooLargeError as soon as there are more than ``max_points``. Used as a context
    manager, it gives up its file when the block fails.
    """

    def __init__(
        self, labels: dict[str, str], max_points: int, memory_bytes: int, on_heavy: Callable[[], None] | None = None
    ) -> None:
        self._on_heavy = on_heavy
        self._max_points = max_points
        self._memory_bytes = memory_bytes
        self._count = 0
        self._file: IO[bytes] = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - outlives the method
        self._file.write(orjson.dumps(labels)[:-1] + b',"data":[')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_rest: object) -> None:
        if failure is not None:
            self._file.close()

    def write_points(self, points: bytes, count: int) -> None:
        """Take ``count`` data points; there may be none. Best called with many at once."""
        self._file.write(points if self._count else points[1:])
        self._count += count
        if self._on_heavy is not None and self._count > HEAVY_POINTS:
            self._on_heavy()
            self._on_heavy = None
        if self._count > self._max_points:
            raise ResultTooLargeError(
                f"The result has more than {self._max_points} data points; "
                "ask for fewer with metrics, data_source, or start and end"
            )

    def finish(self) -> PointBody:
        """Complete the object and return it."""
        note_rows(self._count)
        self._file.write(b'],"total_count":%d}\n' % self._count)
        size = self._file.tell()
        self._file.seek(0)
        if size > self._memory_bytes:
            return PointBody(size, None, self._file)
        with self._file:
            return PointBody(size, self._file.read(), None)
