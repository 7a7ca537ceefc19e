"""The one rendering of a number as text, and which texts of JSON values are data points."""

from typing import Final

import polars as pl

# What JSON has no number for, by the code that an ``n:`` column holds.
NON_FINITE_CODES: Final = {'"NaN"': 1, '"Infinity"': 2, '"-Infinity"': 3}
NON_FINITE_NAMES: Final = {code: text.strip('"') for text, code in NON_FINITE_CODES.items()}


def render(values: pl.Series) -> pl.Series:
    """Return the texts of ``values``, of type Int64 or Float64, as polars writes them: ``5``, ``0.25``, ``1e-7``.

    A ``v:`` column stands for its texts only where this gives them back; the format of a copy names the version of
    polars for that reason.
    """
    return values.cast(pl.String)


def parse_numbers(texts: pl.Series) -> pl.Series:
    """Return the numbers among ``texts``, JSON texts of any values: Int64 if each is an int64's, else Float64.

    A number that float64 cannot hold, and what is no number, is null.
    """
    floats = texts.cast(pl.Float64, strict=False)
    if not floats.is_finite().all():
        floats = floats.to_frame().select(pl.when(pl.first().is_finite()).then(pl.first()))[texts.name]
    first = floats.is_not_null().arg_max()
    if first is None or floats.null_count() == len(floats) or "." in texts[first]:
        return floats
    integers = texts.cast(pl.Int64, strict=False)
    return integers if integers.null_count() == floats.null_count() else floats


def gives_back(values: pl.Series, texts: pl.Series) -> bool:
    """Return whether ``render`` gives exactly ``texts`` for the numbers of ``values``."""
    # Most columns with trailing zeros show one within the first values.
    return all(bool((render(values.slice(*part)) == texts.slice(*part)).all()) for part in ((0, 64), (64, None)))
