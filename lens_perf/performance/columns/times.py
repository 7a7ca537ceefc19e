"""Converts times of a copy, in microseconds since 2000-01-01 UTC, to times of answers, in milliseconds since 1970."""

from typing import TypeVar

import polars as pl

Time = TypeVar("Time", int, pl.Series, pl.Expr)

# The stored values of -infinity and infinity.
INFINITIES = (-(2**63), 2**63 - 1)
MILLISECONDS_TO_2000 = 946_684_800_000


def floor_milliseconds(created_us: Time) -> Time:
    """Return finite times as floored milliseconds since 1970. The infinities remain beyond all other times."""
    return created_us // 1000 + MILLISECONDS_TO_2000


def to_milliseconds(column: str = "created_at") -> pl.Expr:
    """Return the times of ``column`` as floored milliseconds since 1970; null for infinities and nulls."""
    finite = pl.col(column).is_in(INFINITIES).not_()
    return pl.when(finite).then(floor_milliseconds(pl.col(column)))


def read_milliseconds(created_us: int | None) -> int | None:
    """Return a time as floored milliseconds since 1970; None for infinities and None."""
    return None if created_us is None or created_us in INFINITIES else floor_milliseconds(created_us)
