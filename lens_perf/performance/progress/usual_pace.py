"""The usual pace and spacing of a workload: exact medians over all intervals, to which later ones can be added."""

from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from lens_perf.performance.progress.record_blocks import Floats, Integers
from lens_perf.performance.progress.steps import Steps

# Smaller spacings are counted in a table; others are rare.
COUNTED_SPACINGS = 2**16
# This many values are kept on either side of a median. Later intervals move it by at most half their number.
SPREAD = 2**11
# If more values are held, half of them are dropped: those farthest from the median.
MOST_HELD = 2**21
# The size of the sample from which the bounds of a rank are estimated.
SAMPLE = 2**13


@dataclass(frozen=True)
class Usual:
    """The medians of the microseconds per iteration and of the iterations of all intervals, None without intervals."""

    pace: float | None = None
    spacing: int | None = None


@dataclass(frozen=True)
class RankedValues:
    """A collection of numbers that finds them by rank.

    ``blocks`` hold the numbers from ``low`` to ``high``. ``below`` and ``above`` count the others. Unless
    ``holds_all``, at most MOST_HELD are held.
    """

    blocks: tuple[Floats, ...] = ()
    below: int = 0
    above: int = 0
    low: float = -np.inf
    high: float = np.inf
    holds_all: bool = False

    @property
    def kept(self) -> int:
        """The number of values held."""
        return sum(map(len, self.blocks))

    @property
    def count(self) -> int:
        """The number of values added."""
        return self.below + self.kept + self.above

    def add(self, values: Floats) -> Self:
        """Return the collection with ``values`` added."""
        is_below, is_above = values < self.low, values > self.high
        added = replace(
            self,
            blocks=(*self.blocks, values[~(is_below | is_above)]),
            below=self.below + int(np.count_nonzero(is_below)),
            above=self.above + int(np.count_nonzero(is_above)),
        )
        if self.holds_all or added.kept <= MOST_HELD:
            return added
        return added.narrow((added.count - 1) // 2, MOST_HELD // 4)

    def find(self, first: int, last: int) -> Floats | None:
        """Return the values of the ranks from ``first`` to ``last``, where 0 is the lowest; None if one is not held."""
        if not self.below <= first <= last < self.below + self.kept:
            return None
        values, below = self._bracket(first - self.below, last - self.below)
        return values[first - self.below - below : last - self.below - below + 1]

    def narrow(self, rank: int, spread: int | None = None) -> Self:
        """Return the collection without the values of ranks that differ from ``rank`` by more than ``spread``.

        ``spread`` is SPREAD by default.
        """
        spread = SPREAD if spread is None else spread
        middle = min(max(0, rank - self.below), self.kept - 1)
        first, last = max(0, middle - spread), min(self.kept - 1, middle + spread)
        if last - first + 1 == self.kept:
            return replace(self, blocks=(np.concatenate(self.blocks),))
        values, below = self._bracket(first, last)
        values = values[first - below : last - below + 1].copy()
        return replace(
            self,
            blocks=(values,),
            below=self.below + first,
            above=self.above + self.kept - last - 1,
            low=values[0] if first else self.low,
            high=values[-1] if last + 1 < self.kept else self.high,
        )

    def _bracket(self, first: int, last: int) -> tuple[Floats, int]:
        """Return sorted values that include those of the held ranks, and the number of lower held values."""
        kept = self.kept
        stride = max(1, kept // SAMPLE)
        sample = np.sort(np.concatenate([block[::stride] for block in self.blocks]))
        margin = len(sample) // 64 + 1
        while True:
            least, greatest = first // stride - margin, last // stride + margin
            low = sample[least] if least >= 0 else -np.inf
            high = sample[greatest] if greatest < len(sample) else np.inf
            inside = np.sort(np.concatenate([block[(block >= low) & (block <= high)] for block in self.blocks]))
            below = sum(int(np.count_nonzero(block < low)) for block in self.blocks)
            if below <= first and last < below + len(inside):
                return inside, below
            margin *= 4


@dataclass(frozen=True)
class Intervals:
    """The paces and spacings of intervals.

    ``counts`` has the number of intervals by spacing below COUNTED_SPACINGS, ``wide`` the other spacings.
    """

    paces: RankedValues = RankedValues()
    counts: Integers = field(default_factory=lambda: np.zeros(1, np.int64))
    wide: RankedValues = RankedValues()

    def add(self, steps: Steps) -> "Intervals":
        """Return the intervals with those of ``steps`` added."""
        iterations = steps.iterations[steps.is_interval]
        narrow = iterations < COUNTED_SPACINGS
        counts = np.bincount(iterations[narrow], minlength=len(self.counts))
        counts[: len(self.counts)] += self.counts
        return Intervals(
            self.paces.add(steps.microseconds[steps.is_interval] / iterations),
            counts,
            self.wide if narrow.all() else self.wide.add(iterations[~narrow].astype(np.float64)),
        )

    def find_usual(self) -> Usual | None:
        """Return the usual pace and spacing, None if they are not among the values held."""
        if not self.paces.count:
            return Usual()
        middle = self.paces.find((self.paces.count - 1) // 2, self.paces.count // 2)
        spacing = self._find_spacing()
        return None if middle is None or spacing is None else Usual(float(middle.mean()), spacing)

    def _find_spacing(self) -> int | None:
        """Return the lower median of the spacings of all intervals."""
        rank = (self.paces.count - 1) // 2
        reached = np.cumsum(self.counts)
        if rank < reached[-1]:
            return int(np.searchsorted(reached, rank, side="right"))
        found = self.wide.find(rank - int(reached[-1]), rank - int(reached[-1]))
        return None if found is None else int(found[0])

    def hold_all(self) -> "Intervals":
        """Return the intervals, from now on with all values, however many are added."""
        return replace(self, paces=replace(self.paces, holds_all=True), wide=replace(self.wide, holds_all=True))

    def narrow(self) -> "Intervals":
        """Return the intervals without values that are far from the medians."""
        if not self.paces.count:
            return self
        rank = (self.paces.count - 1) // 2
        wide = self.wide.narrow(max(0, rank - int(self.counts.sum()))) if self.wide.count else self.wide
        return Intervals(self.paces.narrow(rank), self.counts, wide)
