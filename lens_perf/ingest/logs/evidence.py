"""Chooses the dialect of a log by its head: how many lines each dialect matches, and whether iterations increase."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from lens_perf.ingest.logs.forms import Dialect, Form, Line, Purpose
from lens_perf.ingest.logs.lines import end_line, find_line_starts, split_whole_lines
from lens_perf.ingest.logs.stamps import strip_colours

# Longer lines are not matched: reports of iterations are shorter.
LONGEST_MATCHED = 1 << 16
# The choice needs this many reports, or some within this many bytes after the first match, or else more bytes.
ENOUGH_REPORTS, SOME_REPORTS = 400, 10
ENOUGH_BYTES, MOST_BYTES = 1 << 21, 1 << 24
# A library's dialect is chosen if no other dialect has this share of its reports.
LEAST_SHARE = 0.1
FEW_REPORTS = 3
# Number of lines compared with all templates to find the closest one.
MOST_COMPARED = 500
LONGEST_SHOWN = 120
BLOCK_SIZE = 1 << 20
SHORTEST_MARKER = 4
LONGEST_MARKER = 12


@dataclass
class Tally:
    """How many lines of a log's head a dialect matches."""

    rising: int = 0
    """Reports whose iteration is after the previous one of their form, or that have none."""
    falling: int = 0
    lines: int = 0
    """Lines of all forms."""
    weight: int = 0
    """Literal characters of the templates that matched."""
    last: dict[str, int] = field(default_factory=dict)

    def add(self, line: Line) -> None:
        """Count a line."""
        form, iteration = line.form, line.iteration
        self.lines += 1
        self.weight += max(template.weight for template in form.templates) + sum(map(len, form.contains))
        if not form.reports:
            return
        before = self.last.get(form.name)
        if iteration is not None:
            self.last[form.name] = iteration
        if iteration is None or before is None or iteration > before:
            self.rising += 1
        elif iteration < before:
            self.falling += 1

    @property
    def score(self) -> tuple[int, int, int]:
        """The key for comparison: increasing minus decreasing reports, then all lines, then how specific they are."""
        return max(self.rising - self.falling, 0), self.lines, self.weight


class Evidence:
    """The evidence in the head of a log for its dialect."""

    def __init__(self, dialects: Sequence[Dialect]) -> None:
        self._dialects = dialects
        self.markers = choose_markers(tuple(dialects))
        self._tallies: dict[str, Tally] = {}
        self._bytes = 0

    def take(self, chunk: bytes) -> bool:
        """Examine a chunk of complete lines; return whether any line so far matched a dialect."""
        for text in read_candidates(chunk, self.markers):
            for dialect in self._dialects:
                # Programs of all kinds draw progress bars.
                if (line := dialect.read(text)) and line.form.purpose is not Purpose.PROGRESS:
                    self._tallies.setdefault(dialect.name, Tally()).add(line)
        if self._tallies:
            self._bytes += len(chunk)
        return bool(self._tallies)

    @property
    def is_enough(self) -> bool:
        """Whether the evidence is sufficient for a choice."""
        most = max((tally.rising for tally in self._tallies.values()), default=0)
        return most >= ENOUGH_REPORTS or self._bytes >= (ENOUGH_BYTES if most >= SOME_REPORTS else MOST_BYTES)

    @property
    def may_be_a_library(self) -> bool:
        """Whether only a library has printed so far, and only a little."""
        best = self.choose()
        return best is not None and best.library and self._tallies[best.name].rising < FEW_REPORTS

    def choose(self) -> Dialect | None:
        """Return the dialect that matches the head best, or None if none matches a line."""
        known = [dialect for dialect in self._dialects if dialect.name in self._tallies]
        best = max(known, key=self._score, default=None)
        programs = [dialect for dialect in known if not dialect.library]
        first = max(programs, key=self._score, default=None)
        if best is None or first is None or not best.library:
            return best
        return first if self._score(first)[0] >= LEAST_SHARE * self._score(best)[0] else best

    def _score(self, dialect: Dialect) -> tuple[int, int, int]:
        return self._tallies[dialect.name].score


