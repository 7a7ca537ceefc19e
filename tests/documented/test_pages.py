"""All pages have one line length, name files that exist, and explain messages of the package."""

import re
from pathlib import Path

import pytest

from tests.documented.blocks import PAGES, ROOT
from tests.wording.public_text import list_messages

LINE_LENGTH = 120
ALL_PAGES = (*PAGES, ROOT / "CHANGES.rst")
TROUBLESHOOTING = ROOT / "docs/troubleshooting.rst"
# Files of the project: paths with a directory, and files next to README.rst.
REPOSITORY_PATH = re.compile(r"``((?:config|docs|tests|lens_perf)/[\w./@-]+|[A-Za-z]+\.(?:rst|txt|cfg|toml))``")
# Files on the reader's machine, or created by a command.
OTHER_FILES = re.compile(r"docs/_build/|tokens\.toml|lens_perf\.toml$|dist/|pages/vendor|lens_perf/columns$")
MESSAGE = re.compile(r"^(``.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_one_line_length(page: Path) -> None:
    lines = page.read_text("utf-8").splitlines()
    assert [number for number, line in enumerate(lines, 1) if len(line) > LINE_LENGTH] == []


@pytest.mark.parametrize("page", ALL_PAGES, ids=lambda page: page.name)
def test_named_files_exist(page: Path) -> None:
    named = set(REPOSITORY_PATH.findall(page.read_text("utf-8")))
    missing = [path for path in named if not OTHER_FILES.search(path) and not any(ROOT.glob(path.rstrip("/")))]
    assert missing == []


def list_documented_messages() -> list[str]:
    text = TROUBLESHOOTING.read_text("utf-8")
    return [message for line in MESSAGE.findall(text) for message in re.findall(r"``(.+?)``", line)]


@pytest.mark.parametrize("message", list_documented_messages())
def test_each_documented_message_exists(message: str) -> None:
    documented = re.escape(message).replace(re.escape("..."), ".*")
    assert any(re.search(documented, text) or re.match(to_pattern(text), message) for _, text in list_messages(words=2))


def to_pattern(text: str) -> str:
    """Return a pattern for a message of the package; ``...`` represents inserted text."""
    head = " ".join(text.split(" ")[:4]).rstrip(":;,")
    return re.escape(head).replace(re.escape("..."), ".*") if head.count(" ") > 2 else "(?!)"
