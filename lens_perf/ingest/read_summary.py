"""What an import read: counts and examples, formatted for people and for scripts."""

import re
import textwrap
from collections import Counter
from dataclasses import asdict, dataclass, field, fields
from typing import Any

MOST_EXAMPLES = 3
MOST_DAMAGES = 20
MOST_NOTES = 100
LONGEST_EXAMPLE = 120
LINE_WIDTH = 100
TEXTS_AMONG_NUMBERS = "values that are not numbers, of metrics that have numbers elsewhere"
COLOUR_CODE = re.compile(r"\x1b\[[0-9;?]*+[A-Za-z]")


def make_printable(text: str) -> str:
    """Return ``text`` with spaces for characters that are not safe or visible on a terminal.

    These are control characters, characters that change the direction of text or are invisible, and those that cannot
    be encoded: Unicode's categories Cc, Cf, Cs, Co, Cn, Zl and Zp.
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in COLOUR_CODE.sub(" ", text))


def format_count(count: int, nouns: str) -> str:
    """Return a number and what it counts, ``nouns``, which is in the plural."""
    if count == 1:
        nouns = nouns.removesuffix("ies") + "y" if nouns.endswith("ies") else nouns.removesuffix("s")
    return f"{count:,} {nouns}"


@dataclass
class Skipped:
    """Input skipped for one reason: how often, and the first few examples."""

    count: int = 0
    examples: list[str] = field(default_factory=list)


def _count(reasons: dict[str, Skipped], reason: str, example: str | bytes | None, count: int = 1) -> None:
    skipped = reasons.get(reason)
    if skipped is None:
        skipped = reasons[reason] = Skipped()
    skipped.count += count
    if example is not None and len(skipped.examples) < MOST_EXAMPLES:
        text = example[: 2 * LONGEST_EXAMPLE]
        text = text if isinstance(text, str) else text.decode("utf-8", "replace")
        if shown := make_printable(text).strip()[:LONGEST_EXAMPLE]:
            skipped.examples.append(shown)


def _format_reasons(word: str, reasons: dict[str, Skipped]) -> list[str]:
    lines: list[str] = []
    for reason, skipped in reasons.items():
        # Behind the reason, the number needs no singular.
        lines.append(f"{word:<10} {reason}: {skipped.count:,}")
        lines += [f"             {example}" for example in skipped.examples]
    return lines


def _wrap(line: str) -> list[str]:
    """Return ``line`` as lines of at most ``LINE_WIDTH`` characters, with a hanging indent."""
    return textwrap.wrap(line, LINE_WIDTH, subsequent_indent=" " * 11, break_long_words=False, break_on_hyphens=False)


@dataclass(frozen=True)
class Damage:
    """Damage in an input: the file, the byte, and what was found there."""

    path: str
    byte: int
    finding: str

    def __str__(self) -> str:
        return f"{self.path}: damaged at byte {self.byte}: {self.finding}"


@dataclass
class ReadSummary:
    """What an import has read so far; readers add to it."""

    read: Counter[str] = field(default_factory=Counter)
    """Number of units read, by kind: lines, events, history rows."""
    records: int = 0
    restarts: int = 0
    first_iteration: int | None = None
    last_iteration: int | None = None
    without_iteration: int = 0
    without_time: int = 0
    non_finite: int = 0
    metrics: Counter[str] = field(default_factory=Counter)
    rounded: int = 0
    """Number of decimals with more digits than a 64-bit float keeps."""
    skipped: dict[str, Skipped] = field(default_factory=dict)
    """Input that is not a metric of the workload, by reason."""
    lost: dict[str, Skipped] = field(default_factory=dict)
    """Values of the workload that could not be stored, by reason."""
    texts: Counter[str] = field(default_factory=Counter)
    """Number of values that are not numbers, by name."""
    notes: list[str] = field(default_factory=list)
    """Sentences about the reader's choices: what was recognised, where times and iterations come from."""
    damages: list[Damage] = field(default_factory=list)

    def skip(self, reason: str, example: str | bytes | None = None, count: int = 1) -> None:
        """Count input that is left out because it is not a metric of the workload."""
        _count(self.skipped, reason, example, count)

    def lose(self, reason: str, example: str | bytes | None = None, count: int = 1) -> None:
        """Count a value of the workload that cannot be stored, which makes the import incomplete."""
        _count(self.lost, reason, example, count)

    def skip_text(self, reason: str, name: str, example: str | None = None) -> None:
        """Count a text value of ``name``: lost if other values of the name are numbers, else left out."""
        self.texts[name] += 1
        self.skip(reason, name if example is None else example)

    @property
    def is_complete(self) -> bool:
        """Whether all data of the workload were read."""
        return not self.damages and not self.list_lost()

    def list_lost(self) -> dict[str, Skipped]:
        """Return the lost values by reason, including texts in metrics that have numbers elsewhere."""
        mixed = {name: count for name, count in self.texts.items() if name in self.metrics}
        if not mixed:
            return self.lost
        examples = [make_printable(name)[:LONGEST_EXAMPLE] for name in sorted(mixed)]
        return self.lost | {TEXTS_AMONG_NUMBERS: Skipped(sum(mixed.values()), examples[:MOST_EXAMPLES])}

    def note_damage(self, damage: Damage) -> None:
        """Keep the first findings of damage, and count the rest."""
        if len(self.damages) < MOST_DAMAGES:
            self.damages.append(damage)
        else:
            self.skip("more damaged places")

    def note(self, sentence: str) -> None:
        """Keep a sentence about a choice, once, up to a maximum number."""
        if len(self.notes) < MOST_NOTES and sentence not in self.notes:
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
        # asdict() breaks counters: it builds a Counter of their items.
        plain = {each.name: getattr(self, each.name) for each in fields(self) if each.name != "texts"}
        return plain | {
            "skipped": {reason: asdict(skipped) for reason, skipped in self.skipped.items()},
            "lost": {reason: asdict(lost) for reason, lost in self.list_lost().items()},
            "damages": [asdict(damage) for damage in self.damages],
        }

    def format(self) -> str:
        """Return a short report for people."""
        counts = ", ".join(format_count(count, what) for what, count in self.read.items())
        lines = [f"read       {counts}", f"records    {self._format_records()}"]
        metrics = [f"{name} {count:,}" for name, count in sorted(self.metrics.items())]
        lines += _wrap(f"metrics    {len(metrics):,}: {', '.join(metrics)}") if metrics else []
        if self.non_finite:
            lines.append(f"not finite {format_count(self.non_finite, 'values')}, stored as text")
        if self.rounded:
            lines.append(
                f"rounded    {format_count(self.rounded, 'decimals')} to the nearest 64-bit float, which keeps up to 17"
                " digits"
            )
        lines += [f"note       {note}" for note in self.notes]
        lines += _format_reasons("left out", self.skipped)
        lines += _format_reasons("LOST", self.list_lost())
        lines += [f"WARNING    {damage}" for damage in self.damages]
        return "\n".join(make_printable(line) for line in lines)

    def _format_records(self) -> str:
        parts = [f"{self.records:,}"]
        if self.first_iteration is not None:
            parts.append(f"iterations {self.first_iteration:,} to {self.last_iteration:,}")
        parts.append(format_count(self.restarts, "restarts"))
        if self.without_iteration:
            parts.append(f"{self.without_iteration:,} without an iteration")
        if self.without_time:
            parts.append(f"{self.without_time:,} without a time")
        return ", ".join(parts)
