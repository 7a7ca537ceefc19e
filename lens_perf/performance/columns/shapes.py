"""Reads the values of JSONB objects with the same keys, with vector operations."""

from collections.abc import Sequence

import polars as pl

from lens_perf.performance.columns.field_columns import TEXT, VALUE
from lens_perf.performance.columns.members import LONGEST_KEPT, OTHER
from lens_perf.performance.metric_fields import encode_name

SEPARATOR = ', "'
# For wider objects, reading member by member is as fast, and building an expression for each key is slow.
WIDEST_SHAPE = 512
# If there are more shapes, they are rarely repeated, and learning them costs more than it saves.
MOST_SHAPES = 64
LITERALS = ["null", "true", "false"]


class Shape:
    """The keys of an object, in stored order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.separators = len(names) - 1
        self._texts = [TEXT + name for name in names]
        # The separator includes the opening quote of all keys but the first one.
        heads = ["{" + encode_name(names[0]), *(encode_name(name)[1:] for name in names[1:])]
        values = [pl.col(f"field_{index}").str.strip_prefix(head + ": ") for index, head in enumerate(heads)]
        values[-1] = values[-1].str.strip_suffix("}")
        # If a text has all heads and the end, only the values remain. Comparing lengths verifies that.
        other_bytes = len(": ".join([*heads, "}"]).encode()) + len(SEPARATOR) * self.separators
        value_bytes = pl.sum_horizontal(pl.col(text).str.len_bytes() for text in self._texts)
        self._steps: tuple[list[pl.Expr], list[pl.Expr], list[pl.Expr]] = (
            [
                pl.col("row"),
                pl.col("text").str.len_bytes().alias("bytes"),
                pl.col("text").str.splitn(SEPARATOR, len(names)).alias("body"),
            ],
            [pl.col("row", "bytes"), *map(pl.Expr.alias, values, self._texts)],
            [
                (value_bytes + other_bytes == pl.col("bytes")).alias("fits"),
                *(pl.col(text).cast(pl.Float64, strict=False).alias(VALUE + text[len(TEXT) :]) for text in self._texts),
            ],
        )

    def read(self, objects: pl.DataFrame) -> pl.DataFrame:
        """Return the objects that have this shape, with ``row`` and the columns ``t:`` and ``v:`` of the fields.

        An object has the shape if its text consists of the keys in order, with values that are numbers, literals or
        strings without quotes and backslashes. Such a text has no other interpretation.
        """
        body, texts, numbers = self._steps
        read = objects.lazy().select(body).unnest("body").select(texts).with_columns(numbers).collect()
        if not read["fits"].all():
            read = read.filter("fits")
        nulls = read.null_count().row(0, named=True)
        odd = [text for text in self._texts if nulls[VALUE + text[len(TEXT) :]]]
        return (_settle(read, odd) if odd else read).drop("bytes", "fits")


def _settle(read: pl.DataFrame, odd: Sequence[str]) -> pl.DataFrame:
    """Return the rows in which no column of ``odd`` has an object, an array, or a string with a quote or backslash."""
    columns = [pl.col(name) for name in odd]
    simple = [
        column.str.contains("^-?[0-9]") | column.is_in(LITERALS) | column.str.contains(r'^"[^"\\]*"$')
        for column in columns
    ]
    is_long = [column.str.starts_with('"') & (column.str.len_bytes() > LONGEST_KEPT) for column in columns]
    short = [
        pl.when(long).then(pl.lit(OTHER)).otherwise(column).alias(name)
        for long, column, name in zip(is_long, columns, odd, strict=True)
    ]
    return read.filter(pl.all_horizontal(simple)).with_columns(short)
