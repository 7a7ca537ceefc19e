"""The files for Grafana: the schema that Grafana publishes, and references between the files."""

import json
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lens_perf.config import load_settings
from tests.conftest import strict_json
from tests.grafana import GRAFANA, NPM, Dashboard, find_node, list_rules, provisioned

PANELS = ("Progress", "${metrics}", "Iterations", "Workloads")


@pytest.fixture
def unasked() -> Dashboard:
    """The dashboard without a service."""

    def refuse(path: str, _accept: str) -> Any:
        raise AssertionError(path)

    return Dashboard(refuse, 0, 1)


def test_every_panel_is_tested(unasked: Dashboard) -> None:
    assert tuple(unasked.panels) == PANELS
    assert [each["title"] for each in unasked.model["panels"] if each["type"] == "row"] == [
        *("Progress", "Metrics", "Iterations", "Workloads")
    ]
    assert len({each["id"] for each in unasked.model["panels"]}) == 2 * len(PANELS)


def test_overrides_name_columns(unasked: Dashboard) -> None:
    for panel in unasked.panels.values():
        columns = {each["text"] for target in panel["targets"] for each in target["columns"]}
        assert {each["matcher"]["options"] for each in panel["fieldConfig"]["overrides"]} <= columns


SCHEMA = """
import type {{ AnnotationQuery, Dashboard }} from "{raw}/dashboard/x/types.gen";
import type * as table from "{raw}/composable/table/panelcfg/x/types.gen";
import type * as timeseries from "{raw}/composable/timeseries/panelcfg/x/types.gen";

/** What JSON has of a type: the values of its enumerations. */
type Plain<T> = T extends string ? `${{T}}`
  : T extends number ? (`${{T}}` extends `${{infer N extends number}}` ? N : T)
  : T extends object ? {{ [K in keyof T]: Plain<T[K]> }} : T;
/** The type of a target is meant for Grafana's own annotations alone. */
type Annotation = Omit<Plain<AnnotationQuery>, "target"> & {{ target: object }};

({dashboard}) satisfies Omit<Plain<Dashboard>, "annotations"> & {{ annotations?: {{ list: Annotation[] }} }};
"""
CHECKED = {"table", "timeseries"}


def check_schema(model: Any, directory: Path) -> str:
    """Return TypeScript's errors for a dashboard as a value of the types that Grafana publishes."""
    node = find_node("typescript")
    text = SCHEMA.format(raw=NPM / "node_modules/@grafana/schema/dist/types/raw", dashboard=json.dumps(model))
    for panel in model["panels"]:
        if panel["type"] in CHECKED:
            fields = panel["fieldConfig"]["defaults"].get("custom", {})
            text += f"({json.dumps(panel['options'])}) satisfies Partial<Plain<{panel['type']}.Options>>;\n"
            text += f"({json.dumps(fields)}) satisfies Partial<Plain<{panel['type']}.FieldConfig>>;\n"
    (directory / "dashboard.ts").write_text(text, "utf-8")
    options = {"noEmit": True, "strict": True, "skipLibCheck": True, "target": "esnext", "module": "esnext",
               "moduleResolution": "bundler", "types": []}  # fmt: skip
    (directory / "tsconfig.json").write_text(json.dumps({"compilerOptions": options, "files": ["dashboard.ts"]}))
    compiler = str(NPM / "node_modules/typescript/bin/tsc")
    return subprocess.run([node, compiler, "-p", str(directory)], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("name", ["workloads.json", "operators.json"])
def test_the_published_schema(tmp_path: Path, name: str) -> None:
    assert check_schema(strict_json((GRAFANA / name).read_text("utf-8")), tmp_path) == ""


def test_the_schema_refuses_misspelt_fields(unasked: Dashboard, tmp_path: Path) -> None:
    unasked.model["panels"][1]["options"]["cellHeight"] = "tiny"
    unasked.model["refreshed"] = "10s"
    reported = check_schema(unasked.model, tmp_path)
    assert "tiny" in reported
    assert "refreshed" in reported


def test_the_data_source_that_is_provisioned(unasked: Dashboard, tmp_path: Path) -> None:
    (source,) = provisioned("datasources")["datasources"]
    assert source["type"] == unasked.variables["datasource"]["query"]
    (tmp_path / "lens_perf.toml").write_text('[clusters.alpha]\ndsn = "host=nowhere"\n')
    base = load_settings(tmp_path / "lens_perf.toml", {}).http.base_path
    url = urlsplit(source["url"])
    assert url.path == base
    assert source["jsonData"]["allowedHosts"] == [f"{url.scheme}://{url.netloc}"]
    assert source["jsonData"]["customHealthCheckUrl"] == f"{source['url']}/clusters"
    (provider,) = provisioned("dashboards")["providers"]
    assert provider["type"] == "file"


@pytest.mark.parametrize("uid", list_rules())
def test_an_alert_rule_has_valid_references(unasked: Dashboard, uid: str) -> None:
    rule = list_rules()[uid]
    (source,) = provisioned("datasources")["datasources"]
    asked, compared = rule["data"]
    assert asked["datasourceUid"] == source["uid"]
    assert (compared["refId"], compared["model"]["expression"]) == (rule["condition"], asked["refId"])
    # A table with one column of numbers and labels is compared row by row, without an expression that reduces it.
    assert sorted(each["type"] for each in asked["model"]["columns"]) == ["number", "string", "string"]
    assert rule["annotations"]["__dashboardUid__"] == unasked.model["uid"]
    assert int(rule["annotations"]["__panelId__"]) in {each["id"] for each in unasked.panels.values()}


def test_alert_rules_use_no_environment_variables() -> None:
    text = (GRAFANA / "provisioning/alerting/lens_perf.yaml").read_text("utf-8")
    assert "$" not in "".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
