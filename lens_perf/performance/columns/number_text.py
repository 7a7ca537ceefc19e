"""The one rendering of a number as text, and the codes of what is no finite number."""

from typing import Final, TypeVar

import polars as pl

# What JSON has no number for, by the code that an ``n:`` column holds.
NON_FINITE_CODES: Final = {'"NaN"': 1, '"Infinity"': 2, '"-Infinity"': 3}
# What the codes 1 to 3 mean, as JSON texts and as numbers.
NON_FINITE_TEXTS: Final = tuple(NON_FINITE_CODES)
NON_FINITE_VALUES: Final = (float("nan"), float("inf"), float("-inf"))


Numbers = TypeVar("Numbers", pl.Series, pl.Expr)


def render(values: Numbers) -> Numbers:
    """Return the texts of ``values``, of type Int64 or Float64, as polars writes them: ``5``, ``0.25``, ``1e-7``.

    A ``v:`` column replaces its texts only where they can be restored from it; the format of a copy names the version
    of polars for that reason.
    """
    return values.cast(pl.String)
