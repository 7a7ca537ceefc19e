"""Builds data points from the rows of a COPY, and passes them to a writer.

A row has the columns that ``table_statements`` lists. NULL is an empty text.
"""

import json
from collections.abc import Sequence

import polars as pl

from lens_perf.performance.blocks import Block
from lens_perf.performance.columns.field_columns import NON_FINITE, TEXT, VALUE
from lens_perf.performance.columns.number_text import NON_FINITE_CODES
from lens_perf.performance.columns.times import MILLISECONDS_TO_2000
from lens_perf.performance.metric_fields import SURELY_FINITE_LENGTH, is_finite_number
from lens_perf.performance.points.spool import Spool
from lens_perf.performance.points.text_writer import TextWriter
from lens_perf.performance.points.writers import Writer

NUMBER_STARTS = frozenset(b"-0123456789")
CODES = {text.encode(): code for text, code in NON_FINITE_CODES.items()}
# Blocks of at least this many rows are written with vector operations, which take a millisecond to start.
MANY_ROWS = 2_000
# The size of the rows that become one block.
BLOCK_BYTES = 2**20
Rows = Sequence[Sequence[bytes]]


class RowPoints:
    """Passes the points of the metrics ``names`` to ``writer``; each row has a value for each name.

    Text encodings are written while rows arrive: small blocks row by row, because vector operations would start too
    late to help, large blocks as a whole. For other encodings, the rows are in a temporary file of ``spool`` until
    ``finish`` is called.
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
        """Add a block of complete rows. Raises ResultTooLargeError."""
        if not isinstance(self._writer, TextWriter):
            self._rows.write(block)
        elif block and block.count(b"\n") >= MANY_ROWS:
            self._write_frame(self._writer, block)
        else:
            self._write_text(self._writer, _split(block))

    def finish(self) -> None:
        """Write the remaining rows. Raises ResultTooLargeError."""
        if not isinstance(self._writer, TextWriter):
            self._rows.seek(0)
            blocks = (_split(b"".join(lines)) for lines in iter(lambda: self._rows.readlines(BLOCK_BYTES), []))
            self._writer.write_blocks(map(self._build_block, blocks), self._names)

    def _write_text(self, writer: TextWriter, rows: Rows) -> None:
        """Write the points of ``rows`` one by one."""
        count, null, points = len(self._names), writer.encoding.null.encode(), []
        for row in rows:
            timestamp, iteration, source, *serial = row[count:]
            tail = self._tails.get(source) or self._store_tail(writer, source)
            shared = tail % tuple([each or null for each in (timestamp, iteration, *serial)])
            points += [
                head + value + shared
                for head, value in zip(self._heads, row, strict=False)
                if value and self._is_point(value)
            ]
        writer.write_text(b"".join(points), len(points))

    def _write_frame(self, writer: TextWriter, block: bytes) -> None:
        values = [f"value:{index}" for index in range(len(self._names))]
        rows = pl.read_csv(
            block,
            has_header=False,
            new_columns=[*values, *self._shared],
            separator="\t",
            quote_char=None,
            infer_schema=False,
        )
        rows = self._keep_points(rows, values)
        tail = self._write_tails(writer, rows)
        whole = [
            pl.concat_str(pl.lit(head.decode()), name, tail) for head, name in zip(self._heads, values, strict=True)
        ]
        line = (
            whole[0]
            if len(whole) == 1
            else pl.concat_str(whole, separator=writer.encoding.separator, ignore_nulls=True)
        )
        count = sum(rows.height - rows[name].null_count() for name in values)
        writer.write_lines(rows.select(line), count)

    def _keep_points(self, rows: pl.DataFrame, values: Sequence[str]) -> pl.DataFrame:
        """Return the rows that have a point, with null for values that are not points."""
        masks = rows.select(self._are_points(rows[name]).fill_null(value=False) for name in values)
        if all(mask.all() for mask in masks):
            return rows
        kept = rows.with_columns(pl.when(mask).then(name) for mask, name in zip(masks, values, strict=True))
        return kept.filter(pl.any_horizontal(pl.col(values).is_not_null()))

    def _are_points(self, texts: pl.Series) -> pl.Expr:
        """Return ``_is_point`` as an expression for all of ``texts``."""
        text = pl.col(texts.name)
        # Only JSON numbers begin with a character in this range.
        is_number = (text >= "-") & (text < ":")
        lengths = texts.str.len_bytes()
        if (lengths > SURELY_FINITE_LENGTH).any():
            is_number &= text.cast(pl.Float64, strict=False).is_finite().fill_null(value=False)
        return is_number | text.is_in([each.decode() for each in CODES]) if self._non_finite else is_number

    def _write_tails(self, writer: TextWriter, rows: pl.DataFrame) -> pl.Expr:
        """Return the text after the value of each point of a record, without a separator."""
        pieces: list[pl.Expr] = []
        for field in self._shared:
            text = pl.col(field).fill_null(writer.encoding.null)
            if field == "data_source":
                sources = rows[field].unique().to_list()
                known = [writer.encoding.write_source(json.loads(each)) for each in sources]
                text = pl.col(field).replace_strict(sources, known, return_dtype=pl.String)
            pieces += [pl.lit("," + writer.encoding.write_label(field)), text]
        return pl.concat_str(*pieces, pl.lit(writer.encoding.write_tail(writer.origin)))

    def _store_tail(self, writer: TextWriter, source: bytes) -> bytes:
        """Store and return the text after the value of a point of ``source``, with ``%b`` for the variable parts."""
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
