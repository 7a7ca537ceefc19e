"""Parses the rows of a binary COPY of records with vector operations.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
"""

from collections.abc import Sequence

import polars as pl

# The header consists of a signature, flags, and the length of an extension, which follows.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES = len(SIGNATURE) + 8
TRAILER = b"\xff\xff"
# A row consists of the number of its fields and, for each field, its length (-1 for NULL) and its bytes.
COUNT_BYTES = 2
LENGTH_BYTES = 4
LONGEST_INTEGER = 8
# A JSONB value consists of a version and its text.
VERSION_BYTES = 1
INTEGERS = {"id": pl.Int64(), "created_at": pl.Int64(), "iteration": pl.Int32(), "serial": pl.Int32()}


def read_rows(messages: Sequence[bytes]) -> pl.DataFrame:
    """Return the records in ``messages``, which ``copy_records`` writes: a row each, also with the header or trailer.

    The columns are those of INTEGERS, with times in microseconds since 2000, and the texts ``data_source`` and
    ``performance``.
    """
    rows = pl.DataFrame({"row": pl.Series(_strip(messages), dtype=pl.Binary)}).with_columns(at=pl.lit(COUNT_BYTES))
    columns = []
    for name, kind in INTEGERS.items():
        rows, field = _take(rows)
        columns.append(_read_integers(field).cast(kind).alias(name))
    for name, skipped in (("data_source", 0), ("performance", VERSION_BYTES)):
        rows, field = _take(rows)
        columns.append(field.bin.slice(skipped).cast(pl.String).alias(name))
    return pl.DataFrame(columns)


def _strip(messages: Sequence[bytes]) -> Sequence[bytes]:
    """Return ``messages`` without the header, which may precede a row in its message, and the trailer."""
    first = messages[0]
    if first.startswith(SIGNATURE):
        extension = int.from_bytes(first[HEADER_BYTES - LENGTH_BYTES : HEADER_BYTES])
        first = first[HEADER_BYTES + extension :]
        messages = [first, *messages[1:]] if first else messages[1:]
    return messages[:-1] if messages and messages[-1] == TRAILER else messages


def _take(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return ``rows`` with ``at`` moved to the next field, and the bytes of the field that was there, or null."""
    row, at, length = pl.col("row"), pl.col("at"), pl.col("length")
    rows = rows.with_columns(_read_integer(row.bin.slice(at, LENGTH_BYTES), pl.Int32()).alias("length"))
    field = rows.select(pl.when(length >= 0).then(row.bin.slice(at + LENGTH_BYTES, length.clip(0)))).to_series()
    return rows.select(row, at + LENGTH_BYTES + length.clip(0)), field


def _read_integers(field: pl.Series) -> pl.Series:
    """Return the values of a column of type integer, bigint or timestamptz (microseconds since 2000)."""
    kind = pl.Int64() if field.bin.size().max() == LONGEST_INTEGER else pl.Int32()
    return field.to_frame().select(_read_integer(pl.first(), kind)).to_series()


def _read_integer(field: pl.Expr, kind: pl.DataType) -> pl.Expr:
    return field.bin.reinterpret(dtype=kind, endianness="big")
