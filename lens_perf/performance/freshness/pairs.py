"""Sets of pairs (data source, iteration), stored as ranges, because the iterations of a workload are consecutive."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from lens_perf.performance.freshness.tokens import NotATokenError

Pair = tuple[str | None, int | None]
Range = tuple[int, int]
INT32 = range(-(2**31), 2**31)
# Maximum number of pairs in a token. Without a limit, a forged token could represent billions of pairs.
MOST_PAIRS = 100_000
# The lengths of a run in a token: first and last iteration, and the step unless it is 1.
PLAIN, EVEN = 2, 3


@dataclass(frozen=True)
class Pairs:
    """A set of pairs: disjoint inclusive ranges of iterations by data source, and the sources of pairs without one."""

    ranges: Mapping[str | None, tuple[Range, ...]] = field(default_factory=dict)
    without_iteration: frozenset[str | None] = frozenset()

    @classmethod
    def of(cls, pairs: Iterable[Pair]) -> Self:
        """Return the set of ``pairs``."""
        iterations: dict[str | None, list[Range]] = {}
        without = set()
        for source, iteration in pairs:
            if iteration is None:
                without.add(source)
            else:
                iterations.setdefault(source, []).append((iteration, iteration))
        return cls({source: _merge(ranges) for source, ranges in iterations.items()}, frozenset(without))

    @classmethod
    def parse(cls, values: Any) -> Self | None:
        """Return the set from the result of ``write``, or None for None. Raises NotATokenError."""
        if values is None:
            return None
        try:
            runs, without = values
            pairs = cls({source: _parse_runs(each) for source, each in runs}, frozenset(without))
        except (TypeError, ValueError):
            raise NotATokenError from None
        if pairs.size > MOST_PAIRS:
            raise NotATokenError
        if not all(source is None or type(source) is str for source in pairs.sources):
            raise NotATokenError
        return pairs

    def write(self) -> list[Any]:
        """Return the set as JSON values for a token."""
        runs = [[source, _write_runs(ranges)] for source, ranges in self.ranges.items()]
        return [runs, sorted(self.without_iteration, key=str)]

    def __or__(self, other: "Pairs") -> "Pairs":
        sources = dict.fromkeys([*self.ranges, *other.ranges])
        ranges = {source: _merge([*self.ranges.get(source, ()), *other.ranges.get(source, ())]) for source in sources}
        return Pairs(ranges, self.without_iteration | other.without_iteration)

    def __iter__(self) -> Iterator[Pair]:
        for source, ranges in self.ranges.items():
            for first, last in ranges:
                yield from ((source, iteration) for iteration in range(first, last + 1))
        yield from ((source, None) for source in self.without_iteration)

    def __bool__(self) -> bool:
        return bool(self.ranges or self.without_iteration)

    @property
    def sources(self) -> list[str | None]:
        """The distinct data sources."""
        return list(dict.fromkeys([*self.ranges, *self.without_iteration]))

    @property
    def size(self) -> int:
        """The number of pairs."""
        spans = (last - first + 1 for ranges in self.ranges.values() for first, last in ranges)
        return sum(spans) + len(self.without_iteration)


def _merge(ranges: Iterable[Range]) -> tuple[Range, ...]:
    merged: list[Range] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = merged[-1][0], max(last, merged[-1][1])
        else:
            merged.append((first, last))
    return tuple(merged)


def _write_runs(ranges: Sequence[Range]) -> list[list[int]]:
    """Return ``ranges`` as runs for a token. Evenly spaced single iterations become one run with a step."""
    runs: list[list[int]] = []
    for first, last in ranges:
        run = runs[-1] if runs else []
        if first == last and len(run) == EVEN and first - run[1] == run[2]:
            run[1] = first
        elif first == last and len(run) == PLAIN and run[0] == run[1]:
            run[1:] = first, first - run[0]
        else:
            runs.append([first, last])
    return runs


def _parse_runs(runs: Sequence[Sequence[int]]) -> tuple[Range, ...]:
    """Return the ranges from the result of ``_write_runs``. Raises NotATokenError, TypeError, ValueError."""
    ranges: list[Range] = []
    for first, last, *steps in runs:
        if not all(type(each) is int for each in (first, last, *steps)):
            raise NotATokenError
        if first > last or first not in INT32 or last not in INT32:
            raise NotATokenError
        if not steps:
            ranges.append((first, last))
            continue
        (step,) = steps
        iterations = range(first, last + 1, step)
        if step < 1 or len(iterations) + len(ranges) > MOST_PAIRS:
            raise NotATokenError
        ranges += [(iteration, iteration) for iteration in iterations]
    return tuple(ranges)
