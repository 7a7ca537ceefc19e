"""Counts the steps that a backtracking matcher takes for a pattern, and generates texts for which a bad one takes many.

The standard library's matcher does not count its steps, and times vary on a busy machine. This one reads the
same parsed pattern and takes the same paths, without optimisations: one step for each compared character.
"""

import re
import re._constants as ops
import re._parser as parser
from collections.abc import Callable, Iterator, Sequence
from typing import Any

Item = tuple[Any, Any]
After = Callable[[int], bool]

# Characters of all classes that the patterns distinguish.
PALETTE = "0a_ :|,'\"\\[(-=/.%\x1b"
# Maximum number of characters of the pattern that texts contain in addition.
MOST_LITERALS = 6
CATEGORIES: dict[Any, Callable[[str], bool]] = {
    ops.CATEGORY_DIGIT: str.isdigit,
    ops.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    ops.CATEGORY_SPACE: str.isspace,
    ops.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    ops.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    ops.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}
SINGLE = {ops.LITERAL, ops.NOT_LITERAL, ops.ANY, ops.IN}


class TooManyStepsError(Exception):
    """The limit of steps was exceeded."""


class StepCounter:
    """Matches one pattern and counts the steps."""

    def __init__(self, pattern: re.Pattern[Any]) -> None:
        source = pattern.pattern
        text = source.decode("latin-1") if isinstance(source, bytes) else source
        flags = pattern.flags if isinstance(source, str) else pattern.flags | re.UNICODE
        self.parsed: list[Item] = list(parser.parse(text, flags & ~re.DEBUG))
        self._ignores_case = bool(pattern.flags & re.IGNORECASE)
        self._dot_all = bool(pattern.flags & re.DOTALL)

        self._matchers: dict[Any, Callable[[Any, Any, int, After], bool]] = {
            ops.BRANCH: self._match_branch,
            ops.SUBPATTERN: self._match_group,
            ops.MAX_REPEAT: self._match_repeat,
            ops.MIN_REPEAT: self._match_repeat,
            ops.POSSESSIVE_REPEAT: self._match_repeat,
            ops.ATOMIC_GROUP: self._match_atomic,
            ops.ASSERT: self._match_look,
            ops.ASSERT_NOT: self._match_look,
            ops.GROUPREF: self._match_reference,
            ops.AT: self._match_place,
        }

    def match(self, text: str, position: int) -> int | None:
        """Return where the match at ``position`` ends, or None."""
        self._text, self._steps, self._limit, self._groups = text, 0, 10**6, dict[int, str]()
        return self._find_end(self.parsed, position)

    def count(self, text: str, *, search: bool, whole: bool = False, limit: int = 10**6) -> int:
        """Return the steps of one match at the beginning of ``text``, or of searching all of it for all matches."""
        self._text, self._steps, self._limit, self._groups = text, 0, limit, dict[int, str]()
        position = 0
        while position <= len(text):
            end: list[int] = []
            found = self._match(self.parsed, 0, position, lambda here, end=end: self._ends(here, end, whole=whole))
            if not search:
                break
            position = max(end[0], position + 1) if found else position + 1
        return self._steps

    def _ends(self, position: int, end: list[int], *, whole: bool) -> bool:
        if whole and position != len(self._text):
            return False
        end.append(position)
        return True

    def _step(self) -> None:
        self._steps += 1
        if self._steps > self._limit:
            raise TooManyStepsError

    def _match(self, items: Sequence[Item], index: int, position: int, after: After) -> bool:
        while index < len(items) and items[index][0] in SINGLE:
            self._step()
            if position >= len(self._text) or not self.accepts(items[index], self._text[position]):
                return False
            position, index = position + 1, index + 1
        if index == len(items):
            return after(position)
        op, argument = items[index]
        return self._match_item(op, argument, position, lambda here: self._match(items, index + 1, here, after))

    def _match_item(self, op: Any, argument: Any, position: int, after: After) -> bool:
        self._step()
        return self._matchers[op](op, argument, position, after)

    def _match_branch(self, _: Any, argument: Any, position: int, after: After) -> bool:
        return any(self._match(list(branch), 0, position, after) for branch in argument[1])

    def _match_atomic(self, _: Any, argument: Any, position: int, after: After) -> bool:
        end = self._find_end(list(argument), position)
        return end is not None and after(end)

    def _match_look(self, op: Any, argument: Any, position: int, after: After) -> bool:
        return self._looks(argument, position) is (op is ops.ASSERT) and after(position)

    def _match_place(self, _: Any, argument: Any, position: int, after: After) -> bool:
        return self._is_at(argument, position) and after(position)

    def _match_group(self, _: Any, argument: Any, position: int, after: After) -> bool:
        number, _add_flags, _del_flags, items = argument

        def close(end: int) -> bool:
            self._groups[number] = self._text[position:end]
            return after(end)

        return self._match(list(items), 0, position, close)

    def _match_reference(self, _: Any, number: int, position: int, after: After) -> bool:
        value = self._groups[number]
        for _char in value:
            self._step()
        return self._text.startswith(value, position) and after(position + len(value))

    def _find_end(self, items: list[Item], position: int) -> int | None:
        end: list[int] = []
        return end[0] if self._match(items, 0, position, lambda here: self._ends(here, end, whole=False)) else None

    def _looks(self, argument: Any, position: int) -> bool:
        direction, items = argument
        if direction > 0:
            return self._find_end(list(items), position) is not None
        width = items.getwidth()[0]
        return position >= width and self._find_end(list(items), position - width) is not None

    def _match_repeat(self, op: Any, argument: Any, position: int, after: After) -> bool:
        least, most, items = argument
        body = list(items)
        if op is ops.POSSESSIVE_REPEAT:
            count = 0
            while count < most and (end := self._find_end(body, position)) is not None:
                count += 1
                if end == position:
                    break
                position = end
            return count >= least and after(position)
        if len(body) == 1 and body[0][0] in SINGLE:
            return self._match_run(op, argument, body[0], position, after)

        def again(count: int, here: int) -> bool:
            def more() -> bool:
                return count < most and self._match(
                    body, 0, here, lambda end: (end > here or count < least) and again(count + 1, end)
                )

            if op is ops.MIN_REPEAT:
                return (count >= least and after(here)) or more()
            return more() or (count >= least and after(here))

        return again(0, position)

    def _match_run(self, op: Any, argument: Any, item: Item, position: int, after: After) -> bool:
        least, most, _ = argument
        longest = 0
        while longest < most and position + longest < len(self._text):
            self._step()
            if not self.accepts(item, self._text[position + longest]):
                break
            longest += 1
        lengths = range(least, longest + 1)
        for length in lengths if op is ops.MIN_REPEAT else reversed(lengths):
            self._step()
            if after(position + length):
                return True
        return False

    def accepts(self, item: Item, char: str) -> bool:
        """Return whether a single-character item accepts ``char``."""
        op, argument = item
        if op is ops.ANY:
            return self._dot_all or char != "\n"
        if op in {ops.LITERAL, ops.NOT_LITERAL}:
            same = chr(argument) in ({char.lower(), char.upper()} if self._ignores_case else {char})
            return same is (op is ops.LITERAL)
        negated = bool(argument) and argument[0][0] is ops.NEGATE
        return any(self._is_in(each, char) for each in argument if each[0] is not ops.NEGATE) is not negated

    def _is_in(self, item: Item, char: str) -> bool:
        op, argument = item
        if op is ops.CATEGORY:
            return CATEGORIES[argument](char)
        if op is ops.RANGE:
            low, high = argument
            return low <= ord(char) <= high
        return self.accepts(item, char)

    def _is_at(self, where: Any, position: int) -> bool:
        if where in {ops.AT_BEGINNING, ops.AT_BEGINNING_STRING}:
            return position == 0
        if where in {ops.AT_END, ops.AT_END_STRING}:
            return position == len(self._text)
        before = position > 0 and CATEGORIES[ops.CATEGORY_WORD](self._text[position - 1])
        behind = position < len(self._text) and CATEGORIES[ops.CATEGORY_WORD](self._text[position])
        assert where in {ops.AT_BOUNDARY, ops.AT_NON_BOUNDARY}, where
        return (before != behind) is (where is ops.AT_BOUNDARY)

    def make_texts(self, size: int) -> Iterator[str]:
        """Yield texts that reach each repeat of the pattern, repeat it ``size`` times, and then fail to match.

        The repeated text matches the body of the repeat, and is made of each possible character of the palette.
        """
        palette = "".join(dict.fromkeys(PALETTE + "".join(self._list_literals(self.parsed))[:MOST_LITERALS]))
        yield from (char * size for char in palette)
        for lead, body in self._list_repeats(self.parsed, ""):
            units = dict.fromkeys(self._make(body, char) for char in palette)
            for unit in units:
                for end in ("", "\x00", "x"):
                    yield f"{lead}{unit * size}{end}"

    def _list_literals(self, items: Sequence[Item]) -> Iterator[str]:
        for op, argument in items:
            if op is ops.LITERAL:
                yield chr(argument)
            elif op is ops.SUBPATTERN:
                yield from self._list_literals(list(argument[3]))

    def _list_repeats(self, items: Sequence[Item], lead: str) -> Iterator[tuple[str, list[Item]]]:
        for op, argument in items:
            if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
                body = list(argument[2])
                yield lead, body
                yield from self._list_repeats(body, lead)
            elif op is ops.SUBPATTERN:
                yield from self._list_repeats(list(argument[3]), lead)
            elif op is ops.ATOMIC_GROUP:
                yield from self._list_repeats(list(argument), lead)
            elif op is ops.BRANCH:
                for branch in argument[1]:
                    yield from self._list_repeats(list(branch), lead)
            lead += self._make([(op, argument)], "0")

    def _make(self, items: Sequence[Item], wanted: str) -> str:
        """Return a text that ``items`` accept, of ``wanted`` where that fits."""
        return "".join(self._make_item(op, argument, wanted) for op, argument in items)

    def _make_item(self, op: Any, argument: Any, wanted: str) -> str:
        if op in SINGLE:
            choices = (wanted, *PALETTE, *map(chr, range(32, 127)), *map(chr, range(256)))
            return next(char for char in choices if self.accepts((op, argument), char))
        if op in {ops.MAX_REPEAT, ops.MIN_REPEAT, ops.POSSESSIVE_REPEAT}:
            return self._make(list(argument[2]), wanted) * max(argument[0], 1)
        if op is ops.SUBPATTERN:
            return self._make(list(argument[3]), wanted)
        if op is ops.ATOMIC_GROUP:
            return self._make(list(argument), wanted)
        if op is ops.BRANCH:
            return self._make(list(argument[1][0]), wanted)
        return ""
