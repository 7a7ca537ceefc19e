"""Every code block of README and documentation runs, or says why it is not run."""

import configparser
import json
import re
import shutil
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from lens_perf.config import load_settings
from lens_perf.ingest.logs.dialect_files import load_dialects
from tests.documented.blocks import PAGES, Block, find_blocks, find_plain_blocks
from tests.documented.conftest import Workspace

BLOCKS = [block for page in PAGES for block in find_blocks(page)]
LANGUAGES = {"console", "ini", "json", "python", "shell", "sql", "text", "toml", "yaml"}
NEEDED = tuple(
    sorted(
        {
            word
            for block in BLOCKS
            if block.language == "shell"
            for word in re.findall(r"^(curl)\b", block.text, re.MULTILINE)
        }
    )
)


def select(language: str) -> Sequence[Block]:
    return [block for block in BLOCKS if block.language == language and block.reason is None]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_each_block_has_a_language(page: Path) -> None:
    assert find_plain_blocks(page) == []
    assert {block.language for block in find_blocks(page)} <= LANGUAGES


def test_each_block_that_is_not_run_has_a_reason() -> None:
    assert all(len(block.reason) > 8 for block in BLOCKS if block.reason is not None)
    # Blocks of text are diagrams, log lines and headers.
    assert [str(block) for block in BLOCKS if block.language == "sql" and block.reason is None] == []


@pytest.mark.needs("curl")
@pytest.mark.parametrize("block", select("shell"), ids=str)
def test_shell(workspace: Workspace, block: Block) -> None:
    done = workspace.run(
        ["bash", "-euo", "pipefail", "-c"], re.sub(r"\bcurl\b", "curl -sS --fail-with-body", block.text)
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", select("console"), ids=str)
def test_console(workspace: Workspace, block: Block) -> None:
    command, *documented = block.text.splitlines()
    done = workspace.run(["bash", "-euo", "pipefail", "-c"], command.removeprefix("$ "))
    assert done.returncode == 0, done.stderr
    printed = iter(map(read_label, done.stdout.splitlines()))
    for line in documented:
        if line.strip() != "...":
            assert read_label(line) in printed, line


def read_label(line: str) -> str:
    """Return the first column of a line, without numbers."""
    return re.sub(r"\d[\d,.]*", "N", re.split(r" {2,}", line.strip())[0])


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(each.page == page for each in select("python"))], ids=str
)
def test_python(workspace: Workspace, page: Path) -> None:
    code = "\n".join(block.text for block in select("python") if block.page == page)
    done = workspace.run([sys.executable, "-c"], code)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("block", select("toml"), ids=str)
def test_toml(tmp_path: Path, block: Block) -> None:
    document = tomllib.loads(block.text)
    if "form" in document:
        (tmp_path / "dialect.toml").write_text(block.text, "utf-8")
        assert document["name"] in {dialect.name for dialect in load_dialects(tmp_path)}
        return
    settings = tmp_path / "lens_perf.toml"
    settings.write_text(block.text + ("" if "clusters" in document else '\n[clusters.alpha]\ndsn = ""\n'), "utf-8")
    assert load_settings(settings, {}).clusters


@pytest.mark.parametrize("block", select("json"), ids=str)
def test_json(workspace: Workspace, block: Block) -> None:
    documented = json.loads(block.text)
    before = BLOCKS[BLOCKS.index(block) - 1]
    if before.page == block.page and before.language == "shell" and block.line - before.line < 6:
        answered = workspace.run(["bash", "-c"], before.text.replace("curl", "curl -sS"))
        assert describe(json.loads(answered.stdout)) == describe(documented)


def describe(value: Any) -> Any:
    """Return the structure of a JSON value: keys and types, and the structure of the first entry of lists."""
    if isinstance(value, dict):
        return {key: describe(each) for key, each in value.items()}
    if isinstance(value, list):
        return [describe(value[0])] if value else []
    return "number" if isinstance(value, int | float) else type(value).__name__


@pytest.mark.parametrize("block", select("yaml"), ids=str)
def test_yaml(block: Block) -> None:
    assert yaml.safe_load(block.text)


@pytest.mark.parametrize("block", select("ini"), ids=str)
def test_ini(block: Block) -> None:
    parser = configparser.ConfigParser()
    parser.read_string(block.text)
    assert parser.sections()


def test_curl_is_the_only_other_program() -> None:
    assert NEEDED == ("curl",)
    assert shutil.which("bash")
