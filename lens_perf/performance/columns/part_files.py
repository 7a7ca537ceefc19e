"""The file format of a part: sections of columns, statistics and samples, and an index, all with checksums.

Sections are read with pread, because a truncated memory-mapped file would kill the process with SIGBUS.
"""

import io
import os
import struct
import weakref
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence, Set
from functools import cached_property
from operator import itemgetter
from typing import Literal

import google_crc32c
import numpy as np
import orjson
import polars as pl

from lens_perf.performance.columns.field_columns import list_fields
from lens_perf.performance.columns.part_index import PartIndex, PartIndexes, Section
from lens_perf.performance.columns.part_samples import PartSamples

# The end of a part: size and checksum of the index, and a magic number with the version of the format.
TRAILER = struct.Struct("<QI8s")
MARK = b"LENSPRT4"
# Small columns share a section, so that a part with few records and many fields is read with few calls.
SECTION_BYTES = 256 * 1024
# Decoding LZ4 takes several times as long as reading numbers. So it must reduce the first TESTED ones to this share.
TESTED, WORTHWHILE = 4_096, 0.5
# A sample is divided between fields into up to this many sections, because a chart of one metric needs a small part of
# it. All sections but the last have at least this many points.
SAMPLE_SECTIONS = 16
SAMPLE_POINTS = 1_000

Compression = Literal["lz4", "uncompressed"]


class DamagedPartError(Exception):
    """A file of a copy is missing, or its content is not what was written; the copy must be rebuilt."""


def encode_part(
    frame: pl.DataFrame, statistics: bytes, samples: PartSamples, chosen: Sequence[pl.DataFrame]
) -> Iterator[bytes]:
    """Yield the content of a part with the records of ``frame``; ``chosen`` has the points of each sample."""
    described = _Sections()
    columns: dict[str, int] = {}
    sections: list[Section] = []
    for number, names in enumerate(_group_columns(frame)):
        columns |= dict.fromkeys(names, number)
        section = pl.DataFrame([frame[name].rechunk() for name in names])
        content = _encode(section, _choose_compression(section))
        sections.append(described.add(content))
        yield content
    of_statistics = described.add(statistics)
    yield statistics
    of_samples: list[list[tuple[int, Section]]] = []
    for sample in chosen:
        of_samples.append([])
        for points in _split_sample(sample):
            # With LZ4, decoding them would take three times as long.
            content = _encode(points, "uncompressed")
            of_samples[-1].append((points["field"][0], described.add(content)))
            yield content
    index = orjson.dumps(
        [len(frame), list(columns.items()), sections, of_statistics, of_samples, samples.write()], default=tuple
    )
    yield index + TRAILER.pack(len(index), google_crc32c.value(index), MARK)


class _Sections:
    """The sections of a part that is being written, in the order of the file."""

    def __init__(self) -> None:
        self._offset = 0

    def add(self, content: bytes) -> Section:
        """Return the description of the next section."""
        section = Section(self._offset, len(content), google_crc32c.value(content))
        self._offset += len(content)
        return section


def _split_sample(points: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Yield the points of a sample in pieces that begin with the first point of a field."""
    least = max(SAMPLE_POINTS, -(-points.height // SAMPLE_SECTIONS))
    begin = 0
    for start in (np.flatnonzero(np.diff(points["field"].to_numpy())) + 1).tolist():
        if start - begin >= least:
            yield points.slice(begin, start - begin)
            begin = start
    yield points.slice(begin)


def _group_columns(frame: pl.DataFrame) -> Iterator[list[str]]:
    names: list[str] = []
    size = 0
    for series in frame.iter_columns():
        names.append(series.name)
        # Arrow stores a text in 16 bytes; a long one takes more elsewhere.
        width = 16 if series.dtype == pl.String else 8
        size += SECTION_BYTES if series.dtype.is_nested() else len(series) * width
        if size >= SECTION_BYTES:
            yield names
            names, size = [], 0
    if names:
        yield names


def _choose_compression(section: pl.DataFrame) -> Compression:
    if section.width > 1 or not section.dtypes[0].is_numeric():
        return "lz4"
    first = section.head(TESTED)
    is_worthwhile = len(_encode(first, "lz4")) < WORTHWHILE * len(_encode(first, "uncompressed"))
    return "lz4" if is_worthwhile else "uncompressed"


def _encode(frame: pl.DataFrame, compression: Compression) -> bytes:
    content = io.BytesIO()
    frame.write_ipc_stream(content, compression=compression)
    return content.getvalue()


class PartFile:
    """An open part, which remains readable when its file is removed. ``indexes`` caches its index.

    All methods and properties raise DamagedPartError if the content differs from what was written.
    """

    def __init__(self, descriptor: int, size: int, indexes: PartIndexes | None = None) -> None:
        self._descriptor = descriptor
        self._size = size
        self._indexes = indexes
        weakref.finalize(self, os.close, descriptor)

    @cached_property
    def _index(self) -> PartIndex:
        if self._indexes is None:
            return self._read_index()
        return self._indexes.find(self._descriptor, self._read_index)

    @property
    def samples(self) -> PartSamples:
        """The description of the samples of its records."""
        return self._index.samples

    @property
    def columns(self) -> Collection[str]:
        """The names of its columns, in order."""
        return self._index.columns.keys()

    @cached_property
    def fields(self) -> Set[str]:
        """The fields with columns of their own."""
        return set(list_fields(self.columns))

    def read(self, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """Return the records with those of ``columns`` that exist, None for all."""
        index = self._index
        wanted = [name for name in (index.columns if columns is None else columns) if name in index.columns]
        by_section: dict[int, list[str]] = {}
        for name in wanted:
            by_section.setdefault(index.columns[name], []).append(name)
        found: dict[str, pl.Series] = {}
        for number, names in by_section.items():
            found |= {series.name: series for series in self._read_columns(index.sections[number], names)}
        return pl.DataFrame([found[name] for name in wanted]) if wanted else pl.DataFrame(height=index.records)

    def read_statistics(self) -> bytes:
        """Return the encoded statistics."""
        return self._read_section(self._index.statistics)

    def read_sample(self, level: int, first: int, last: int) -> pl.DataFrame:
        """Return the points of a sample, at least those of the fields from ``first`` to ``last``.

        ``level`` is its index in ``samples.levels``; the fields are indices into ``samples.counts``.
        """
        sections = self._index.sample_sections[level]
        begin = bisect_right(sections, first, key=itemgetter(0)) - 1
        end = bisect_right(sections, last, key=itemgetter(0))
        return pl.concat([self._decode(section, None) for _field, section in sections[max(0, begin) : end]])

    def _read_columns(self, section: Section, names: Sequence[str]) -> pl.DataFrame:
        frame = self._decode(section, list(names))
        if len(frame) != self._index.records:
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

    def _read_index(self) -> PartIndex:
        size, checksum, mark = TRAILER.unpack(self._read(self._size - TRAILER.size, TRAILER.size))
        if mark != MARK:
            raise DamagedPartError
        index = self._read(self._size - TRAILER.size - size, size)
        if google_crc32c.value(index) != checksum:
            raise DamagedPartError
        return PartIndex.parse(orjson.loads(index))

    def _read(self, offset: int, size: int) -> bytes:
        """Return the ``size`` bytes from ``offset`` on."""
        if offset < 0 or size < 0 or offset + size > self._size:
            raise DamagedPartError
        pieces = []
        position = offset
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
