"""What Grafana and its plugins Infinity and JSON API do with a dashboard: fill in, ask, select, hold to types.

After ``pkg/infinity`` and ``src/app/variablesQuery`` of grafana/grafana-infinity-datasource, and after
``src/datasource.ts`` of grafana/grafana-json-datasource.
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
from urllib.parse import quote, urlencode

from tests.conftest import strict_json
from tests.front.programs import skip_outside_ci

ROOT = Path(__file__).parent.parent
NPM = ROOT / "lens_perf" / "web" / "npm"
VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}")
DOTTED = re.compile(r"[\w.]*")
# What each plugin says that it takes.
ACCEPTS = {"infinity": "application/json;q=0.9,text/plain", "json-api": "application/json, text/plain, */*"}
TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "time": lambda value: isinstance(value, int),
}

Frame = dict[str, list[Any]]
Choice = str | list[str]


def evaluate(questions: Sequence[tuple[str, str, Any]]) -> list[list[Any]]:
    """Return what each selector finds: (language, selector, JSON)."""
    node = shutil.which("node", path=f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}")
    if node is None or not (NPM / "node_modules" / "jsonata").exists():
        skip_outside_ci("needs node and what `make test` fetches with npm")
    asked = json.dumps([dict(zip(("language", "selector", "json"), each, strict=True)) for each in questions])
    script = [node, str(Path(__file__).with_name("selectors.mjs")), str(NPM)]
    done = subprocess.run(script, input=asked, capture_output=True, text=True, check=True)
    found: list[list[Any]] = strict_json(done.stdout)
    return found


class Grafana:
    """A dashboard in the hands of someone; ``fetch`` answers a path below the data source's URL with JSON."""

    def __init__(self, kind: str, fetch: Callable[[str, str], Any], start: int, end: int) -> None:
        self.kind = kind
        self.dashboard = strict_json((ROOT / "config" / "grafana" / f"workloads-{kind}.json").read_text("utf-8"))
        self.values: dict[str, Choice] = {"__from": str(start), "__to": str(end), "points": "1000"}
        self._fetch = fetch

    def fill(self, text: str) -> str:
        """Return ``text`` with the variables filled in; several values stand in braces."""

        def value(match: re.Match[str]) -> str:
            chosen, form = self.values[match[1]], match[2]
            if isinstance(chosen, list):
                chosen = chosen[0] if len(chosen) == 1 else "{" + ",".join(chosen) + "}"
            assert form in (None, "percentencode")
            return quote(chosen, safe="") if form else chosen

        return VARIABLE.sub(value, text)

    def options(self, name: str) -> dict[str, str]:
        """Return what a query variable offers: the text and the value of each."""
        query = next(each["query"] for each in self.dashboard["templating"]["list"] if each["name"] == name)
        frame = self.ask(query["infinityQuery"] if self.kind == "infinity" else query)
        columns = list(frame.values())
        return dict(zip(columns[0], columns[-1], strict=True))

    def panel(self, title: str) -> Frame:
        """Return the frame of the one target of a panel."""
        (target,) = next(each["targets"] for each in self.dashboard["panels"] if each["title"] == title)
        return self.ask(target)

    def ask(self, target: Mapping[str, Any]) -> Frame:
        """Return the columns that a target's selectors find, each held to its type."""
        infinity = self.kind == "infinity"
        path = target["url"] if infinity else target["urlPath"]
        params = target["url_options"]["params"] if infinity else target["params"]
        pairs = [(each["key"], each["value"]) if infinity else tuple(each) for each in params]
        query = urlencode([(key, self.fill(value)) for key, value in pairs])
        answer = self._fetch(f"{self.fill(path)}?{query}", ACCEPTS[self.kind])
        return self._select_by_rows(target, answer) if infinity else self._select_by_columns(target, answer)

    @staticmethod
    def _select_by_rows(target: Mapping[str, Any], answer: Any) -> Frame:
        root = target["root_selector"]
        rows = _step(answer, root) if DOTTED.fullmatch(root) else evaluate([("jsonata", root, answer)])[0]
        rows = rows if isinstance(rows, list) else [rows]
        frame: Frame = {}
        for column in target["columns"]:
            values = [_step(row, column["selector"]) for row in rows]
            kind = column["type"].replace("timestamp_epoch", "time")
            frame[column["text"]] = _hold(values, kind)
        return frame

    @staticmethod
    def _select_by_columns(target: Mapping[str, Any], answer: Any) -> Frame:
        fields = target["fields"]
        found = evaluate([(field["language"], field["jsonPath"], answer) for field in fields])
        assert len({len(values) for values in found}) == 1, "Fields have different lengths"
        return {field["name"]: _hold(values, field["type"]) for field, values in zip(fields, found, strict=True)}


def _step(value: Any, path: str) -> Any:
    """Follow a dotted path; what is not there is null."""
    for key in filter(None, path.split(".")):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _hold(values: list[Any], kind: str) -> list[Any]:
    assert all(value is None or TYPES[kind](value) for value in values), (kind, values)
    return values
