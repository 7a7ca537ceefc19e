"""Public text uses none of the discouraged words, except with a reason."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.cli import main
from lens_perf.instrumentation.metrics import expose
from tests.conftest import running_app
from tests.wording.discouraged import DISCOURAGED, EXCEPTIONS, find_discouraged
from tests.wording.public_text import (
    PAGES,
    ROOT,
    list_descriptions,
    list_help,
    list_messages,
    list_page_text,
    read_prose,
)

SETTINGS = """
    [clusters.alpha]
    dsn = "host=/nonexistent"
"""


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    path = tmp_path / "lens_perf.toml"
    path.write_text(SETTINGS, "utf-8")
    with running_app(path) as app:
        yield app


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_documentation(page: Path) -> None:
    assert list(find_discouraged(read_prose(page))) == []


def test_openapi(client: FlaskClient) -> None:
    texts = list(list_descriptions(client.get("/lens/openapi.json").json))
    assert len(texts) > 100
    assert [finding for text in texts for finding in find_discouraged(text)] == []


def test_command_line_help() -> None:
    texts = list(list_help(main))
    assert len(texts) > 50
    assert [finding for text in texts for finding in find_discouraged(text)] == []


def test_messages() -> None:
    texts = list(list_messages())
    assert len(texts) > 300
    assert [f"{place}: {finding}" for place, text in texts for finding in find_discouraged(text)] == []


def test_pages() -> None:
    texts = list(list_page_text())
    assert len(texts) > 20
    assert [f"{place}: {finding}" for place, text in texts for finding in find_discouraged(text)] == []


def test_alerts() -> None:
    groups = yaml.safe_load((ROOT / "config/prometheus-alerts.yml").read_text("utf-8"))["groups"]
    texts = [text for group in groups for rule in group["rules"] for text in rule["annotations"].values()]
    assert len(texts) > 30
    assert [finding for text in texts for finding in find_discouraged(text)] == []


def test_metrics_help() -> None:
    texts = re.findall(r"^# HELP \w+ (.*)$", expose().decode(), re.MULTILINE)
    assert len(texts) > 15
    assert [finding for text in texts for finding in find_discouraged(text)] == []


def test_each_exception_has_a_reason() -> None:
    assert all(len(reason) > 20 for reason in EXCEPTIONS.values())
    assert all(DISCOURAGED.values())


@pytest.mark.parametrize(
    "text", ["the service tells it", "Dialling takes 2 s", "an x axis that is no number", "a cluster that is away"]
)
def test_discouraged_words_are_found(text: str) -> None:
    assert list(find_discouraged(text))
    assert not list(find_discouraged("There is no dialect for it. The cluster cannot be reached."))
