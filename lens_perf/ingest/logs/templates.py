"""Templates of log lines: literal text with placeholders, compiled so that matching one takes linear time.

A template becomes a literal, found by ``str.find``, and a pattern that is matched there. The pattern has only
possessive quantifiers over single characters, so it never backtracks.
"""

import re
from dataclasses import dataclass
from functools import cached_property

# Maximum number of positions in a line at which a template is tried, to bound the time.
MOST_TRIES = 8

NUMBER = r"[0-9]++"
PLACEHOLDERS = {
    "iteration": NUMBER,
    "target": NUMBER,
    "step": NUMBER,
    "epoch": NUMBER,
    "batch": NUMBER,
    "batches": NUMBER,
    "done": NUMBER,
    "fields": r".*+",
    "value": None,
    "label": None,
    "any": None,
}
"""Patterns of the placeholders; None means text up to the next part of the template."""
REPEATABLE = frozenset({"any", "value"})
LAST_VALUE = r"\S++"

TOKEN = re.compile(r"\{(?P<same>=?+)(?P<name>[a-z]++)(?: (?P<field>[^{}]++))?+\}|(?P<text>(?:[^{}]|\{\{|\}\})++)")


class TemplateError(ValueError):
    """A template that cannot be compiled; the message says why."""


@dataclass(frozen=True)
class Literal:
    """Text that matches itself; blanks at its ends match any number of blanks."""

    text: str

    @property
    def core(self) -> str:
        """The text without blanks at its ends."""
        return self.text.strip(" ")


@dataclass(frozen=True)
class Placeholder:
    """A part of a line to be captured.

    ``same`` requires the text that the placeholder of that name has captured. ``field`` is the field of a value.
    """

    name: str
    same: bool = False
    field: str = ""


Part = Literal | Placeholder


