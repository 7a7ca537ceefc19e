"""Makes metric names storable in JSONB, which has neither NUL nor unpaired surrogates, and keeps them distinct."""

import re
from collections.abc import Iterable, Iterator

from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation

# A byte that is not UTF-8 is a surrogate between U+DC80 and U+DCFF: Python's surrogateescape.
NOT_STORABLE = re.compile("[\0\ud800-\udfff]")
FIRST_ESCAPED_BYTE, LAST_ESCAPED_BYTE, ESCAPE_BASE = 0xDC80, 0xDCFF, 0xDC00
LONGEST_NAME = 1024
MOST_NOTED = 10
UNNAMED = "unnamed"
TOO_LONG = f"values of metrics with names of more than {LONGEST_NAME:,} characters"


def keep_names_storable(
    observations: Iterable[Observation | Mark], summary: ReadSummary
) -> Iterator[Observation | Mark]:
    """Yield the observations with storable names; ``summary`` notes which names were changed or lost."""
    names = StorableNames(summary)
    for item in observations:
        if isinstance(item, Mark) or item.performance.keys() <= names.unchanged:
            yield item
        elif performance := names.rename(item):
            yield item._replace(performance=performance)


class NamesApart:
    """Returns each name once, and appends a number to repeated ones."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return ``name``, with the lowest number from 2 on appended if it was returned before."""
        free, number = name, self._numbers.get(name, 2)
        while free in self._taken:
            free, number = f"{name}_{number}", number + 1
        self._numbers[name] = number
        self._taken.add(free)
        return free


class StorableNames:
    """Maps the names of an import to distinct stored names.

    Characters that cannot be stored are escaped as in Python's ``repr``. If the result is the name of another metric, a
    number is appended.
    """

    def __init__(self, summary: ReadSummary) -> None:
        self.unchanged: set[str] = set()
        """Names that are stored as they are."""
        self._summary = summary
        self._changed: dict[str, str] = {}
        self._apart = NamesApart()

    def rename(self, observation: Observation) -> dict[str, float | int | str | None]:
        """Return the metrics of an observation under their storable names."""
        renamed = {}
        for name, value in observation.performance.items():
            if len(name) > LONGEST_NAME:
                self._summary.lose(TOO_LONG, name)
            else:
                renamed[self._find(name)] = value
        return renamed

    def _find(self, name: str) -> str:
        if name in self.unchanged:
            return name
        if name not in self._changed:
            stored = self._apart.take(NOT_STORABLE.sub(_escape, name) if name.strip() else UNNAMED)
            if stored == name:
                self.unchanged.add(name)
                return name
            self._changed[name] = stored
            self._note(name, stored)
        return self._changed[name]

    def _note(self, name: str, stored: str) -> None:
        if len(self._changed) <= MOST_NOTED:
            self._summary.note(f"the metric {name!a} is stored as {stored}")
        elif len(self._changed) == MOST_NOTED + 1:
            self._summary.note("further names cannot be stored either, and are written as those above")


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    if FIRST_ESCAPED_BYTE <= code <= LAST_ESCAPED_BYTE:
        code -= ESCAPE_BASE
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two digits or four, as Python's
