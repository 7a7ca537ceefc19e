"""Turns the data points that a statement yields into the body of an answer, in flat memory.

The body grows in memory up to a limit and in an unnamed temporary file beyond, before the first byte is sent: its
length is exact, a failing query is an honest status, and a slow client holds no connection to the database.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Protocol, Self

import orjson

from lens_perf.errors import ResultTooLargeError
from lens_perf.instrumentation.timing import note_rows

# What takes longer than some ten milliseconds to write: from there on a read counts as heavy.
HEAVY_POINTS = 50_000


@dataclass(frozen=True)
class PointBody:
    """A finished body of ``size`` bytes: in ``file``, at its start, or, if it was small, in ``content``."""

    size: int
    content: bytes | None
    file: IO[bytes] | None


class PointSink(Protocol):
    """Takes data points, each behind the separator of its notation."""

    def write_points(self, points: bytes, count: int, /) -> None:
        """Take ``count`` data points; there may be none. Best called with many at once."""


class Writer(PointSink, Protocol):
    """Writes a body out of data points."""

    count: "PointCount"

    def finish(self, further: Mapping[str, Any], /) -> PointBody:
        """Complete the body, with the fields ``further`` if it has a place for them."""


class PointCount:
    """Counts data points, and bounds them.

    Calls ``on_heavy`` once, when there are more than HEAVY_POINTS; what it raises ends the reading. Raises
    ResultTooLargeError as soon as there are more than ``max_points``.
    """

    def __init__(self, max_points: int, on_heavy: Callable[[], None] | None = None) -> None:
        self._max_points = max_points
        self._on_heavy = on_heavy
        self.value = 0

    def add(self, count: int) -> None:
        """Count further data points."""
        self.value += count
        if self._on_heavy is not None and self.value > HEAVY_POINTS:
            self._on_heavy()
            self._on_heavy = None
        if self.value > self._max_points:
            raise ResultTooLargeError(
                f"The result has more than {self._max_points} data points; "
                "ask for fewer with metrics, data_source, start and end, or max_points"
            )


class BodyFile:
    """The body as it grows. Used as a context manager, it gives up its file when the block fails."""

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._file: IO[bytes] = SpooledTemporaryFile(max_size=memory_bytes)  # noqa: SIM115 - outlives the method
        self.write = self._file.write

    def __enter__(self) -> Self:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_rest: object) -> None:
        if failure is not None:
            self._file.close()

    def close(self) -> None:
        """Give the body up."""
        self._file.close()

    def finish(self) -> PointBody:
        """Return the body as it is now, which is all."""
        size = self._file.tell()
        self._file.seek(0)
        if size > self._memory_bytes:
            return PointBody(size, None, self._file)
        with self._file:
            return PointBody(size, self._file.read(), None)


class PointWriter:
    """Writes one JSON object: the fields ``labels``, the data points, and what ``finish`` is given."""

    def __init__(self, labels: Mapping[str, str], body: BodyFile, count: PointCount) -> None:
        self._body = body
        self.count = count
        self._body.write(orjson.dumps(labels)[:-1] + b',"data":[')

    def write_points(self, points: bytes, count: int) -> None:
        """Take ``count`` data points; there may be none."""
        self._body.write(points if self.count.value else points[1:])
        self.count.add(count)

    def finish(self, further: Mapping[str, Any]) -> PointBody:
        """Complete the object with the fields ``further`` and return it."""
        note_rows(self.count.value)
        end = b'],"total_count":%d' % self.count.value
        self._body.write(end + (b"," + orjson.dumps(further)[1:] if further else b"}") + b"\n")
        return self._body.finish()


class LineWriter:
    """Writes a line for each data point, behind the line ``header`` if there is one."""

    def __init__(self, header: str | None, body: BodyFile, count: PointCount) -> None:
        self._body = body
        self.count = count
        self._begun = header is not None
        self._body.write((header or "").encode())

    def write_points(self, points: bytes, count: int) -> None:
        """Take ``count`` data points; there may be none."""
        self._body.write(points if self._begun else points[1:])
        self._begun = self._begun or count > 0
        self.count.add(count)

    def finish(self, _further: Mapping[str, Any]) -> PointBody:
        """End the last line and return the body; lines have no place for further fields."""
        note_rows(self.count.value)
        if self._begun:
            self._body.write(b"\n")
        return self._body.finish()
