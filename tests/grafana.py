"""Evaluates a Grafana dashboard as Grafana and its plugin Infinity do: variables, requests, selectors, types.

Follows ``pkg/infinity`` and ``src/interpolate.ts`` of grafana/grafana-infinity-datasource, ``lib/go/jsonframer`` of
grafana/infinity-libs, and ``src/variables/interpolation`` of grafana/scenes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import yaml

from tests.conftest import strict_json
from tests.front.programs import skip_outside_ci

ROOT = Path(__file__).parent.parent
GRAFANA = ROOT / "config" / "grafana"
NPM = Path(__file__).parent / "npm"
VARIABLE = re.compile(r"\$\{(\w+)((?::\w+)*)\}")
DOTTED = re.compile(r"[\w.]*")
# The Accept header of the plugin.
ACCEPTS = "application/json;q=0.9,text/plain"
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "timestamp_epoch": lambda value: isinstance(value, int),
}

Frame = dict[str, list[Any]]
Choice = str | list[str]
Fetch = Callable[[str, str], Any]


def find_node(package: str) -> str:
    """Return the path of node; skip the test if it or the package of tests/npm is missing."""
    node = shutil.which("node", path=f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}")
    if node is None or not (NPM / "node_modules" / package).exists():
        skip_outside_ci("needs node and what `make test` fetches with npm")
    return node


def provisioned(kind: str) -> Any:
    """Return the content of a file in ``config/grafana/provisioning``."""
    return yaml.safe_load((GRAFANA / "provisioning" / kind / "lens_perf.yaml").read_text("utf-8"))


def list_rules() -> dict[str, Any]:
    """Return the alert rules by uid."""
    (group,) = provisioned("alerting")["groups"]
    return {rule["uid"]: rule for rule in group["rules"]}


def evaluate(selector: str, answer: Any) -> Any:
    """Return the result of a JSONata expression; no result is an error, as in the plugin."""
    script = [find_node("jsonata"), str(Path(__file__).with_name("selectors.mjs")), str(NPM)]
    asked = json.dumps({"selector": selector, "json": answer})
    done = subprocess.run(script, input=asked, capture_output=True, text=True, check=True)
    found = strict_json(done.stdout)
    assert "found" in found, f"{selector} finds nothing"
    return found["found"]


class Infinity:
    """The data source. ``fetch`` answers a path below its URL with JSON, given the plugin's Accept header."""

    def __init__(self, fetch: Fetch, values: Mapping[str, Choice]) -> None:
        self.values = dict(values)
        self._fetch = fetch

    def fill(self, text: str) -> str:
        """Return ``text`` with the variables replaced; several values are written in braces."""
        return VARIABLE.sub(lambda match: self._format(match[1], match[2].split(":")[1:]), text)

    def _format(self, name: str, words: Sequence[str]) -> str:
        chosen = self.values[name]
        values = chosen if isinstance(chosen, list) else [chosen]
        if not words:
            return values[0] if len(values) == 1 else "{" + ",".join(values) + "}"
        if words[0] == "customqueryparam":
            return "&".join(f"{words[1]}={quote(value, safe='')}" for value in values)
        assert words[0] == "queryparam"
        return "&".join(f"var-{name}={quote(value, safe='')}" for value in values)

    def ask(self, target: Mapping[str, Any]) -> Frame:
        """Return the columns of a target's selectors, each checked for its type."""
        assert (target["type"], target["parser"], target["source"]) == ("json", "backend", "url")
        url = urlsplit(self.fill(target["url"]))
        params = [(each["key"], self.fill(each["value"])) for each in target["url_options"]["params"]]
        query = urlencode([*parse_qsl(url.query, keep_blank_values=True), *params])
        answer = self._fetch(f"{url.path}?{query}", ACCEPTS)
        rows = self._select(target["root_selector"], answer)
        return {
            column["text"]: _hold([_step(row, column["selector"]) for row in rows], column["type"])
            for column in target["columns"]
        }

    @staticmethod
    def _select(root: str, answer: Any) -> list[Any]:
        # The plugin tries GJSON first, for which these two begin a new document.
        assert not root.startswith(("[", "{"))
        rows = _step(answer, root) if DOTTED.fullmatch(root) else evaluate(root, answer)
        return rows if isinstance(rows, list) else [rows]


class Dashboard(Infinity):
    """The dashboard of workloads with chosen variables."""

    def __init__(self, fetch: Fetch, start: int, end: int) -> None:
        super().__init__(fetch, {"__from": str(start), "__to": str(end)})
        self.model = strict_json((GRAFANA / "workloads.json").read_text("utf-8"))
        for variable in self.variables.values():
            if variable["type"] in {"custom", "textbox"}:
                self.values[variable["name"]] = variable["current"]["value"]

    @property
    def variables(self) -> dict[str, Any]:
        """The variables by name."""
        return {each["name"]: each for each in self.model["templating"]["list"]}

    @property
    def panels(self) -> dict[str, Any]:
        """The panels by title, without the rows."""
        return {each["title"]: each for each in self.model["panels"] if each["type"] != "row"}

    def options(self, name: str) -> dict[str, str]:
        """Return the options of a query variable: text and value."""
        columns = list(self.ask(self.variables[name]["query"]["infinityQuery"]).values())
        return dict(zip(columns[0], columns[-1], strict=True))

    def choose_first(self, name: str) -> None:
        """Choose the first option, as Grafana does by default."""
        first = next(iter(self.options(name).values()))
        self.values[name] = [first] if self.variables[name]["multi"] else first

    def panel(self, title: str) -> Frame:
        """Return the frame of the only target of a panel."""
        (target,) = self.panels[title]["targets"]
        return self.ask(target)

    def series(self, title: str) -> dict[tuple[str, ...], Frame]:
        """Return the frames into which a panel's transformation divides its frame, by label values."""
        (transformation,) = self.panels[title]["transformations"]
        assert transformation["id"] == "partitionByValues"
        labels = transformation["options"]["fields"]
        frame = self.panel(title)
        parted: dict[tuple[str, ...], Frame] = {}
        for row in zip(*frame.values(), strict=True):
            cells = dict(zip(frame, row, strict=True))
            part = parted.setdefault(tuple(str(cells.pop(label)) for label in labels), {name: [] for name in cells})
            for name, value in cells.items():
                part[name].append(value)
        return parted


def _step(value: Any, path: str) -> Any:
    """Follow a dotted path; missing values are null."""
    for key in filter(None, path.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _hold(values: list[Any], kind: str) -> list[Any]:
    assert all(value is None or TYPES[kind](value) for value in values), (kind, values)
    return values
