"""The effect of a fault on the service, formatted as a line of a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field

COLUMNS = "{:<34} {:>6} {:>9} {:>6} {:>6} {:>10}  {:<4} {}"
HEADING = COLUMNS.format("fault", "tried", "worst s", "wrong", "slots", "back in s", "", "")


@dataclass
class Finding:
    """One line: number of requests, the slowest answer, wrong answers, lost slots, time to recover.

    ``bound`` is the limit of the slowest answer in seconds; ``failures`` are other promises that were not kept.
    """

    fault: str
    bound: float
    tried: int = 0
    worst: float = 0.0
    wrong: int = 0
    slots: int = 0
    recovered: float | None = None
    notes: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    skipped: str = ""

    @property
    def is_good(self) -> bool:
        """Whether all promises were kept."""
        return not self.wrong and not self.slots and not self.failures and self.worst <= self.bound

    def expect(self, is_so: bool, failure: str) -> None:
        """Add ``failure`` unless ``is_so``."""
        if not is_so:
            self.failures.append(failure)

    def line(self) -> str:
        """Return this finding as a line under ``HEADING``."""
        if self.skipped:
            return COLUMNS.format(self.fault, "", "", "", "", "", "skip", self.skipped)
        recovered = "" if self.recovered is None else f"{self.recovered:.1f}"
        reported = "; ".join([*self.failures, *self.notes])
        mark = "good" if self.is_good else "BAD"
        return COLUMNS.format(
            self.fault, self.tried, f"{self.worst:.2f}", self.wrong, self.slots, recovered, mark, reported
        ).rstrip()


def summarise(findings: Sequence[Finding]) -> str:
    """Return the last line: the faults with broken promises."""
    tried = [finding for finding in findings if not finding.skipped]
    bad = [finding.fault for finding in tried if not finding.is_good]
    return f"{len(tried) - len(bad)} of {len(tried)} as promised" + (f"; not: {', '.join(bad)}" if bad else "")
