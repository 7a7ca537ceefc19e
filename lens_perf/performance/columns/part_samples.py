"""The samples of a part: the points that M4 chooses in each bucket.

From a union of buckets, M4 chooses only such points, so a sample can replace all records in queries with wider buckets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import polars as pl

# M4 chooses up to this many finite points in each bucket, and one that is not finite.
ROLES = 4
CHOSEN = {
    "field": pl.UInt32(),
    "row": pl.Int32(),
    "group": pl.UInt8(),
    "created_at": pl.Int64(),
    "iteration": pl.Int32(),
    "value": pl.Float64(),
    "text": pl.String(),
}


class Level(NamedTuple):
    """A sample along ``axis`` with at most ``buckets`` buckets of width 2**exponent; None means a single bucket."""

    axis: str
    buckets: int
    exponent: int | None

    @property
    def complete_up_to(self) -> int:
        """A series with up to this many points in the part, finite or not, is complete in the sample."""
        return ROLES * self.buckets


class Counts(NamedTuple):
    """The numbers of points of a field in a group: finite numbers, and texts for NaN and infinity."""

    numbers: int
    non_finite: int


@dataclass(frozen=True)
class PartSamples:
    """Describes the samples of a part.

    ``groups`` are the distinct pairs (data source, serial); ``counts`` has the numbers of points of each field in each
    group. ``levels`` are the samples: for each axis, those with fewer buckets are first. There are no samples along an
    axis if a record has no value on it.
    """

    groups: Sequence[tuple[str | None, int | None]] = ()
    counts: Mapping[str, Sequence[Counts]] = field(default_factory=dict)
    levels: Sequence[Level] = ()

    def write(self) -> Any:
        """Return the description as JSON values."""
        return [self.groups, list(self.counts.items()), self.levels]

    @classmethod
    def parse(cls, values: Any) -> "PartSamples":
        """Return the description from the result of ``write``."""
        groups, counts, levels = values
        return cls(
            [(source, serial) for source, serial in groups],
            {field: [Counts(*each) for each in by_group] for field, by_group in counts},
            [Level(*each) for each in levels],
        )
