"""Decides which values of a line without a line end are complete: a program may have been killed while it printed."""

import re
from collections import deque

from lens_perf.ingest.logs.forms import Dialect, Form, Line
from lens_perf.ingest.logs.splitting import split_python_dictionary
from lens_perf.ingest.read_summary import ReadSummary

CUT_OFF = "iteration lines without fields, perhaps cut off"
FEWER_FIELDS = "last lines with fewer fields than those before, and without a line end, perhaps cut off"
LAST_VALUE = "values at the end of a last line without a line end, perhaps cut off"
# Number of lines of each form with which its last line is compared: not all lines of a form have the same fields.
MOST_COMPARED = 4
# Other texts have braces, too.
DICTIONARY_BEGINNING = "{'"
# What is behind the last digit: a unit, a bracket.
ENDING = re.compile(r"[^0-9]*+\Z")


class LineEnds:
    """Compares an incomplete last line with those before it.

    What it lacks is lost, but left out of a file that is ``growing``, where the next import finds it.
    """

    def __init__(self, summary: ReadSummary, *, growing: bool) -> None:
        self._count = summary.skip if growing else summary.lose
        self._latest: dict[str, deque[Line]] = {}

    def note(self, line: Line) -> None:
        """Keep a complete line for comparison."""
        latest = self._latest.get(line.form.name)
        if latest is None:
            latest = self._latest[line.form.name] = deque(maxlen=MOST_COMPARED)
        latest.append(line)

    def cut(self, line: Line, text: str) -> None:
        """Remove the last value of ``line`` if ``text``, which has no line end, may end within it; count what is lost.

        It is complete if text follows it, or if it ends like its field in the lines before, with the same unit. An
        incomplete object has no complete values.
        """
        form = line.form
        if form.closed and line.rest:
            self._count(CUT_OFF, text)
            line.rest.clear()
        if form.closed or (form.closing and text.rstrip().endswith(form.closing)):
            return
        if any(text.endswith(str(number)) for number in self._list_iterations(line)):
            self._count(LAST_VALUE, text)
            line.fields.clear()
        elif line.fields and not line.tail and text.endswith(line.fields[-1][1]) and not self._ends_as_before(line):
            self._count(LAST_VALUE, ": ".join(line.fields.pop()))
            if form.last_counts:  # the line before it counts
                line.fields.clear()
        elif self._lacks_fields(line):
            self._count(FEWER_FIELDS, text)

    def count_cut(self, dialect: Dialect, text: str) -> bool:
        """Return whether ``text``, no line of ``dialect`` and without a line end, begins a report, which is counted."""
        reports = (form for form in dialect.forms if form.reports)
        templates = (
            template
            for form in reports
            if form.splitter is not split_python_dictionary or DICTIONARY_BEGINNING in text
            for template in form.templates
        )
        if not any(template.breaks_off(text) for template in templates):
            return False
        self._count(CUT_OFF, text)
        return True

    def _list_iterations(self, line: Line) -> list[int]:
        """Return the numbers among the fields that are not metrics: those of the iteration."""
        numbers = (line.iteration, line.target) if line.form.iteration_fields else ()
        return [number for number in numbers if number is not None]

    def _ends_as_before(self, line: Line) -> bool:
        name, value = line.fields[-1]
        ending = _find_ending(value)
        before = (dict(earlier.fields).get(name, "") for earlier in self._find_latest(line.form))
        return ending != "" and any(ending == _find_ending(each) for each in before)

    def _lacks_fields(self, line: Line) -> bool:
        names = [name for name, _ in line.fields]
        latest = [[name for name, _ in earlier.fields] for earlier in self._find_latest(line.form)]
        return names not in latest and any(each[: len(names)] == names for each in latest)

    def _find_latest(self, form: Form) -> deque[Line]:
        return self._latest.get(form.name, deque())


def _find_ending(value: str) -> str:
    found = ENDING.search(value)
    return found.group() if found else ""
