"""What an import read: counts and examples, and how they are told."""

from collections import Counter
from dataclasses import dataclass, field

MOST_EXAMPLES = 3


@dataclass
class Skipped:
    """What was left out for one reason: how often, and the first few cases."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass
class ReadSummary:
    """The findings of one reading, filled in while it goes on."""

    lines: int = 0
    records: int = 0
    restarts: int = 0
    first_iteration: int | None = None
    last_iteration: int | None = None
    non_finite: int = 0
    without_time: int = 0
    time_basis: str = "the log's own times, taken as UTC"
    metrics: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Skipped] = field(default_factory=dict)

    def skip(self, reason: str, example: str | None = None) -> None:
        """Count something that is left out."""
        skipped = self.skipped.setdefault(reason, Skipped())
        skipped.count += 1
        if example is not None and len(skipped.examples) < MOST_EXAMPLES:
            skipped.examples.append(example.strip()[:120])

    def note_iteration(self, iteration: int) -> None:
        """Widen the range of iterations."""
        self.records += 1
        if self.first_iteration is None or iteration < self.first_iteration:
            self.first_iteration = iteration
        if self.last_iteration is None or iteration > self.last_iteration:
            self.last_iteration = iteration

    def format(self) -> str:
        """Return a few lines that a person reads in one look."""
        span = f"iterations {self.first_iteration} to {self.last_iteration}"
        told = [
            f"read {self.lines} lines: {self.records} records, {span}, {self.restarts} restarts",
            f"times: {self.time_basis}" + (f"; {self.without_time} records without" if self.without_time else ""),
            f"metrics: {', '.join(f'{name} {count}' for name, count in sorted(self.metrics.items()))}",
        ]
        if self.non_finite:
            told.append(f"values that are not finite: {self.non_finite}, kept as texts")
        for reason, skipped in self.skipped.items():
            told.append(f"skipped: {skipped.count} {reason}")
            told += [f"    {example}" for example in skipped.examples]
        return "\n".join(told)
