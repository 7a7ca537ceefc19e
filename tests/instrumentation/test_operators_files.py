"""The alert rules and the dashboard use only metrics and labels that exist."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.workload_metrics import expose_workloads
from tests.conftest import strict_json
from tests.front.programs import find_program, needs
from tests.watch.workloads import progress_at

ROOT = Path(__file__).parent.parent.parent
ALERTS = ROOT / "config/prometheus-alerts.yml"
DASHBOARD = strict_json((ROOT / "config/grafana/operators.json").read_text("utf-8"))
RUNBOOKS = (ROOT / "docs/runbooks.rst").read_text("utf-8")
MONITORING = (ROOT / "docs/monitoring.rst").read_text("utf-8")
# Labels that Prometheus adds.
TARGET_LABELS = {"job", "instance", "le"}
METRIC = re.compile(r"\b(lens_perf_\w+)(?:\{([^}]*)\})?")
GROUPING = re.compile(r"\b(?:by|ignoring|on) \(([^)]*)\)")


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """The labels of each metric in /metrics, by the names of its samples."""
    metrics.declare_clusters(["operators-test"])
    metrics.count_request("e", "operators-test", 200, 1)
    metrics.count_sent("e", "operators-test", 1, 1)
    metrics.count_copy_hit("operators-test")
    metrics.count_copy_refresh("operators-test", 1)
    metrics.count_copy_build("operators-test", ok=True, seconds=1)
    metrics.watch_token_file(lambda: True)
    lines = metrics.expose().decode().splitlines()
    metrics.watch_token_file(None)
    found = [re.match(r"(\w+)(?:\{(.*)\})? ", line) for line in lines]
    return {match[1]: set(re.findall(r'(\w+)="', match[2] or "")) for match in found if match}


@pytest.fixture(scope="module")
def known_of_workloads() -> dict[str, set[str]]:
    """The labels of each metric in /metrics/workloads."""
    lines = expose_workloads([("alpha", progress_at(300, non_finite={"loss": 5}))], {"alpha": True}, 0).decode()
    found = [re.match(r"(\w+)\{(.*)\}", line) for line in lines.splitlines()]
    return {match[1]: set(re.findall(r'(\w+)="', match[2])) for match in found if match}


def alert_rules() -> list[tuple[str, str]]:
    """Return the name and the text of each rule. promtool checks the format of the file."""
    parts = ALERTS.read_text("utf-8").split("- alert: ")[1:]
    return [(part.partition("\n")[0], part) for part in parts]


def expressions(panels: Any) -> Iterator[str]:
    for panel in panels:
        yield from (target["expr"] for target in panel.get("targets", []))


def check(text: str, known: dict[str, set[str]]) -> None:
    named = METRIC.findall(text)
    assert named
    labels = set(TARGET_LABELS).union(*(known[name] for name, _ in named))
    for name, matchers in named:
        assert set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers)) <= known[name] | TARGET_LABELS
    for group in GROUPING.findall(text):
        assert {each.strip() for each in group.split(",")} <= labels


@pytest.mark.parametrize("rule", [text for name, text in alert_rules() if name != "LensPerfDown"])
def test_alerts_use_existing_metrics(
    rule: str, known: dict[str, set[str]], known_of_workloads: dict[str, set[str]]
) -> None:
    check(rule.partition("for:")[0], known | known_of_workloads)


def test_each_alert_links_to_its_runbook() -> None:
    sections = re.findall(r"^(Lens\w+)\n-+\n\n(.+)", RUNBOOKS, re.MULTILINE)
    assert [name for name, _ in sections] == [name for name, _ in alert_rules()]
    for name, text in alert_rules():
        url = f"{{{{ $externalLabels.lens_perf_docs }}}}/runbooks.html#{name.lower()}"
        assert f"          runbook_url: '{url}'\n" in text


def test_each_alert_says_what_to_do() -> None:
    assert len(alert_rules()) >= 7
    for name, text in alert_rules():
        assert re.search(r"^        for: \d+[sm]$", text, re.MULTILINE), name
        assert re.search(r"^          severity: (page|ticket)$", text, re.MULTILINE), name
        assert re.search(r"^          summary: .{20}", text, re.MULTILINE), name
        assert re.search(r"^          description: >-\n            .{40}", text, re.MULTILINE), name


def test_alerts_name_settings_that_exist() -> None:
    settings = (ROOT / "config/lens_perf.toml").read_text("utf-8")
    named = re.findall(r"\b(?:pool|limits|http)\.([a-z_]+)", ALERTS.read_text("utf-8"))
    assert named
    assert [name for name in named if f"\n{name} = " not in settings] == []


@pytest.mark.parametrize("expression", list(expressions(DASHBOARD["panels"])))
def test_the_dashboard_uses_existing_metrics(expression: str, known: dict[str, set[str]]) -> None:
    check(expression, known)


def test_the_dashboard_shows_every_metric(known: dict[str, set[str]]) -> None:
    shown = {name for text in expressions(DASHBOARD["panels"]) for name, _ in METRIC.findall(text)}
    assert {name for name in known if not name.endswith(("_count", "_sum"))} == shown


def test_the_documentation_lists_every_metric_with_its_labels(
    known: dict[str, set[str]], known_of_workloads: dict[str, set[str]]
) -> None:
    rows = re.findall(r"^``(lens_perf_\w+)`` +((?:``\w+``(?:, )?)+|\\-)", MONITORING, re.MULTILINE)
    reported = {name: set(re.findall(r"``(\w+)``", labels)) for name, labels in rows}
    plain = {
        name.removesuffix("_count"): each for name, each in known.items() if not name.endswith(("_bucket", "_sum"))
    }
    assert reported == plain | known_of_workloads


def test_the_dashboard_has_variables() -> None:
    variables = {each["name"]: each["type"] for each in DASHBOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "cluster": "query"}
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in DASHBOARD["panels"])
    assert re.findall(r'"uid": "(?!\$\{datasource\}|lens-perf-operators)', json.dumps(DASHBOARD)) == []


@needs("promtool")
@pytest.mark.parametrize("command", [("check", "rules", ALERTS), ("test", "rules", ALERTS.with_suffix(".test.yml"))])
def test_promtool_agrees(command: tuple[str, str, Path]) -> None:
    ended = subprocess.run([find_program("promtool"), *command], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