@dataclass(frozen=True)
class Template:
    """A line as a program prints it, such as ``iteration {iteration}/{target} | {fields}``."""

    text: str
    parts: tuple[Part, ...]

    @cached_property
    def anchor(self) -> str:
        """The literal that is searched in the line; empty if the template must match at the beginning of the line."""
        first = self.parts[0]
        return first.core if isinstance(first, Literal) else ""

    @cached_property
    def literals(self) -> tuple[str, ...]:
        """The literals, which every line of the template contains."""
        return tuple(part.core for part in self.parts if isinstance(part, Literal) and part.core)

    @cached_property
    def marker(self) -> str:
        """The longest literal."""
        return max(self.literals, key=len)

    @cached_property
    def values(self) -> dict[str, str]:
        """The groups of the pattern that are values, with their fields."""
        found = {}
        for index, part in enumerate(self.parts):
            if isinstance(part, Placeholder) and not part.same and part.name in {"value", "step", "epoch"}:
                found[_name_group(part, index)] = part.field or part.name
        return found

    @cached_property
    def weight(self) -> int:
        """The number of literal characters: of two matching templates, the one with more is more specific."""
        return sum(map(len, self.literals))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern that is matched at an anchor."""
        return re.compile(self.pattern_of(len(self.parts)))

    def pattern_of(self, count: int) -> str:
        """Return the pattern of the first ``count`` parts."""
        ahead = "" if self.anchor else r"\s*+"
        return ahead + "".join(_compile_part(self.parts, index) for index in range(count))

    @cached_property
    def cut_pattern(self) -> re.Pattern[str] | None:
        """The pattern of a line that ends after its iteration and target; None for a template without them."""
        names = [getattr(part, "name", "") for part in self.parts]
        if names[-1] != "fields" or "target" not in names:
            return None
        last = max(index for index, name in enumerate(names[:-1]) if name)
        return re.compile(self.pattern_of(last + 1) + r"\s*+\|?+\s*+\Z")

    def is_cut(self, text: str) -> bool:
        """Return whether ``text`` is truncated before the fields of the template."""
        return self.cut_pattern is not None and self._match(self.cut_pattern, text) is not None

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        """Return the first match of the template from ``start`` on, at a limited number of positions."""
        return self._match(self.pattern, text, start)

    def match_again(self, text: str, found: re.Match[str]) -> re.Match[str] | None:
        """Return the match of another line of the template after the iteration of ``found``, or None."""
        if not self.anchor or "iteration" not in self.pattern.groupindex:
            return None
        return self.match(text, found.end("iteration"))

    def measure(self, text: str) -> int:
        """Return the number of literal characters that match from the beginning, if more than the first part does."""
        for count in range(len(self.parts), 1, -1):
            if self._match(re.compile(self.pattern_of(count)), text):
                return sum(len(part.core) for part in self.parts[:count] if isinstance(part, Literal))
        return 0

    def breaks_off(self, text: str) -> bool:
        """Return whether ``text`` ends within a line of the template, after the first part."""
        for count in range(len(self.parts), 1, -1):
            if found := self._match(re.compile(self.pattern_of(count)), text):
                left, following = text[found.end() :].strip(), self.parts[count : count + 1]
                return not left or any(isinstance(each, Literal) and each.core.startswith(left) for each in following)
        return False

    def _match(self, pattern: re.Pattern[str], text: str, start: int = 0) -> re.Match[str] | None:
        anchor = self.anchor
        if not anchor:
            return pattern.match(text)
        start -= 1
        for _ in range(MOST_TRIES):
            start = text.find(anchor, start + 1)
            if start < 0:
                return None
            # "step" in "global_step" is another word.
            if start and _is_in_a_word(text[start - 1], anchor[0]):
                continue
            if found := pattern.match(text, start):
                return found
        return None


def compile_template(text: str) -> Template:
    """Return the template. Raises TemplateError."""
    parts: list[Part] = []
    position = 0
    while position < len(text):
        token = TOKEN.match(text, position)
        if token is None:
            raise TemplateError(f"character {position + 1}: a brace must be doubled, or enclose a placeholder's name")
        parts.append(_read_token(token, parts))
        position = token.end()
    _check_parts(parts)
    return Template(text, tuple(parts))


def _read_token(token: re.Match[str], before: list[Part]) -> Part:
    if token["text"]:
        return Literal(token["text"].replace("{{", "{").replace("}}", "}"))
    name = token["name"]
    if token["same"]:
        if not any(isinstance(part, Placeholder) and part.name == name for part in before):
            raise TemplateError(f"{{={name}}}: no {{{name}}} is before it")
        return Placeholder(name, same=True)
    if name not in PLACEHOLDERS:
        raise TemplateError(f"{{{name}}}: is not a placeholder; expected one of {', '.join(PLACEHOLDERS)}")
    if (name == "value") != bool(token["field"]):
        raise TemplateError(f"{{{name}}}: only a value has the name of its field beside it, as in {{value loss}}")
    return Placeholder(name, field=token["field"] or "")


def _check_parts(parts: list[Part]) -> None:
    if not any(isinstance(part, Literal) and part.core for part in parts):
        raise TemplateError("expected some literal text, by which a line is found")
    if isinstance(parts[0], Literal) and not parts[0].core:
        raise TemplateError("must not begin with blanks")
    names = [
        part.name for part in parts if isinstance(part, Placeholder) and not part.same and part.name not in REPEATABLE
    ]
    if len(set(names)) < len(names):
        raise TemplateError("has a placeholder twice; only {any} and {value} may repeat")
    for index, part in enumerate(parts):
        following = parts[index + 1] if index + 1 < len(parts) else None
        if not isinstance(part, Placeholder) or part.same:
            continue
        if part.name == "fields" and following is not None:
            raise TemplateError("{fields} must stand at the end: it takes the rest of the line")
        open_ended = PLACEHOLDERS[part.name] is None and not (part.name == "value" and following is None)
        if open_ended and not (isinstance(following, Literal) and following.core):
            raise TemplateError(f"{{{part.name}}}: expected literal text behind it, which ends it")


def _compile_part(parts: tuple[Part, ...], index: int) -> str:
    part = parts[index]
    if isinstance(part, Placeholder):
        return _compile_placeholder(parts, index, part)
    if not part.core:
        return r"\s++"
    ahead = r"\s*+" if part.text.startswith(" ") else ""
    behind = r"\s*+" if part.text.endswith(" ") else ""
    return f"{ahead}{re.escape(part.core)}{behind}"


def _compile_placeholder(parts: tuple[Part, ...], index: int, part: Placeholder) -> str:
    if part.same:
        return f"(?P={part.name})"
    following = parts[index + 1] if index + 1 < len(parts) else None
    pattern = PLACEHOLDERS[part.name] or (_compile_until(following) if following else LAST_VALUE)
    return pattern if part.name == "any" else f"(?P<{_name_group(part, index)}>{pattern})"


def _name_group(part: Placeholder, index: int) -> str:
    return f"value_{index}" if part.name == "value" else part.name


def _compile_until(following: Part) -> str:
    """Return the pattern of text that ends where ``following``, a literal, begins."""
    return f"(?:(?!{re.escape(following.core)}).)*+" if isinstance(following, Literal) else ""


def _is_in_a_word(before: str, first: str) -> bool:
    return (before.isalnum() or before in "_/.") and (first.isalnum() or first == "_")
