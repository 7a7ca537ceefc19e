"""Writes data points as arrays for each series, the encoding ``columns``, in constant memory.

Beyond a limit, pieces of arrays are moved to a temporary file. At the end, the pieces of each array are joined.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import orjson
import polars as pl

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.blocks import FEW_POINTS, Block, Indices, index_fields, list_points
from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.columns.groups import Groups, split_rows
from lens_perf.performance.columns.times import to_milliseconds
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_cells import list_values

ARRAYS = {"iteration": "iterations", "timestamp": "timestamps", "value": "values"}
EXTRA_ARRAYS = {"serial": "serials", "axis_value": "axis_values"}
PIECE = 2**20
# With more data sources, points are listed one by one. Only a text column can have so many.
MOST_SOURCES = 64
# The memory of a bytes object in addition to its content.
OVERHEAD = 80

# Metric, data source, and serial if each attempt is a separate series.
Key = tuple[str, str | None, int | None]


@dataclass(slots=True)
class Array:
    """The values of one field of a series as texts: the latest ones in memory, earlier ones in pieces of a file."""

    texts: list[bytes] = field(default_factory=list)
    pieces: list[tuple[int, int]] = field(default_factory=list)

    def move_to(self, file: IO[bytes]) -> None:
        """Move the texts in memory to the end of ``file``."""
        if self.texts:
            self.pieces.append((file.tell(), file.write(b"," + b",".join(self.texts))))
            self.texts.clear()

    def write_to(self, write: Callable[[bytes], object], file: IO[bytes] | None) -> None:
        """Write all values, separated by commas."""
        skipped = 1  # the comma before the first value
        for start, size in self.pieces:
            assert file is not None  # noqa: S101 - a piece is in the file
            file.seek(start + skipped)
            _copy(file, write, size - skipped)
            skipped = 0
        if self.texts:
            write((b"" if skipped else b",") + b",".join(self.texts))


class SeriesWriter:
    """Writes an object with the fields ``labels`` and the series in the order of their first points.

    ``extra`` are fields of records that become additional arrays. With ``by_serial``, each attempt is a separate
    series. Each series has the fields ``origin``. Without ``labels``, only the series are written. Arrays take up to
    ``memory_bytes`` of memory.
    """

    reads: Representation = "text"

    def __init__(
        self,
        labels: Mapping[str, str] | None,
        spool: Spool,
        count: PointCount,
        memory_bytes: int,
        *,
        extra: Sequence[str] = (),
        origin: Mapping[str, str] | None = None,
        by_serial: bool = False,
    ) -> None:
        self._labels = labels
        self._origin = origin or {}
        self._spool = spool
        self.count = count
        self._memory_bytes = memory_bytes
        self._held = 0
        self._file: IO[bytes] | None = None
        self._by_serial = by_serial
        self._keys = ["data_source", "serial"] if by_serial else ["data_source"]
        self._arrays = ARRAYS | {name: EXTRA_ARRAYS[name] for name in extra if not (by_serial and name == "serial")}
        self._series: dict[Key, dict[str, Array]] = {}

    def write_blocks(self, blocks: Iterable[Block], fields: Sequence[str]) -> None:
        """Add the data points of ``fields`` in ``blocks``. Raises ResultTooLargeError."""
        indices = index_fields(fields)
        for block in blocks:
            counts = block.count_points(indices)
            if block.should_list(counts) or block.frame["data_source"].n_unique() > MOST_SOURCES:
                for piece in block.list_pieces(counts):
                    self._take_list(list_points(piece, list(counts)), list(counts))
            elif counts:
                self._take_records(block, list(counts))

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str]) -> None:
        """Add the points of frames from ``list_points``. Raises ResultTooLargeError."""
        for frame in points:
            self._take_list(frame, fields)

    def finish(self, extra: Mapping[str, Any]) -> PointBody:
        """Write the object, with the fields ``extra`` at its end, and return the body."""
        note_rows(self.count.value)
        if self._labels is None:
            self._write_series()
            return self._spool.finish()
        write = self._spool.write
        write(orjson.dumps(self._labels)[:-1] + b',"series":[')
        self._write_series()
        end = b'],"total_count":%d' % self.count.value
        write(end + (b"," + orjson.dumps(extra)[1:] if extra else b"}") + b"\n")
        return self._spool.finish()

    def _write_series(self) -> None:
        write = self._spool.write
        for index, ((name, source, serial), arrays) in enumerate(self._series.items()):
            attempt = {"serial": serial} if self._by_serial else {}
            head = {"metric_name": name, "data_source": source, **attempt, **self._origin}
            write((b"," if index else b"") + json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()[:-1])
            for title, array in arrays.items():
                write(b',"%b":[' % self._arrays[title].encode())
                array.write_to(write, self._file)
                write(b"]")
            write(b"}")

    def add(self, key: Key, texts: Mapping[str, bytes], count: int) -> None:
        """Add ``count`` points of a series; ``texts`` has their texts by field, joined by commas."""
        arrays = self._series.get(key)
        if arrays is None:
            arrays = self._series[key] = {title: Array() for title in self._arrays}
        for title, array in arrays.items():
            array.texts.append(texts[title])
            self._held += len(texts[title]) + OVERHEAD
        self.count.add(count)
        if self._held > self._memory_bytes:
            self._move_to_file()

    def _take_records(self, block: Block, fields: Sequence[str]) -> None:
        frame = block.frame.with_columns(write_shared(self._arrays)).with_row_index("record")
        found = []
        for key, records in frame.partition_by(self._keys, as_dict=True, maintain_order=True).items():
            part = Block(records, non_finite=block.non_finite)
            shared = {title: records[f"text:{title}"] for title in self._arrays if title != "value"}
            whole = {title: _join(texts) for title, texts in shared.items()}
            for index, name in enumerate(fields):
                texts = part.read_texts(name)
                missing = texts.null_count()
                if missing == records.height:
                    continue
                present = texts.is_not_null()
                joined = (
                    whole if not missing else {title: _join(each.filter(present)) for title, each in shared.items()}
                )
                begin = records["record"].filter(present).first(), index
                series = name, key[0], key[1] if self._by_serial else None
                found.append((begin, series, joined | {"value": _join(texts)}, records.height - missing))
        for _begin, series, joined, count in sorted(found, key=lambda each: each[0]):
            self.add(series, joined, count)

    def _take_list(self, points: pl.DataFrame, fields: Sequence[str]) -> None:
        if points.is_empty():
            return
        groups = Groups(self._keys)
        series = groups.number(points) * len(fields) + points["field"].cast(pl.Int64).to_numpy()
        # In the order of their first points.
        rows = sorted(split_rows(series), key=lambda each: int(each[0]))
        columns = self._list_texts(points, np.concatenate(rows))
        keys = groups.keys
        start = 0
        for own in rows:
            group, index = divmod(int(series[own[0]]), len(fields))
            source, *serial = keys[group]
            end = start + len(own)
            joined = {title: ",".join(column[start:end]).encode() for title, column in columns.items()}
            self.add((fields[index], source, serial[0] if serial else None), joined, len(own))
            start = end

    def _list_texts(self, points: pl.DataFrame, order: Indices) -> dict[str, list[str]]:
        """Return the texts of each array for all ``points``, in ``order``."""
        if points.height > FEW_POINTS:
            texts = points.with_columns(write_shared(self._arrays))[order]
            return {title: texts["text" if title == "value" else f"text:{title}"].to_list() for title in self._arrays}
        columns = {title: list_values(points, "text" if title == "value" else title) for title in self._arrays}
        return {
            title: ["null" if values[row] is None else str(values[row]) for row in order.tolist()]
            for title, values in columns.items()
        }

    def _move_to_file(self) -> None:
        self._file = self._file or self._spool.open_scratch()
        self._file.seek(0, 2)
        for arrays in self._series.values():
            for array in arrays.values():
                array.move_to(self._file)
        self._held = 0


def write_shared(titles: Iterable[str]) -> list[pl.Expr]:
    """Return expressions for the JSON texts of the fields of a record, each with the name ``text:FIELD``."""
    fields = {
        title: to_milliseconds() if title == "timestamp" else pl.col(title) for title in titles if title != "value"
    }
    return [value.cast(pl.String).fill_null("null").alias(f"text:{title}") for title, value in fields.items()]


def _join(texts: pl.Series) -> bytes:
    return str(texts.str.join(",").item()).encode()


def _copy(file: IO[bytes], write: Callable[[bytes], object], size: int) -> None:
    while size > 0:
        piece = file.read(min(PIECE, size))
        write(piece)
        size -= len(piece)
