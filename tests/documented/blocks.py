"""Finds the code blocks of reStructuredText pages, each with its language and the reason why it is not run, if any."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").glob("*.rst")))
DIRECTIVE = re.compile(r"^(?P<indent> *)\.\. code-block:: (?P<language>\S+)$")
REASON = re.compile(r"^ *\.\. not run: (?P<reason>.+)$")
PLAIN_BLOCK = re.compile(r"^(?! *\.\. ).*::$")


@dataclass(frozen=True)
class Block:
    """A code block: its page, its first line, its language, its text, and why it is not run."""

    page: Path
    line: int
    language: str
    text: str
    reason: str | None

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def find_blocks(page: Path) -> Iterator[Block]:
    """Yield the code blocks of a page in order."""
    lines = page.read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if match := DIRECTIVE.match(line):
            reason = REASON.match(lines[number - 1])
            text = "\n".join(_take_indented(lines[number + 1 :], len(match["indent"])))
            yield Block(
                page, number + 1, match["language"], textwrap.dedent(text).strip("\n"), reason and reason["reason"]
            )


def _take_indented(lines: list[str], indent: int) -> Iterator[str]:
    for line in lines:
        if line.strip() and len(line) - len(line.lstrip()) <= indent:
            return
        yield line


def find_plain_blocks(page: Path) -> list[str]:
    """Return the lines that begin a block without a language."""
    return [line for line in page.read_text("utf-8").splitlines() if PLAIN_BLOCK.match(line)]
