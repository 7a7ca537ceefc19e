"""Sorts data points into one set of columns for each series, in flat memory, and writes them as one JSON object.

What the columns hold beyond the limit goes to a temporary file, piece by piece; when all is there, the pieces of each
column are put behind each other.
"""

from collections.abc import Callable, Mapping
from tempfile import TemporaryFile
from typing import IO, Any

import orjson

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.notations import FIELD
from lens_perf.performance.point_writer import BodyFile, PointBody, PointCount

COLUMNS = ("iterations", "timestamps", "values")
PIECE = 2**20


class Column:
    """Values of one field, each behind a comma: some in memory, the earlier ones in pieces of a file."""

    __slots__ = ("pieces", "values")

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.pieces: list[tuple[int, int]] = []

    def move_to(self, file: IO[bytes]) -> None:
        """Move what is in memory to the end of ``file``."""
        if self.values:
            start = file.tell()
            self.pieces.append((start, file.write(b"," + b",".join(self.values))))
            self.values.clear()

    def write_to(self, write: Callable[[bytes], object], file: IO[bytes] | None) -> None:
        """Write all values, with commas between them only."""
        first = 1  # the comma ahead of the very first value
        for start, size in self.pieces:
            assert file is not None  # noqa: S101 - where there are pieces, there is their file
            file.seek(start + first)
            _copy(file, write, size - first)
            first = 0
        if self.values:
            write((b"" if first else b",") + b",".join(self.values))


class ColumnWriter:
    """Takes points in the notation COLUMNS and writes them by series, in the order in which the series began."""

    def __init__(self, labels: Mapping[str, str], body: BodyFile, count: PointCount, memory_bytes: int) -> None:
        self._labels = labels
        self._body = body
        self.count = count
        # An entry costs its list and its object beside its text.
        self._most_held = memory_bytes // 64
        self._held = 0
        self._file: IO[bytes] | None = None
        self._series: dict[tuple[bytes, bytes], tuple[Column, Column, Column]] = {}

    def write_points(self, points: bytes, count: int) -> None:
        """Take ``count`` data points; there may be none."""
        series = self._series
        for point in points.split(b"\n")[1:]:
            name, value, timestamp, iteration, source = point.split(FIELD.encode())
            columns = series.get((name, source))
            if columns is None:
                columns = series[name, source] = Column(), Column(), Column()
            columns[0].values.append(iteration)
            columns[1].values.append(timestamp)
            columns[2].values.append(value)
        self.count.add(count)
        self._held += 3 * count
        if self._held > self._most_held:
            self._move_to_file()

    def _move_to_file(self) -> None:
        self._file = self._file or TemporaryFile()  # noqa: SIM115 - closed by finish, or with the writer
        self._file.seek(0, 2)
        for columns in self._series.values():
            for column in columns:
                column.move_to(self._file)
        self._held = 0

    def finish(self, further: Mapping[str, Any]) -> PointBody:
        """Write the object, with the fields ``further`` at its end, and return it."""
        note_rows(self.count.value)
        write = self._body.write
        write(orjson.dumps(self._labels)[:-1] + b',"series":[')
        for index, ((name, source), columns) in enumerate(self._series.items()):
            write((b"," if index else b"") + b'{"metric_name":' + name + b',"data_source":' + source)
            for title, column in zip(COLUMNS, columns, strict=True):
                write(b',"%b":[' % title.encode())
                column.write_to(write, self._file)
                write(b"]")
            write(b"}")
        end = b'],"total_count":%d' % self.count.value
        write(end + (b"," + orjson.dumps(further)[1:] if further else b"}") + b"\n")
        if self._file is not None:
            self._file.close()
        return self._body.finish()


def _copy(file: IO[bytes], write: Callable[[bytes], object], size: int) -> None:
    while size > 0:
        piece = file.read(min(PIECE, size))
        write(piece)
        size -= len(piece)
