"""Which (data source, iteration) pairs changed in the latest generations of a copy, within bounds."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from lens_perf.performance.freshness.pairs import Pairs

# Beyond these, readers of older generations have to read everything.
MOST_GENERATIONS = 300
MOST_RANGES = 3_000


@dataclass(frozen=True)
class ChangeLog:
    """The pairs of records added, replaced or removed, by generation; ``entries`` are in ascending order, no gaps."""

    entries: Sequence[tuple[int, Pairs]] = ()

    def add(self, generation: int, pairs: Pairs | None) -> "ChangeLog":
        """Return the log with the pairs that changed from the generation before; None stands for too many to list."""
        if pairs is None:
            return ChangeLog()
        entries = [*self.entries, (generation, pairs)][-MOST_GENERATIONS:]
        sizes = [_count_ranges(each) for _, each in entries]
        while sum(sizes) > MOST_RANGES:
            del entries[0], sizes[0]
        return ChangeLog(entries)

    def since(self, generation: int, latest: int) -> Pairs | None:
        """Return the pairs that changed from ``generation`` to ``latest``, the newest; None where that is unknown."""
        if generation == latest:
            return Pairs()
        if generation > latest or not self.entries or self.entries[0][0] > generation + 1:
            return None
        return reduce(or_, (pairs for number, pairs in self.entries if number > generation), Pairs())

    def write(self) -> list[Any]:
        """Return the log as JSON values."""
        return [[generation, pairs.write()] for generation, pairs in self.entries]

    @classmethod
    def parse(cls, values: Sequence[Any]) -> "ChangeLog":
        """Return what ``write`` wrote."""
        return cls([(generation, Pairs.parse(pairs) or Pairs()) for generation, pairs in values])


def _count_ranges(pairs: Pairs) -> int:
    return sum(map(len, pairs.ranges.values())) + len(pairs.without_iteration) + 1
