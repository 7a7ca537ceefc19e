"""All patterns of the imports take linear time for every text; steps are counted instead of seconds."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lens_perf.ingest
from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from tests.ingest.step_counter import StepCounter, TooManyStepsError

PACKAGE = Path(lens_perf.ingest.__file__).parent
SMALL, LARGE = 25, 100
# Steps that a pattern may take in addition to those that grow with the text.
ALLOWANCE = 300
# Quadratic time would make it 16.
MOST_GROWTH = 6
MOST_STEPS = 20_000
# Methods that match at one position, and those that search a text.
AT_ONE_PLACE = {"match", "fullmatch"}
METHODS = AT_ONE_PLACE | {"search", "finditer", "findall", "sub", "subn", "split"}


def list_uses() -> dict[str, set[str]]:
    """Return the methods called on each name in the package; ``other`` represents any other use."""
    uses: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.parse(path.read_text("utf-8"))
        called = {
            id(node.value): node.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                uses.setdefault(node.id, set()).add(called.get(id(node), "other"))
    return uses


def list_patterns() -> Iterator[Any]:
    """Yield each pattern of the package, and whether it is only matched at one position."""
    uses, seen = list_uses(), set()
    for module in pkgutil.walk_packages([str(PACKAGE)], "lens_perf.ingest."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, re.Pattern) and value not in seen:
                seen.add(value)
                yield pytest.param(value, not uses.get(name, {"other"}) <= AT_ONE_PLACE, id=f"{module.name}.{name}")
    for dialect in load_built_in_dialects():
        for form in dialect.forms:
            for template in form.templates:
                yield pytest.param(template.pattern, False, id=f"{dialect.name}: {template.text}")
                if template.cut_pattern:
                    yield pytest.param(template.cut_pattern, False, id=f"{dialect.name}: cut {template.text}")


def find_superlinear(pattern: re.Pattern[Any], *, search: bool) -> str | None:
    """Return the beginning of a text on which the steps grow faster than its length, or None."""
    counter = StepCounter(pattern)
    for small, large in zip(counter.make_texts(SMALL), counter.make_texts(LARGE), strict=True):
        for whole in (False,) if search else (False, True):
            try:
                few = counter.count(small, search=search, whole=whole, limit=MOST_STEPS)
                counter.count(large, search=search, whole=whole, limit=MOST_GROWTH * few + ALLOWANCE)
            except TooManyStepsError:
                return small
    return None


@pytest.mark.parametrize(("pattern", "search"), list(list_patterns()))
def test_pattern(pattern: re.Pattern[Any], search: bool) -> None:
    assert find_superlinear(pattern, search=search) is None


@pytest.mark.parametrize(
    ("pattern", "search"),
    [
        (r"(\d+)+x", False),
        (r"\s*\s*x", False),
        (r"[^|]*[^|:\s][^|]*:", False),
        (r"(?:a|a)*x", False),
        (r".*?x.*?y", False),
        (r"\d+x", True),
        (r"\d++x", True),
        (r"(?:'[^']*')*+:", True),
    ],
)
def test_the_count_finds_bad_patterns(pattern: str, search: bool) -> None:
    assert find_superlinear(re.compile(pattern), search=search) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (r"a(?P<b>[0-9]++)(?:,|x)*+(?P=b)", "a12,x12"),
        (r"(?<![0-9])\d{2}\b", "x12 "),
        (r"(?:(?!ab).)*+ab$", "aaxab"),
        (r"[^\W_]+?-(?=b)", "ü1-b"),
    ],
)
def test_the_counter_matches_as_the_library_does(pattern: str, text: str) -> None:
    compiled = re.compile(pattern)
    counter = StepCounter(compiled)
    for start in range(len(text)):
        expected = compiled.match(text, start)
        assert counter.match(text, start) == (expected.end() if expected else None)


def test_no_pattern_is_compiled_where_it_is_used() -> None:
    calls = [
        f"{path.name}:{node.lineno}"
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "re"
        and node.func.attr in METHODS
    ]
    assert calls == []
