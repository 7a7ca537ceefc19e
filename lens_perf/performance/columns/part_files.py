"""The format of a part: checksummed sections of Arrow columns, an index of them, statistics of its records, samples.

Sections are read with pread, never mapped: a file that was cut short while it is read is an error, not a signal that
ends the process.
"""

import io
import os
import struct
import weakref
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from functools import cached_property
from typing import Any, NamedTuple

import google_crc32c
import orjson
import polars as pl

from lens_perf.performance.columns.field_columns import list_fields
from lens_perf.performance.columns.part_samples import PartSamples

# At the end of a part: the size and the checksum of the index, and the mark of the format.
TRAILER = struct.Struct("<QI8s")
MARK = b"LENSPRT2"
# Small columns share a section, so that a part of few records and many fields is read in few steps.
SECTION_BYTES = 256 * 1024


class DamagedPartError(Exception):
    """A file of a copy is not as it was written, or is gone; the copy has to be built again."""


class Section(NamedTuple):
    """Where in a part some columns, its statistics or a sample are."""

    offset: int
    size: int
    checksum: int


def encode_part(
    frame: pl.DataFrame, statistics: bytes, samples: PartSamples, chosen: Sequence[pl.DataFrame]
) -> Iterator[bytes]:
    """Yield the bytes of a part that holds the records of ``frame``; ``chosen`` are the points of ``samples``."""
    sections = _Sections()
    columns: dict[str, int] = {}
    for number, names in enumerate(_group_columns(frame)):
        columns |= dict.fromkeys(names, number)
        yield sections.add(_encode_columns(frame.select(names).rechunk()))
    yield sections.add(statistics)
    for sample in chosen:
        yield sections.add(_encode_columns(sample))
    index = orjson.dumps(
        [len(frame), sections.described, list(columns.items()), len(chosen), samples.write()], default=tuple
    )
    yield index + TRAILER.pack(len(index), google_crc32c.value(index), MARK)


class _Sections:
    """The sections of a part that is being written, one behind the other."""

    def __init__(self) -> None:
        self.described: list[Section] = []
        self._offset = 0

    def add(self, content: bytes) -> bytes:
        """Take note of a section, and return it."""
        self.described.append(Section(self._offset, len(content), google_crc32c.value(content)))
        self._offset += len(content)
        return content


def _group_columns(frame: pl.DataFrame) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for series in frame.iter_columns():
        names.append(series.name)
        # As Arrow lays them out: a text takes 16 bytes, and its own if it is long.
        width = 16 if series.dtype == pl.String else 8
        size += SECTION_BYTES if series.dtype.is_nested() else len(series) * width
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

    Raises DamagedPartError for content that is not as it was written.
    """

    def __init__(self, descriptor: int, start: int, size: int, *, owned: bool = True) -> None:
        self._descriptor = descriptor
        self._start = start
        self._size = size
        if owned:
            weakref.finalize(self, os.close, descriptor)
        records, sections, columns, samples, described = self._read_index()
        self.records: int = records
        self.samples = PartSamples.parse(described)
        self._columns: Mapping[str, int] = dict(columns)
        *self._sections, self._statistics = (Section(*each) for each in sections[: len(sections) - samples])
        self._samples = [Section(*each) for each in sections[len(sections) - samples :]]

    @property
    def columns(self) -> Collection[str]:
        """The names of its columns, in their order."""
        return self._columns.keys()

    @cached_property
    def fields(self) -> Set[str]:
        """The fields that have columns."""
        return set(list_fields(self._columns))

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return its records with those of ``columns`` that it has; None wants all."""
        wanted = [name for name in (self._columns if columns is None else columns) if name in self._columns]
        by_section: dict[int, list[str]] = {}
        for name in wanted:
            by_section.setdefault(self._columns[name], []).append(name)
        found: dict[str, pl.Series] = {}
        for number, names in by_section.items():
            found |= {series.name: series for series in self._read_columns(self._sections[number], names)}
        return pl.DataFrame([found[name] for name in wanted]) if wanted else pl.DataFrame(height=self.records)

    def read_statistics(self) -> bytes:
        """Return the statistics that the part was written with."""
        return self._read_section(self._statistics)

    def read_sample(self, level: int) -> pl.DataFrame:
        """Return the points of a sample, whose number is that of its level in ``samples``."""
        return self._decode(self._samples[level], None)

    def _read_columns(self, section: Section, names: Sequence[str]) -> pl.DataFrame:
        frame = self._decode(section, list(names))
        if len(frame) != self.records:
            raise DamagedPartError
        return frame

    def _decode(self, section: Section, names: list[str] | None) -> pl.DataFrame:
        content = self._read_section(section)
        try:
            return pl.read_ipc_stream(io.BytesIO(content), columns=names)
        except (pl.exceptions.PolarsError, OSError, ValueError):
            raise DamagedPartError from None

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
