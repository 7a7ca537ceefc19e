"""Writes data points in the text encodings JSON, NDJSON and CSV."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import numpy as np
import orjson
import polars as pl

from lens_perf.instrumentation.timing import note_rows
from lens_perf.performance.blocks import FEW_POINTS, Block, FieldIndices, index_fields, list_points
from lens_perf.performance.columns.field_columns import Representation
from lens_perf.performance.points.point_count import PointCount
from lens_perf.performance.points.read_ahead import read_ahead
from lens_perf.performance.points.spool import PointBody, Spool
from lens_perf.performance.points.text_cells import write_cells, write_few, write_tail
from lens_perf.performance.points.text_encodings import JSON, SHARED_FIELDS, TextEncoding

# Maximum number of cells prepared at once: about 20 MB of text.
CELLS = 2**18
# An upper estimate of the text of a point without its name.
POINT_BYTES = 100
# Preparing this many data points takes longer than starting a thread.
WORTH_A_THREAD = 2**14


class TextWriter:
    """Writes points in ``encoding``: JSON as an object with the fields ``labels``, others as lines.

    Points have the fields SHARED_FIELDS, then ``extra`` fields of their record (``serial``, ``axis_value``), then the
    constants ``origin``. ``first_line`` precedes all lines. Without ``labels``, only the points are written: JSON
    without the object, lines without a header. Methods that write points raise ResultTooLargeError.
    """

    reads: Representation = "text"

    def __init__(
        self,
        encoding: TextEncoding,
        labels: Mapping[str, str] | None,
        spool: Spool,
        count: PointCount,
        *,
        extra: Sequence[str] = (),
        origin: Mapping[str, str] | None = None,
        first_line: bytes = b"",
    ) -> None:
        self.encoding = encoding
        self._spool = spool
        self.fields = (*SHARED_FIELDS, *extra)
        self.origin = {name: encoding.write_text(value) for name, value in (origin or {}).items()}
        self.count = count
        self._is_object = encoding is JSON
        self._is_part = labels is None
        if labels is not None:
            spool.write(orjson.dumps(labels)[:-1] + b',"data":[' if self._is_object else first_line)
            spool.write(encoding.write_header((*self.fields, *self.origin)).encode())

    def write_blocks(self, blocks: Iterable[Block], fields: Sequence[str]) -> None:
        """Write the data points of ``fields``, by record; a piece is prepared while the previous one is written."""
        pieces = self._prepare(blocks, index_fields(fields))
        with closing(read_ahead(pieces, lambda piece: piece.points >= WORTH_A_THREAD)) as prepared:
            for piece in prepared:
                self._write(piece)

    def _prepare(self, blocks: Iterable[Block], indices: FieldIndices) -> Iterator["_Piece"]:
        for block in blocks:
            counts = block.count_points(indices)
            if block.should_list(counts):
                for piece in block.list_pieces(counts):
                    yield from self._prepare_list(list_points(piece, list(counts)), list(counts))
            elif counts:
                for piece in block.slices(max(1, CELLS // len(counts))):
                    yield from self._prepare_records(piece, list(counts))

    def write_points(self, points: Iterable[pl.DataFrame], fields: Sequence[str]) -> None:
        """Write the points of frames from ``list_points``."""
        for frame in points:
            for piece in self._prepare_list(frame, fields):
                self._write(piece)

    def write_text(self, points: bytes, count: int) -> None:
        """Write ``count`` points as text, each followed by a separator."""
        self.count.add(count)
        self._spool.write(points)

    def write_lines(self, lines: pl.DataFrame, count: int) -> None:
        """Write ``count`` points; the only column of ``lines`` has a line for each record."""
        if not lines.is_empty():
            self._write(_Piece(lines, count, int(lines.to_series().str.len_bytes().sum()) + lines.height))

    def finish(self, extra: Mapping[str, Any]) -> PointBody:
        """Complete and return the body. Only JSON includes the fields ``extra``."""
        note_rows(self.count.value)
        if self._is_object and self.count.value:
            self._spool.drop_last(len(self.encoding.separator))
        if self._is_object and not self._is_part:
            end = b'],"total_count":%d' % self.count.value
            self._spool.write(end + (b"," + orjson.dumps(extra)[1:] if extra else b"}") + b"\n")
        return self._spool.finish()

    def _prepare_records(self, block: Block, fields: Sequence[str]) -> Iterator["_Piece"]:
        indices = index_fields(fields)
        counts = block.count_points(indices)
        if counts and max(counts.values()) < block.height:
            block = block.drop_records_without_points(list(counts))
            counts = block.count_points(indices)
        if not counts:
            return
        tail = block.frame.select(write_tail(self.encoding, self.fields, self.origin, block.frame).alias("tail"))
        cells = block.frame.hstack(tail).select(write_cells(self.encoding, block, counts))
        points, names = sum(counts.values()), sum(len(field.encode()) for field in counts)
        yield _Piece(cells, points, points * POINT_BYTES + names * block.height)

    def _prepare_list(self, points: pl.DataFrame, fields: Sequence[str]) -> Iterator["_Piece"]:
        if points.is_empty():
            return
        if points.height <= FEW_POINTS:
            text = write_few(self.encoding, self.fields, self.origin, points, fields).encode()
            yield _Piece(text, points.height, len(text))
            return
        heads = [self.encoding.write_head(field) for field in fields]
        name = pl.lit(pl.Series(heads, dtype=pl.String)).gather(pl.col("field"))
        line = pl.concat_str(name, "text", pl.lit(","), write_tail(self.encoding, self.fields, self.origin, points))
        sizes = np.array([len(head.encode()) for head in heads])[points["field"].to_numpy()]
        yield _Piece(points.select(line), points.height, points.height * POINT_BYTES + int(sizes.sum()))

    def _write(self, piece: "_Piece") -> None:
        self.count.add(piece.points)
        if isinstance(piece.content, bytes):
            self._spool.write(piece.content)
            return
        piece.content.write_csv(
            self._spool.reserve(piece.size),
            include_header=False,
            quote_style="never",
            line_terminator=self.encoding.separator,
        )


class _Piece(NamedTuple):
    """The text of some ``points``, about ``size`` bytes, or the cells of their lines."""

    content: bytes | pl.DataFrame
    points: int
    size: int
