"""Parses the rows of a binary COPY of records with vector operations.

https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-BINARY-FORMAT
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

# The header consists of a signature, flags, and the length of an extension, which follows.
SIGNATURE = b"PGCOPY\n\xff\r\n\0"
HEADER_BYTES = len(SIGNATURE) + 8
TRAILER = b"\xff\xff"
# A row consists of the number of its fields and, for each field, its length (-1 for NULL) and its bytes.
COUNT_BYTES = 2
LENGTH_BYTES = 4
# A JSONB value consists of a version and its text.
VERSION_BYTES = 1
INTEGERS = {"id": pl.Int64(), "created_at": pl.Int64(), "iteration": pl.Int32(), "serial": pl.Int32()}
# The number of bytes before the text.
TEXTS = {"data_source": 0, "performance": VERSION_BYTES}

# Up to this number of rows, Python takes less time than waking the threads of polars.
FEW_ROWS = 64

Numbers = npt.NDArray[np.int64]


def read_rows(messages: Sequence[bytes]) -> pl.DataFrame:
    """Return the records in ``messages``, which ``copy_records`` writes: a row each, also with the header or trailer.

    The columns are those of INTEGERS, with times in microseconds since 2000, and the texts ``data_source`` and
    ``performance``.
    """
    messages = _strip(messages)
    if not messages:
        return pl.DataFrame(schema={**INTEGERS, **dict.fromkeys(TEXTS, pl.String())})
    lengths = np.fromiter(map(len, messages), np.int64, len(messages))
    begins = np.cumsum(lengths) - lengths
    fields = _Fields(b"".join(messages), begins + COUNT_BYTES)
    integers = [fields.take_integers().cast(kind).alias(name) for name, kind in INTEGERS.items()]
    return pl.DataFrame([*integers, *_take_texts(messages, fields, begins)])


def _strip(messages: Sequence[bytes]) -> Sequence[bytes]:
    """Return ``messages`` without the header, which may precede a row in its message, and the trailer."""
    first = messages[0]
    if first.startswith(SIGNATURE):
        extension = int.from_bytes(first[HEADER_BYTES - LENGTH_BYTES : HEADER_BYTES])
        first = first[HEADER_BYTES + extension :]
        messages = [first, *messages[1:]] if first else messages[1:]
    return messages[:-1] if messages and messages[-1] == TRAILER else messages


def _take_texts(messages: Sequence[bytes], fields: "_Fields", begins: Numbers) -> list[pl.Series]:
    """Return the columns TEXTS, the next fields of ``messages``, which are at the positions ``begins``."""
    bounds = {}
    for name, skipped in TEXTS.items():
        at, lengths = fields.take()
        bounds[name] = at - begins + skipped, np.where(lengths < 0, -1, np.maximum(lengths - skipped, 0))
    if len(messages) <= FEW_ROWS:
        return [_take_few(messages, *each).alias(name) for name, each in bounds.items()]
    rows = pl.DataFrame({"row": pl.Series(messages, dtype=pl.Binary)})
    return rows.select(_slice(*each).alias(name) for name, each in bounds.items()).get_columns()


def _take_few(messages: Sequence[bytes], at: Numbers, lengths: Numbers) -> pl.Series:
    """Return the texts at the positions ``at`` of each of ``messages``, null where the length is -1."""
    pieces = zip(messages, at.tolist(), lengths.tolist(), strict=True)
    texts = [None if length < 0 else message[begin : begin + length].decode() for message, begin, length in pieces]
    return pl.Series(texts, dtype=pl.String)


def _slice(at: Numbers, lengths: Numbers) -> pl.Expr:
    """Return an expression for the same as ``_take_few``, for the column ``row``."""
    text = pl.col("row").bin.slice(pl.lit(pl.Series(at)), pl.lit(pl.Series(np.maximum(lengths, 0)))).cast(pl.String)
    return pl.when(pl.lit(pl.Series(lengths >= 0))).then(text) if lengths.min() < 0 else text


class _Fields:
    """Reads the fields of all rows in turn; ``at`` is where the first field of each row begins in ``content``."""

    def __init__(self, content: bytes, at: Numbers) -> None:
        self._content = content
        self._at = at

    def take(self) -> tuple[Numbers, Numbers]:
        """Return the position and the length of the next field of each row; for NULL, the length is -1."""
        begins, lengths = self._at + LENGTH_BYTES, self._read(self._at, LENGTH_BYTES)
        self._at = begins + np.maximum(lengths, 0)
        return begins, lengths

    def take_integers(self) -> pl.Series:
        """Return the values of the next field, which has the type integer, bigint or timestamptz."""
        begins, lengths = self.take()
        width = lengths.max().item()
        values = pl.Series(self._read(begins, width) if width > 0 else begins)
        return values.set(pl.Series(lengths < 0), None) if lengths.min() < 0 else values

    def _read(self, at: Numbers, width: int) -> Numbers:
        """Return the integers of ``width`` bytes at the positions ``at``, arbitrary ones beyond the end."""
        # As numpy has no unaligned integers, an element is a number of bytes, and there is one at each position.
        elements = np.ndarray((len(self._content) - width + 1,), f"V{width}", self._content, strides=(1,))
        return elements[np.minimum(at, len(elements) - 1)].view(f">i{width}").astype(np.int64)
