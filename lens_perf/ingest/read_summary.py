"""What an import read: counts and examples, and how they are told to people and to scripts."""

import re
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MOST_EXAMPLES = 3
MOST_DAMAGES = 20
LONGEST_EXAMPLE = 120
NOT_PRINTABLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")


def make_printable(text: str) -> str:
    """Return ``text``, which may come from a file, without what would steer the terminal it is shown on."""
    return NOT_PRINTABLE.sub(" ", text)


@dataclass
class Skipped:
    """What was left out for one reason: how often, and the first few cases."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Damage:
    """Where an input is not what was written, and what was found there."""

    path: str
    byte: int
    finding: str

    def __str__(self) -> str:
        return f"{self.path}: damaged at byte {self.byte}: {self.finding}"


@dataclass
class ReadSummary:
    """The findings of one reading, filled in while it goes on."""

    read: Counter[str] = field(default_factory=Counter)
    """How many there were of each kind of thing: lines, events, history rows."""
    records: int = 0
    restarts: int = 0
    first_iteration: int | None = None
    last_iteration: int | None = None
    without_iteration: int = 0
    without_time: int = 0
    non_finite: int = 0
    metrics: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Skipped] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """Choices the reader made, each a sentence: what was recognised, where times and iterations come from."""
    damages: list[Damage] = field(default_factory=list)

    def skip(self, reason: str, example: str | bytes | None = None) -> None:
        """Count something that is left out."""
        skipped = self.skipped.get(reason)
        if skipped is None:
            skipped = self.skipped[reason] = Skipped()
        skipped.count += 1
        if example is not None and len(skipped.examples) < MOST_EXAMPLES:
            text = example if isinstance(example, str) else example.decode("utf-8", "replace")
            if shown := make_printable(text).strip()[:LONGEST_EXAMPLE]:
                skipped.examples.append(shown)

    def note_damage(self, damage: Damage) -> None:
        """Keep a finding of damage, the first of them whole, and count the rest."""
        if len(self.damages) < MOST_DAMAGES:
            self.damages.append(damage)
        else:
            self.skip("further places that are damaged")

    def note(self, sentence: str) -> None:
        """Keep a sentence about a choice, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def note_record(self, iteration: int | None, *, timed: bool) -> None:
        """Count a record and widen the range of iterations."""
        self.records += 1
        self.without_time += not timed
        if iteration is None:
            self.without_iteration += 1
            return
        if self.first_iteration is None or iteration < self.first_iteration:
            self.first_iteration = iteration
        if self.last_iteration is None or iteration > self.last_iteration:
            self.last_iteration = iteration

    def as_json(self) -> dict[str, Any]:
        """Return the findings as an object for scripts; its keys are the names of the fields."""
        # asdict() breaks counters: it makes one of their pairs.
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {
            "skipped": {reason: asdict(skipped) for reason, skipped in self.skipped.items()},
            "damages": [asdict(damage) for damage in self.damages],
        }

    def format(self) -> str:
        """Return a few lines that a person reads in one look."""
        counts = ", ".join(f"{count:,} {what}" for what, count in self.read.items())
        told = [f"read       {counts}", f"records    {self._format_records()}"]
        metrics = [f"{name} {count:,}" for name, count in sorted(self.metrics.items())]
        told += [f"metrics    {len(metrics)}: {', '.join(metrics)}"] if metrics else []
        if self.non_finite:
            told.append(f"not finite {self.non_finite:,} values, kept as texts")
        told += [f"note       {note}" for note in self.notes]
        for reason, skipped in self.skipped.items():
            told.append(f"left out   {skipped.count:,} {reason}")
            told += [f"             {example}" for example in skipped.examples]
        told += [f"WARNING    {damage}" for damage in self.damages]
        return "\n".join(make_printable(line) for line in told)

    def _format_records(self) -> str:
        parts = [f"{self.records:,}"]
        if self.first_iteration is not None:
            parts.append(f"iterations {self.first_iteration} to {self.last_iteration}")
        parts.append(f"{self.restarts} restarts")
        if self.without_iteration:
            parts.append(f"{self.without_iteration:,} without an iteration")
        if self.without_time:
            parts.append(f"{self.without_time:,} without a time")
        return ", ".join(parts)
