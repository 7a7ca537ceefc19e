"""Takes the values out of whole columns of JSONB objects that have the same keys, with vector operations."""

from collections.abc import Sequence

import polars as pl

from lens_perf.performance.columns.members import OTHER
from lens_perf.performance.metric_fields import encode_name

SEPARATOR = ', "'
# Wider objects are as fast member by member, and an expression for each key would take long to build.
WIDEST_SHAPE = 512
# More shapes than this are a sign that shapes do not repeat: then learning them costs more than it saves.
MOST_SHAPES = 64
# What a value may be, beside a number and a string without a backslash.
LITERALS = ["null", "true", "false"]


class Shape:
    """The keys of an object, in stored order."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        # The first key of a text begins with the quote, which the separator takes from the others.
        heads = [encode_name(name) + ": " for name in names]
        self._heads = [head[1:] if index else head for index, head in enumerate(heads)]

    @property
    def separators(self) -> int:
        """How often ``SEPARATOR`` occurs in the text of such an object."""
        return len(self.names) - 1

    def split(self, texts: pl.Series) -> pl.DataFrame:
        """Return for each of ``texts`` whether it ``fits``, and the JSON text of the value of each key, as ``0``...

        A text fits if it is the keys with values that are numbers, literals or strings without quote and backslash;
        joined again these are the whole text, so no other reading of it is possible.
        """
        body = texts.alias("text").to_frame().lazy().select(pl.col("text").str.strip_prefix("{").str.strip_suffix("}"))
        pieces = body.select(pl.col("text").str.splitn(SEPARATOR, len(self.names))).unnest("text")
        columns = [pl.col(f"field_{index}") for index in range(len(self.names))]
        heads = list(zip(columns, self._heads, strict=True))
        values = [column.str.strip_prefix(head).alias(str(index)) for index, (column, head) in enumerate(heads)]
        fits = pl.all_horizontal([column.str.starts_with(head) for column, head in heads])
        frame = pieces.select(fits.fill_null(value=False).alias("fits"), *values).collect()
        odd = [series for series in frame.iter_columns() if series.dtype == pl.String and _is_odd(series)]
        return _settle_odd(frame, odd) if odd else frame


def _is_odd(values: pl.Series) -> bool:
    """Return whether any value does not begin as a number does."""
    return not bool((values <= "9~").all()) or bool((values < "-").any())


def _settle_odd(frame: pl.DataFrame, odd: Sequence[pl.Series]) -> pl.DataFrame:
    """Take those rows of ``frame`` for unfit that hold an object, an array or a string with quotes in it."""
    names = [series.name for series in odd]
    columns = [pl.col(name) for name in names]
    simple = [
        column.str.contains(r"^-?[0-9]") | column.is_in(LITERALS) | column.str.contains(r'^"[^"\\]*"$')
        for column in columns
    ]
    # Of strings, only the short ones for NaN and the infinities count.
    kept = [
        pl.when(column.str.starts_with('"') & (column.str.len_bytes() > len('"-Infinity"')))
        .then(pl.lit(OTHER))
        .otherwise(column)
        .alias(name)
        for name, column in zip(names, columns, strict=True)
    ]
    return frame.with_columns(pl.col("fits") & pl.all_horizontal(simple).fill_null(value=False)).with_columns(kept)
