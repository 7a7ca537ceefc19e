"""What an import read: counts and examples, formatted for people and for scripts."""

import re
import textwrap
from collections import Counter
from collections.abc import Container
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
    """Input skipped for one reason: how often, and the first few examples.

    ``texts`` are those of the skipped values that are texts, by name.
    """

    count: int = 0
    examples: list[str] = field(default_factory=list)
    texts: dict[str, "Skipped"] = field(default_factory=dict)

    def add(self, example: str | bytes | None, count: int = 1) -> None:
        """Count input, and keep the example if there are few."""
        self.count += count
        if example is not None and len(self.examples) < MOST_EXAMPLES:
            text = example[: 2 * LONGEST_EXAMPLE]
            text = text if isinstance(text, str) else text.decode("utf-8", "replace")
            if shown := make_printable(text).strip()[:LONGEST_EXAMPLE]:
                self.examples.append(shown)

    def leave_out(self, names: Container[str]) -> "Skipped":
        """Return what remains without the texts of ``names``."""
        removed = [texts for name, texts in self.texts.items() if name in names]
        if not removed:
            return self
        known = {example for texts in removed for example in texts.examples}
        examples = [example for example in self.examples if example not in known]
        examples += [each for name, texts in self.texts.items() if name not in names for each in texts.examples]
        # The first texts are also among the examples of the reason.
        distinct = list(dict.fromkeys(examples))[:MOST_EXAMPLES]
        return Skipped(self.count - sum(texts.count for texts in removed), distinct)

    def as_json(self) -> dict[str, Any]:
        """Return the count and the examples as an object for scripts."""
        return {"count": self.count, "examples": self.examples}


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
    """Input that is not a metric of the workload, by reason; also texts that ``list_lost`` may count as lost."""
    lost: dict[str, Skipped] = field(default_factory=dict)
    """Values of the workload that could not be stored, by reason."""
    notes: list[str] = field(default_factory=list)
    """Sentences about the reader's choices: what was recognised, where times and iterations come from."""
    damages: list[Damage] = field(default_factory=list)

    def skip(self, reason: str, example: str | bytes | None = None, count: int = 1) -> None:
        """Count input that is left out because it is not a metric of the workload."""
        self.skipped.setdefault(reason, Skipped()).add(example, count)

    def lose(self, reason: str, example: str | bytes | None = None, count: int = 1) -> None:
        """Count a value of the workload that cannot be stored, which makes the import incomplete."""
        self.lost.setdefault(reason, Skipped()).add(example, count)

    def skip_text(self, reason: str, name: str, example: str | None = None) -> None:
        """Count a text value of ``name``: lost if other values of the name are numbers, else left out."""
        example = name if example is None else example
        self.skip(reason, example)
        self.skipped[reason].texts.setdefault(name, Skipped()).add(example)

    @property
    def texts(self) -> Counter[str]:
        """Number of values that are not numbers, by name."""
        counts = Counter[str]()
        for skipped in self.skipped.values():
            counts.update({name: each.count for name, each in skipped.texts.items()})
        return counts

    @property
    def is_complete(self) -> bool:
        """Whether all data of the workload were read."""
        return not self.damages and not self.list_lost()

    def list_lost(self) -> dict[str, Skipped]:
        """Return the lost values by reason, including texts in metrics that have numbers elsewhere."""
        mixed = sorted(name for name in self.texts if name in self.metrics)
        if not mixed:
            return self.lost
        texts = [skipped.texts[name] for name in mixed for skipped in self.skipped.values() if name in skipped.texts]
        # One for each metric.
        examples = [example for each in texts for example in each.examples[:1]]
        return self.lost | {TEXTS_AMONG_NUMBERS: Skipped(sum(each.count for each in texts), examples[:MOST_EXAMPLES])}

    def list_skipped(self) -> dict[str, Skipped]:
        """Return what was left out by reason, without the texts that are lost."""
        remaining = {reason: skipped.leave_out(self.metrics) for reason, skipped in self.skipped.items()}
        return {reason: skipped for reason, skipped in remaining.items() if skipped.count}

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
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        return plain | {
            "skipped": {reason: skipped.as_json() for reason, skipped in self.list_skipped().items()},
            "lost": {reason: lost.as_json() for reason, lost in self.list_lost().items()},
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
        lines += _format_reasons("left out", self.list_skipped())
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
