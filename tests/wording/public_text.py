"""Collects the text that users read: documentation, OpenAPI, command-line help, messages, and the pages."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "lens_perf"
PAGES = (ROOT / "README.rst", ROOT / "CHANGES.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").glob("*.rst")))
WEB = PACKAGE / "web"
# Code, not prose: SQL and its parts, headers, patterns.
NOT_PROSE = re.compile(r"SELECT|FROM|WHERE|CASE|SET LOCAL|CREATE |INSERT|timestamptz|default-src|\(\?|::|/\*")
LITERAL = re.compile(r"``[^`]*``|:\w+:`[^`]*`|`[^`]*`_")
MARKUP = re.compile(r"<(script|style)[^>]*>.*?</\1>|<[^>]*>", re.DOTALL)
QUOTED = re.compile(r"\"([^\"\n]+)\"|'([^'\n]+)'|`([^`]+)`")


def read_prose(page: Path) -> str:
    """Return the text of a page without its code: blocks, directives' options and literals."""
    lines: list[str] = []
    block_indent: int | None = None
    for line in page.read_text("utf-8").splitlines():
        indent = len(line) - len(line.lstrip())
        if block_indent is not None and (not line.strip() or indent > block_indent):
            continue
        block_indent = (
            indent if line.strip().startswith((".. code-block::", ".. not run")) or line.endswith("::") else None
        )
        lines.append(line)
    return LITERAL.sub("X", "\n".join(lines))


def list_descriptions(node: Any) -> Iterator[str]:
    """Yield every title, summary and description of an OpenAPI document, and the messages of its examples."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in {"title", "summary", "description", "message"} and isinstance(value, str):
                yield value
            yield from list_descriptions(value)
    elif isinstance(node, list):
        for each in node:
            yield from list_descriptions(each)


def list_help(command: click.Command) -> Iterator[str]:
    """Yield the help texts of a command, its options and its subcommands."""
    yield from filter(None, (command.help, command.short_help, command.epilog))
    for parameter in command.params:
        if isinstance(parameter, click.Option) and parameter.help:
            yield parameter.help
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from list_help(each)


def list_messages(directory: Path = PACKAGE, words: int = 3) -> Iterator[tuple[str, str]]:
    """Yield the place and text of every string constant with at least so many words, ``...`` for what is inserted.

    These are error messages, log lines, help texts and printed text; docstrings are not.
    """
    for path in sorted(directory.rglob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        skipped = set(_find_skipped(tree))
        for node in ast.walk(tree):
            if id(node) in skipped:
                continue
            text = _read_text(node)
            if text and text.count(" ") >= words - 1 and not NOT_PROSE.search(text):
                yield f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}", text


def _find_skipped(tree: ast.Module) -> Iterator[int]:
    """Yield the ids of docstrings and of the parts of f-strings."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            for statement in node.body:
                if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                    yield id(statement.value)
        if isinstance(node, ast.JoinedStr):
            yield from map(id, node.values)


def _read_text(node: ast.AST) -> str | None:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "..." for part in node.values)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%[sdr]|\{\w*\}", "...", node.value)
    return None


def list_page_text() -> Iterator[tuple[str, str]]:
    """Yield the place and text of the pages: text of HTML, and the strings of scripts that have several words."""
    for path in sorted(WEB.rglob("*.html")):
        yield str(path.relative_to(ROOT)), MARKUP.sub(" ", path.read_text("utf-8"))
    for path in sorted([*WEB.rglob("*.js"), *WEB.rglob("*.mjs")]):
        if not {"vendor", "node_modules"} & set(path.parts):
            code = re.sub(r"^\s*(?://|/?\*).*$", "", path.read_text("utf-8"), flags=re.MULTILINE)
            for match in QUOTED.finditer(code):
                text = next(filter(None, match.groups()))
                if text.count(" ") > 1:
                    yield str(path.relative_to(ROOT)), text
