"""The format of a part: checksummed sections of Arrow columns, an index of them, and the statistics of its records.

Sections are read with pread, never mapped: a file that was cut short while it is read is an error, not a signal that
ends the process.
"""

import io
import os
import struct
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import orjson
import polars as pl

# At the end of a part: the size and the checksum of the index, and the mark of the format.
TRAILER = struct.Struct("<QI8s")
MARK = b"LENSPRT1"
# Small columns share a section, so that a part of few records and many fields is read in few steps.
SECTION_BYTES = 256 * 1024


class DamagedPartError(Exception):
    """A file of a copy is not as it was written, or is gone; the copy has to be built again."""


@dataclass(frozen=True)
class Section:
    """Where in a part some columns, or its statistics, are."""

    offset: int
    size: int
    checksum: int

    def as_list(self) -> list[int]:
        """Return the fields, for the index."""
        return [self.offset, self.size, self.checksum]


def encode_part(frame: pl.DataFrame, statistics: bytes) -> Iterator[bytes]:
    """Yield the bytes of a part that holds the records of ``frame``."""
    offset = 0
    sections: list[list[int]] = []
    columns: dict[str, int] = {}
    for number, names in enumerate(_group_columns(frame)):
        content = _encode_columns(frame.select(names).rechunk())
        columns |= dict.fromkeys(names, number)
        sections.append(Section(offset, len(content), google_crc32c.value(content)).as_list())
        offset += len(content)
        yield content
    yield statistics
    described = Section(offset, len(statistics), google_crc32c.value(statistics)).as_list()
    index = orjson.dumps([len(frame), sections, list(columns.items()), described])
    yield index + TRAILER.pack(len(index), google_crc32c.value(index), MARK)


def _group_columns(frame: pl.DataFrame) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for series in frame.iter_columns():
        names.append(series.name)
        # As Arrow lays them out: a text takes 16 bytes, and its own if it is long.
        size += len(series) * (16 if series.dtype == pl.String else 8)
        if size >= SECTION_BYTES:
            yield names
            names, size = [], 0
    if names:
        yield names


def _encode_columns(frame: pl.DataFrame) -> bytes:
    content = io.BytesIO()
    frame.write_ipc_stream(content, compression="lz4")
    return content.getvalue()


class PartFile:
    """An open part, or a range of a file that holds several; stays readable when the file is removed.

    Raises DamagedPartError for whatever is not as it was written.
    """

    def __init__(self, descriptor: int, start: int, size: int, *, owned: bool = True) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        if owned:
            weakref.finalize(self, os.close, descriptor)
        index = self._read_index()
        self.records: int = index[0]
        self._sections = [Section(*each) for each in index[1]]
        self._columns: Mapping[str, int] = dict(index[2])
        self._statistics = Section(*index[3])

    @property
    def columns(self) -> Sequence[str]:
        """The names of its columns, in their order."""
        return list(self._columns)

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return its records with those of ``columns`` that it has; None wants all."""
        wanted = [name for name in (self._columns if columns is None else columns) if name in self._columns]
        by_section: dict[int, list[str]] = {}
        for name in wanted:
            by_section.setdefault(self._columns[name], []).append(name)
        frames = [self._read_columns(self._sections[number], names) for number, names in by_section.items()]
        return pl.concat(frames, how="horizontal").select(wanted) if frames else pl.DataFrame(height=self.records)

    def read_statistics(self) -> bytes:
        """Return the statistics that the part was written with."""
        return self._read_section(self._statistics)

    def _read_columns(self, section: Section, names: Sequence[str]) -> pl.DataFrame:
        content = self._read_section(section)
        try:
            frame = pl.read_ipc_stream(io.BytesIO(content), columns=list(names))
        except (pl.exceptions.PolarsError, OSError, ValueError):
            raise DamagedPartError from None
        if len(frame) != self.records:
            raise DamagedPartError
        return frame

    def _read_section(self, section: Section) -> bytes:
        content = self._read(section.offset, section.size)
        if google_crc32c.value(content) != section.checksum:
            raise DamagedPartError
        return content

    def _read_index(self) -> Any:
        size, checksum, mark = TRAILER.unpack(self._read(self._size - TRAILER.size, TRAILER.size))
        if mark != MARK:
            raise DamagedPartError
        index = self._read(self._size - TRAILER.size - size, size)
        if google_crc32c.value(index) != checksum:
            raise DamagedPartError
        return orjson.loads(index)

    def _read(self, offset: int, size: int) -> bytes:
        """Return bytes of the part; the offset counts from its beginning."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise DamagedPartError
        pieces = []
        position = self._start + offset
        while size:
            try:
                piece = os.pread(self._descriptor, size, position)
            except OSError:
                raise DamagedPartError from None
            if not piece:
                raise DamagedPartError
            pieces.append(piece)
            position += len(piece)
            size -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