@lru_cache(maxsize=4)
def choose_markers(dialects: tuple[Dialect, ...]) -> tuple[bytes, ...]:
    """Return a few literals such that each line of the dialects contains one; the whole log is searched for them.

    Those in most templates are chosen first, so that few are enough for all dialects.
    """
    lines = [literals for dialect in dialects for form in dialect.forms for literals in form.list_literals()]
    left = [{each for each in literals if len(each) >= SHORTEST_MARKER} or literals for literals in lines]
    chosen: list[str] = []
    while left:
        counts = Counter(piece for literals in left for piece in set().union(*map(_list_pieces, literals)))
        best = max(counts, key=lambda piece: (counts[piece], len(piece), piece))
        chosen.append(best)
        left = [literals for literals in left if not any(best in literal for literal in literals)]
    return tuple(marker.encode() for marker in chosen)


def _list_pieces(literal: str) -> set[str]:
    """Return the substrings of a literal that can be markers; a short literal is a marker as a whole."""
    lengths = range(min(SHORTEST_MARKER, len(literal)), min(LONGEST_MARKER, len(literal)) + 1)
    return {literal[start : start + length] for length in lengths for start in range(len(literal) - length + 1)}


def read_candidates(chunk: bytes, markers: Iterable[bytes]) -> Iterator[str]:
    """Yield the texts of lines with a marker, without colours; text overwritten by a carriage return is a line."""
    for start in find_line_starts(chunk, markers):
        line = chunk[start : chunk.find(b"\n", start)]
        for _, text in split_overwritten(line):
            yield text


def split_overwritten(line: bytes) -> list[tuple[str, str]]:
    """Return the texts that a line shows successively on a terminal, each with the text that it overwrites."""
    if b"\r" not in line and b"\b" not in line:
        return [("", decode(line))]
    parts, before = [], ""
    for part in line.replace(b"\b", b"\r").split(b"\r"):
        if text := decode(part).rstrip():
            parts.append((before, text))
            before = text
    return parts


def decode(line: bytes) -> str:
    """Return the text of a line up to the maximum length, without colours."""
    return strip_colours(line[: LONGEST_MATCHED + 1].decode("utf-8", "replace"))


def recognise(dialects: Sequence[Dialect], head: bytes) -> Dialect | None:
    """Return the dialect of a log that begins with ``head``, or None."""
    evidence = Evidence(dialects)
    for chunk in split_whole_lines([head[start : start + BLOCK_SIZE] for start in range(0, len(head), BLOCK_SIZE)]):
        if chunk is not None:
            evidence.take(end_line(chunk))
            if evidence.is_enough:
                break
    return evidence.choose()


@dataclass(frozen=True)
class NearMiss:
    """The line that comes closest to a form of a dialect without matching it."""

    dialect: Dialect
    form: Form
    text: str
    characters: int

    def __str__(self) -> str:
        shown = self.text.strip()[:LONGEST_SHOWN]
        return f"nearest is the {self.form.name} of {self.dialect.name}, by the line {shown!r}"


def find_nearest(dialects: Sequence[Dialect], head: bytes) -> NearMiss | None:
    """Return the line of ``head`` that matches the longest part of a report's template."""
    anchors = {
        template.anchor.encode()
        for dialect in dialects
        for form in dialect.forms
        for template in form.templates
        if form.reports and template.anchor
    }
    best: NearMiss | None = None
    for count, text in enumerate(read_candidates(head, anchors)):
        if count == MOST_COMPARED:
            break
        for dialect in dialects:
            for form in dialect.forms:
                characters = max(template.measure(text) for template in form.templates) if form.reports else 0
                if characters > (best.characters if best else 0):
                    best = NearMiss(dialect, form, text, characters)
    return best
