"""The one rendering of a number as text, and the codes of what is no finite number."""

from typing import Final, TypeVar

import polars as pl

# What JSON has no number for, by the code that an ``n:`` column holds.
NON_FINITE_CODES: Final = {'"NaN"': 1, '"Infinity"': 2, '"-Infinity"': 3}
NON_FINITE_NAMES: Final = {code: text.strip('"') for text, code in NON_FINITE_CODES.items()}


Numbers = TypeVar("Numbers", pl.Series, pl.Expr)


def render(values: Numbers) -> Numbers:
    """Return the texts of ``values``, of type Int64 or Float64, as polars writes them: ``5``, ``0.25``, ``1e-7``.

    A ``v:`` column stands for its texts only where this gives them back; the format of a copy names the version of
    polars for that reason.
    """
    return values.cast(pl.String)
