"""Renders numbers as texts, and defines the codes of NaN and the infinities."""

from typing import Final, TypeVar

import polars as pl

# The codes of an ``n:`` column, by the JSON texts that represent NaN and the infinities.
NON_FINITE_CODES: Final = {'"NaN"': 1, '"Infinity"': 2, '"-Infinity"': 3}
# The JSON texts and the numbers of the codes 1 to 3.
NON_FINITE_TEXTS: Final = tuple(NON_FINITE_CODES)
NON_FINITE_VALUES: Final = (float("nan"), float("inf"), float("-inf"))


Numbers = TypeVar("Numbers", pl.Series, pl.Expr)


def render(values: Numbers) -> Numbers:
    """Return the texts of ``values``, which are Int64 or Float64, as polars writes them: ``5``, ``0.25``, ``1e-7``.

    A copy stores the text of a number only if it differs from this one. Therefore the format of a copy includes the
    version of polars.
    """
    return values.cast(pl.String)
