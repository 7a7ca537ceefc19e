"""Takes rows of PostgreSQL that hold the pieces of data points, and gives the points to a writer.

A row is a record: the JSON text of each metric's value, then the timestamp in milliseconds, the iteration, the data
source as JSON text and, where it is asked for, the serial. They are the columns of a COPY, empty where they are NULL.
"""

import json
from collections.abc import Sequence

import polars as pl

from lens_perf.performance.blocks import MILLISECONDS_TO_2000, Block
from lens_perf.performance.columns.field_columns import NON_FINITE, TEXT, VALUE
from lens_perf.performance.columns.number_text import NON_FINITE_CODES
from lens_perf.performance.metric_fields import is_finite_number
from lens_perf.performance.points.spool import Spool
from lens_perf.performance.points.text_writer import TextWriter
from lens_perf.performance.points.writers import Writer

NUMBER_STARTS = frozenset(b"-0123456789")
CODES = {text.encode(): code for text, code in NON_FINITE_CODES.items()}
# Rows that are put into a block.
BLOCK_BYTES = 2**20
Rows = Sequence[Sequence[bytes]]


class RowPoints:
    """Gives ``writer`` the points of the metrics ``names``, one value in a row for each.

    Text is written as the rows come. Other encodings take blocks, when ``finish`` is called; until then the rows are in
    a temporary file of ``spool``.
    """

    def __init__(
        self, names: Sequence[str], writer: Writer, spool: Spool, *, has_serial: bool = False, non_finite: bool = False
    ) -> None:
        self._names = names
        self._writer = writer
        self._shared = ["timestamp", "iteration", "data_source", *(["serial"] if has_serial else [])]
        self._non_finite = non_finite
        self._heads: list[bytes] = []
        self._tails: dict[bytes, bytes] = {}
        if isinstance(writer, TextWriter):
            self._heads = [writer.encoding.write_head(name).encode() for name in names]
        else:
            self._rows = spool.open_scratch()

    def take(self, block: bytes) -> None:
        """Take a block of whole rows."""
        if isinstance(self._writer, TextWriter):
            self._write_text(self._writer, _split(block))
        else:
            self._rows.write(block)

    def finish(self) -> None:
        """Write what has not been written yet; there are no more rows."""
        if not isinstance(self._writer, TextWriter):
            self._rows.seek(0)
            blocks = (_split(b"".join(lines)) for lines in iter(lambda: self._rows.readlines(BLOCK_BYTES), []))
            self._writer.write_blocks(map(self._build_block, blocks), self._names)

    def _write_text(self, writer: TextWriter, rows: Rows) -> None:
        """Write the points here: a small answer is done before a vectorised writer has begun."""
        count, null, points = len(self._names), writer.encoding.null.encode(), []
        for row in rows:
            timestamp, iteration, source, *serial = row[count:]
            tail = self._tails.get(source) or self._learn_tail(writer, source)
            shared = tail % tuple([each or null for each in (timestamp, iteration, *serial)])
            points += [
                head + value + shared
                for head, value in zip(self._heads, row, strict=False)
                if value and self._is_point(value)
            ]
        writer.write_text(b"".join(points), len(points))

    def _learn_tail(self, writer: TextWriter, source: bytes) -> bytes:
        """Return what follows the value of a point of a data source, with ``%b`` for what differs."""
        texts = dict.fromkeys(self._shared, "%b")
        texts["data_source"] = writer.encoding.write_source(json.loads(source)).replace("%", "%%")
        texts |= {name: text.replace("%", "%%") for name, text in writer.origin.items()}
        self._tails[source] = (writer.encoding.write_tail(texts) + writer.encoding.separator).encode()
        return self._tails[source]

    def _is_point(self, value: bytes) -> bool:
        return is_finite_number(value) if value[0] in NUMBER_STARTS else self._non_finite and value in CODES

    def _build_block(self, rows: Rows) -> Block:
        values = list(zip(*rows, strict=True))
        shared = dict(zip(self._shared, values[len(self._names) :], strict=True))
        times = [(int(each) - MILLISECONDS_TO_2000) * 1000 if each else None for each in shared["timestamp"]]
        columns = [
            pl.Series("created_at", times, pl.Int64),
            pl.Series("data_source", [json.loads(each) for each in shared["data_source"]], pl.String),
            *(
                pl.Series(name, [int(each) if each else None for each in shared[name]], pl.Int32)
                for name in ("iteration", "serial")
                if name in shared
            ),
        ]
        for name, texts in zip(self._names, values, strict=False):
            numbers = [text.decode() if text and text not in CODES and self._is_point(text) else None for text in texts]
            columns += [
                pl.Series(VALUE + name, numbers, pl.String).cast(pl.Float64),
                pl.Series(TEXT + name, numbers, pl.String),
                pl.Series(NON_FINITE + name, [CODES.get(text) for text in texts], pl.UInt8),
            ]
        return Block(pl.DataFrame(columns), non_finite=self._non_finite)


def _split(block: bytes) -> Rows:
    return [row.split(b"\t") for row in block.split(b"\n")[:-1]]
