"""Dialects of training logs: forms of line, and how each is recognised and split into fields."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from lens_perf.ingest.logs.metric_names import Field, fold_words
from lens_perf.ingest.logs.splitting import NAMED_SPLITTERS, Split, Splitter, split_by, split_json_object
from lens_perf.ingest.logs.templates import Template
from lens_perf.ingest.logs.values import parse_iteration, parse_number


class Purpose(StrEnum):
    """The purpose of a form of line. Only reports can show a restart."""

    REPORT = "report"
    EVALUATION = "evaluation"
    ADDITION = "addition"
    HEADING = "heading"
    PROGRESS = "progress"


# Splitters of fields with an end of their own.
CLOSED = frozenset(NAMED_SPLITTERS.values())
NUMBERS = re.compile(r"[0-9]+")
# Prefixes of launchers.
RANK_AHEAD = re.compile(r"^\[?(?:rank)?[0-9]{1,9}+\]?:(?= )")


@dataclass(frozen=True, slots=True)
class Line:
    """The content of a line; fields have the names and values of the log.

    ``prefix`` is the text before the template, ``label`` names the data of an evaluation, ``done`` is the position of a
    progress bar, ``rest`` are parts that are not fields, and ``tail`` is the text after the fields.
    """

    form: "Form"
    iteration: int | None
    target: int | None
    prefix: str
    fields: list[tuple[str, str]]
    rest: list[str]
    tail: str = ""
    label: str = ""
    done: str = ""


@dataclass(frozen=True, eq=False)
class Form:
    """A form of line.

    A line must have all of ``contains`` and none of ``excludes``. ``splitter`` finds the fields in ``{fields}``,
    ``names`` maps some of them to metrics, ``texts`` are fields without numbers. ``name_prefix`` and ``name_suffix``
    are added to the names of metrics, which ``verbatim`` keeps unchanged and from which the suffix ``drops`` is
    removed. ``iteration_fields`` may contain the iteration, as ``5`` or ``5/40``. Lines below ``first_iteration`` are
    not reports. ``joins_next`` adds the line to the report after it, ``last_counts`` uses the last line of an iteration
    instead of the first. ``field_ahead`` reads one more field from the text before the template, ``whole`` starts the
    fields at the beginning of the template, ``closing`` ends them, and ``continued`` reads one field from each
    following line.
    """

    name: str
    templates: tuple[Template, ...]
    purpose: Purpose = Purpose.REPORT
    splitter: Splitter = field(default=split_by("|", ":"))
    contains: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    names: Mapping[str, Field] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    name_prefix: str = ""
    name_suffix: str = ""
    verbatim: bool = False
    iteration_fields: tuple[str, ...] = ()
    first_iteration: int = 0
    joins_next: bool = False
    last_counts: bool = False
    field_ahead: bool = False
    whole: bool = False
    continued: bool = False
    drops: str = ""
    closing: str = ""

    @property
    def reports(self) -> bool:
        """Whether lines of this form report iterations."""
        return self.purpose is Purpose.REPORT

    @property
    def closed(self) -> bool:
        """Whether the fields have an end of their own, without which there are none."""
        return self.splitter in CLOSED

    def list_literals(self) -> list[set[str]]:
        """Return for each template the literals that all its lines contain."""
        return [{*self.contains, *template.literals} for template in self.templates]

    def read(self, text: str) -> Line | None:
        """Return the content of a line, or None if it does not have this form."""
        if not all(map(text.__contains__, self.contains)) or any(map(text.__contains__, self.excludes)):
            return None
        for template in self.templates:
            if template.marker in text and (found := template.match(text)):
                again = None if self.closed else template.match_again(text, found)
                end = again.start() if again else len(text)
                groups = found.groupdict()
                if "fields" in groups:
                    groups["fields"] = text[found.start() if self.whole else found.start("fields") : end]
                if line := self._read_match(template, groups, text[: found.start()]):
                    return line if again is None else replace(line, tail=f"{line.tail} {text[end:]}")
        return None

    def read_following(self, text: str, lead: str) -> list[tuple[str, str]] | None:
        """Return the fields of a line that continues a report; None if the line does not.

        Such a line is indented. Text that labels every line, such as a time or the name of a pod, precedes the
        indentation, and ``lead``, the text before the report itself, begins with it, too.
        """
        text = RANK_AHEAD.sub("", text).rstrip()
        label, indentation, indented = text.rpartition("  ")
        if label.strip() and indentation:
            if not _without_numbers(lead).startswith(_without_numbers(label)):
                return None
            text = indentation + indented
        if not text.startswith(" "):
            return None
        fields, rest, tail = self.splitter(text)
        return fields if fields and not rest and not tail else None

    def _read_match(self, template: Template, found: Mapping[str, str], prefix: str) -> Line | None:
        fields, rest, tail = self.splitter(self._cut(found["fields"])) if found.get("fields") else Split([], [])
        fields[:0] = [(name, found[group].strip()) for group, name in template.values.items() if "batch" not in found]
        if self.drops:
            fields = [(name.removesuffix(self.drops).rstrip(), value) for name, value in fields]
        if self.field_ahead:
            fields[:0] = find_preceding_field(prefix)
        iteration = parse_iteration(found["iteration"]) if "iteration" in found else None
        target = parse_iteration(found["target"]) if "target" in found else None
        if self.iteration_fields:
            fields, iteration, target = self._take_iteration(fields, iteration, target)
        elif "batch" in found:
            batches = parse_iteration(found["batches"])
            iteration = parse_iteration(found["epoch"]) * batches + parse_iteration(found["batch"])
        damaged = rest and self.splitter is split_json_object
        if not (fields or damaged or self.continued or self.purpose in {Purpose.HEADING, Purpose.PROGRESS}):
            return None
        if iteration is not None and iteration < self.first_iteration:
            return None
        label, done = found.get("label") or "", found.get("done") or ""
        return Line(self, iteration, target, prefix, fields, rest, tail, label, done)

    def _cut(self, fields: str) -> str:
        return fields.rpartition(self.closing)[0] or fields if self.closing else fields

    def _take_iteration(
        self, fields: list[tuple[str, str]], iteration: int | None, target: int | None
    ) -> tuple[list[tuple[str, str]], int | None, int | None]:
        """Return the fields without the one of the iteration, and the iteration."""
        for name in self.iteration_fields:
            for index, (key, value) in enumerate(fields):
                current, _, total = value.partition("/")
                if fold_words(key) == name and (whole := read_whole(current)) is not None:
                    return [*fields[:index], *fields[index + 1 :]], whole, read_whole(total) or target
        return fields, iteration, target


def _without_numbers(label: str) -> str:
    """Return ``label`` stripped and with each number replaced by 0, so that times and ranks are equal on all lines."""
    return NUMBERS.sub("0", label.strip())


def read_whole(text: str) -> int | None:
    """Return the whole number in a text such as ``40``, ``40.0`` or ``1e+06``; None for anything else."""
    if text.isascii() and text.isdigit():
        return parse_iteration(text)
    number = parse_number(text)
    value = number.value if number and not number.unit else None
    return int(value) if isinstance(value, float) and value.is_integer() and value >= 0 else None


def find_preceding_field(prefix: str) -> list[tuple[str, str]]:
    """Return the field at the end of ``prefix``, as in ``samples/sec: 87.5 | ``, if there is one."""
    field, bar, _ = prefix.rstrip().rpartition("|") if prefix.rstrip().endswith("|") else ("", "", "")
    name, value = ["", *field.split()][-2:] if bar and field.strip() else ("", "")
    return [(name.removesuffix(":"), value)] if name.endswith(":") else []


@dataclass(frozen=True, eq=False)
class Dialect:
    """The forms of line that a family of training programs prints.

    ``library`` means that the lines come from a library used by other programs, whose own dialect takes precedence.
    ``reader`` names the reader that turns lines into observations, if their order is not sufficient.
    """

    name: str
    forms: tuple[Form, ...]
    library: bool = False
    reader: str = "iterations"

    def find_cut(self, text: str) -> Form | None:
        """Return the form of a report that is truncated before its fields in ``text``, or None."""
        reports = (form for form in self.forms if form.reports)
        return next((form for form in reports if any(each.is_cut(text) for each in form.templates)), None)

    def read(self, text: str) -> Line | None:
        """Return the content of a line by the first form that matches."""
        for form in self.forms:
            if line := form.read(text):
                return line
        return None
