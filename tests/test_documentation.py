"""The documentation is consistent with the code: settings, targets, commands and endpoints."""

import json
import re
import shlex
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import docutils.core
import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.cli import main
from lens_perf.settings import SECTIONS, TOP_KEYS, ClusterSettings
from tests.conftest import running_app

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").glob("*.rst"))]
CONFIGURATION = (ROOT / "docs/configuration.rst").read_text("utf-8")
API = (ROOT / "docs/api.rst").read_text("utf-8")
EXAMPLE = ROOT / "config/lens_perf.toml"

TARGETS = {
    *("install", "run", "serve", "test", "lint", "format", "typecheck"),
    *("bench", "chaos", "docs", "dist", "check", "clean"),
}
# Two clusters with the names of the demo that cannot be reached: valid requests get 503.
NOBODY = """
    default_cluster = "alpha"
    [clusters.alpha]
    dsn = "host=/nonexistent"
    [clusters.beta]
    dsn = "host=/nonexistent"
"""


@pytest.fixture
def app(write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    with running_app(write_settings(NOBODY)) as app:
        yield app


def declared_settings() -> Iterator[tuple[str, Field[Any]]]:
    """Yield the key of every setting in the file, and its declaration."""
    yield from ((key.name, key) for key in TOP_KEYS)
    yield from ((f"clusters.NAME.{key.name}", key) for key in fields(ClusterSettings))
    for name, section in SECTIONS.items():
        yield from ((f"{name}.{key.name}", key) for key in fields(section))


def show_default(key: Field[Any]) -> str:
    if key.default is MISSING:
        return "required"
    if key.default is None:
        return "none"
    # In the syntax of TOML.
    return f"``{json.dumps(key.default) if isinstance(key.default, (bool, tuple)) else key.default}``"


ROW = re.compile(r"^   \* - ``(.+)``\n\n       ``(.+)``\n     - (.+)\n     - (.+)$", re.MULTILINE)


def test_configuration_lists_every_setting_as_it_is_declared() -> None:
    assert ROW.findall(CONFIGURATION) == [
        (name, f"LENS_PERF_{name.replace('.', '_').upper()}", show_default(key), key.metadata["help"])
        for name, key in declared_settings()
    ]


def test_the_example_shows_every_setting_with_its_default() -> None:
    example = tomllib.loads(EXAMPLE.read_text("utf-8"))
    for name, section in SECTIONS.items():
        defaults = {key.name: key.default for key in fields(section) if key.default is not None}
        assert example[name] == {key: list(each) if type(each) is tuple else each for key, each in defaults.items()}
        for key in fields(section):
            assert re.search(rf"^(?:# )?{key.name} = ", EXAMPLE.read_text("utf-8"), re.MULTILINE), key.name
    assert {key.name for key in TOP_KEYS} <= set(example)
    for key in fields(ClusterSettings):
        assert re.search(rf"\b{key.name} = ", EXAMPLE.read_text("utf-8")), key.name


def make_targets() -> Mapping[str, str]:
    """Return the description of each target in ``make help``."""
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return dict(line.split(None, 1) for line in listed.splitlines())


def test_make_without_a_target_lists_the_targets() -> None:
    targets = make_targets()
    assert set(targets) >= TARGETS
    assert all(targets.values())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documented_targets_exist(page: Path) -> None:
    named = re.findall(r"(?:``| {4})make\s+([a-z]+)", page.read_text("utf-8"))
    assert set(named) <= set(make_targets())


def test_the_readme_opens_with_two_commands() -> None:
    commands = re.findall(r"^    (\S.*?)(?:  +#.*)?$", (ROOT / "README.rst").read_text("utf-8"), re.MULTILINE)
    assert commands[:2] == ["make run", "make test"]


def test_the_readme_renders() -> None:
    settings = {"halt_level": 2, "report_level": 5, "_disable_config": True}
    text = (ROOT / "README.rst").read_text("utf-8")
    page = docutils.core.publish_string(text, writer="html", settings_overrides=settings).decode()
    assert "make run" in re.sub("<[^>]+>", "", page)


def command_names(group: click.Group, before: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from command_names(command, f"{before}{name} ")
        else:
            yield before + name


def test_documented_commands_exist() -> None:
    known = set(command_names(main))
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"lens-perf\s+((?:(?:db|token|columns) )?[a-z][a-z-]+)", text)) - {"db", "token", "columns"}
    assert named == known


def documented_requests() -> list[str]:
    """Return the addresses of all curl lines, without the host."""
    lines = re.findall(r"^ +(curl .*)$", "\n".join(page.read_text("utf-8") for page in PAGES), re.MULTILINE)
    return sorted({read_address(shlex.split(line)) for line in lines})


def read_address(words: list[str]) -> str:
    url = urlsplit(next(word for word in words if word.startswith("http")))
    query = words[words.index("--data-urlencode") + 1] if "--data-urlencode" in words else url.query
    return f"{url.path}?{query}"


@pytest.mark.parametrize("address", documented_requests())
def test_documented_requests_are_valid(client: FlaskClient, address: str) -> None:
    response = client.get(address)
    # No cluster can be reached; responses about several workloads name the clusters in warnings.
    about_several = address.startswith(("/lens/v1/clusters", "/lens/v1/workloads?", "/lens/v1/metrics/"))
    assert response.status_code == (200 if about_several else 503), response.text


def test_every_endpoint_parameter_and_status_is_documented(client: FlaskClient) -> None:
    spec = client.get("/lens/openapi.json").json
    assert spec
    for path, operations in spec["paths"].items():
        endpoint = operations["get"]
        assert f"``GET {path.removeprefix('/lens/v1')}``" in API
        for parameter in [*operations.get("parameters", []), *endpoint["parameters"]]:
            assert re.search(rf"^(?:``\w+``, )?``{parameter['name']}``", API, re.MULTILINE), parameter["name"]
        for status in set(endpoint["responses"]) - {"200", "default"}:
            assert re.search(rf"^{status} ", API, re.MULTILINE), status


def test_no_file_names_a_machine() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: git lists the project's files")
    # The pattern does not match its own text.
    private = re.compile(r"/(?:work|root|opt|home|Users)/|/tmp[/]v|index[-]url|find[-]links|p[y]pi")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    paths = [path for path in paths if path.suffix != ".png"]
    assert [path for path in paths if private.search(path.read_text("utf-8"))] == []
