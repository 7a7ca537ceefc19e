"""Converts the times of copies, in microseconds since 2000-01-01 UTC, to milliseconds since 1970."""

from typing import TypeVar

import polars as pl

Time = TypeVar("Time", int, pl.Series, pl.Expr)

# The stored values of -infinity and infinity.
INFINITIES = (-(2**63), 2**63 - 1)
MILLISECONDS_TO_2000 = 946_684_800_000


def floor_milliseconds(created_us: Time) -> Time:
    """Return times as milliseconds since 1970, rounded down. The infinities remain below and above all others."""
    return created_us // 1000 + MILLISECONDS_TO_2000


def to_milliseconds(column: str = "created_at") -> pl.Expr:
    """Return the times of ``column`` as milliseconds since 1970, rounded down; null for infinities and nulls."""
    finite = pl.col(column).is_in(INFINITIES).not_()
    return pl.when(finite).then(floor_milliseconds(pl.col(column)))


def read_milliseconds(created_us: int | None) -> int | None:
    """Return a time as milliseconds since 1970, rounded down; None for infinities and None."""
    return None if created_us is None or created_us in INFINITIES else floor_milliseconds(created_us)
