"""The dashboard and the alert rules for Grafana: what they ask, what they select, and the schema they keep to."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from flask.testing import FlaskClient

from lens_perf.config import load_settings
from lens_perf.performance.workload_list import FRESH_SECONDS
from tests.conftest import Row, Store, at, strict_json
from tests.faults import wait_until
from tests.grafana import GRAFANA, NPM, Dashboard, Fetch, Infinity, find_node
from tests.test_serving import on_one_version

END = 4_102_444_800_000
PANELS = ("Progress", "${metrics}", "Iterations", "Workloads")


@pytest.fixture
def fetch(client: FlaskClient) -> Fetch:
    def get(path: str, accept: str) -> Any:
        response = client.get(f"/lens/v1{path}", headers={"Accept": accept})
        assert (response.status_code, response.mimetype) == (200, "application/json"), response.text
        return strict_json(response.text)

    return get


@pytest.fixture
def dashboard(fetch: Fetch) -> Dashboard:
    return Dashboard(fetch, 0, END)


@pytest.fixture
def unasked() -> Dashboard:
    """The dashboard without a service."""

    def refuse(path: str, _accept: str) -> Any:
        raise AssertionError(path)

    return Dashboard(refuse, 0, END)


@pytest.fixture
def stored(store: Store, uid: str) -> list[str]:
    """Two workloads of two clusters: one of two sources, restarted once, and one whose uid has a slash."""
    name = f"{uid} 50% é"
    rows = [
        Row({"loss": "NaN" if index == 7 else 1 / index, "target_iteration": 50}, index, at(index * 1000))
        for index in range(1, 21)
    ]
    rows += [Row({"loss": 1 / index}, index, at(60_000 + index * 1000)) for index in range(15, 31)]
    rows += [Row({"history": True, "train/loss": 1}, 20, at(20_000), data_source="wandb")]
    store(name, rows)
    store(f"{uid}/other", [Row({"loss": index, "accuracy": 0.5}, index, at(index * 2000)) for index in (1, 2)], "beta")
    return [f"alpha/{name}", f"beta/{uid}/other"]


def choose(dashboard: Dashboard, workloads: list[str]) -> None:
    """Choose all clusters and the workloads, as the lists offer them, and in the others the first option."""
    dashboard.choose_first("cluster")
    assert dashboard.values["cluster"] == ""
    # The list of workloads is kept for so long.
    wait_until(lambda: set(workloads) <= set(dashboard.options("workload")), 5 * FRESH_SECONDS)
    dashboard.values["workload"] = workloads
    dashboard.choose_first("source")
    dashboard.choose_first("metrics")


@on_one_version
def test_several_workloads(dashboard: Dashboard, stored: list[str]) -> None:
    choose(dashboard, stored)
    assert dashboard.options("source") == {"all": "", "log": "log", "wandb": "wandb"}
    names = [key.partition("/")[2] for key in stored]
    progress = dashboard.panel("Progress")
    assert progress["Workload"] == names
    assert progress["State"] == ["ended", "ended"]
    assert progress["Done"] == [0.6, None]
    assert [progress[column][0] for column in ("Iteration", "Target", "Restarts", "Per iteration", "ETA")] == [
        *(30, 50, 1, 1.0),
        None,
    ]
    series = dashboard.series("${metrics}")
    assert {labels: len(part["value"]) for labels, part in series.items()} == {
        (names[0], "loss", "log"): 19 + 16,
        (names[1], "loss", "log"): 2,
    }
    iterations = dashboard.series("Iterations")
    assert iterations[names[1],]["iteration"] == [1, 2]
    for part in (*series.values(), *iterations.values()):
        assert part["time"] == sorted(part["time"])


@on_one_version
def test_losses_come_first_and_one_is_chosen(dashboard: Dashboard, stored: list[str]) -> None:
    choose(dashboard, stored)
    assert list(dashboard.options("metrics")) == ["loss", "train/loss", "target_iteration", "accuracy"]
    assert dashboard.values["metrics"] == ["loss"]
    assert not dashboard.variables["metrics"]["includeAll"]


@on_one_version
def test_one_source_and_several_metrics(dashboard: Dashboard, stored: list[str]) -> None:
    choose(dashboard, stored)
    dashboard.values |= {"source": "wandb", "metrics": ["loss", "train/loss"]}
    assert list(dashboard.series("${metrics}")) == [(stored[0].partition("/")[2], "train/loss", "wandb")]


@on_one_version
def test_restarts_are_annotations(dashboard: Dashboard, stored: list[str]) -> None:
    choose(dashboard, stored)
    (annotation,) = dashboard.model["annotations"]["list"]
    assert annotation["enable"]
    assert dashboard.ask(annotation["target"]) == {
        "time": [75_000],
        "title": [stored[0].partition("/")[2]],
        "text": ["Attempt 2 begins at iteration 15"],
        "tags": ["restart"],
    }
    dashboard.values["workload"] = stored[1:]
    assert dashboard.ask(annotation["target"])["time"] == []


@on_one_version
def test_a_workload_without_records(dashboard: Dashboard, uid: str) -> None:
    dashboard.values |= {"cluster": "", "workload": [f"alpha/{uid}"], "source": "", "metrics": ["loss"]}
    assert dashboard.options("source") == {"all": ""}
    assert dashboard.options("metrics") == {}
    assert dashboard.panel("Progress")["State"] == [None]
    assert dashboard.series("${metrics}") == dashboard.series("Iterations") == {}


@on_one_version
def test_links_lead_to_the_workload(dashboard: Dashboard, stored: list[str], client: FlaskClient) -> None:
    choose(dashboard, stored)
    for title in ("Progress", "Workloads"):
        frame = dashboard.panel(title)
        row = frame["Workload"].index(stored[1].partition("/")[2])
        here, there = (follow(dashboard, link["url"], frame, row) for link in list_links(dashboard.panels[title]))
        assert f"var-workload={stored[1]}&" in here
        assert here.startswith(f"/d/{dashboard.model['uid']}?")
        assert there == f"{dashboard.values['lens']}#w={stored[1]}"
        assert client.get(urlsplit(there).path).status_code == 200


def list_links(panel: Any) -> Iterator[Any]:
    for override in panel["fieldConfig"]["overrides"]:
        for each in override["properties"]:
            yield from each["value"] if each["id"] == "links" else ()


def follow(dashboard: Dashboard, url: str, frame: Any, row: int) -> str:
    """Return the address behind a link, decoded once."""
    for name, values in frame.items():
        url = url.replace(f"${{__data.fields.{name}:percentencode}}", str(values[row]))
    dashboard.values |= {"datasource": "lens_perf", "__url_time_range": "from=now-24h&to=now"}
    return unquote(dashboard.fill(url))


def test_every_panel_was_asked(unasked: Dashboard) -> None:
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
    """Return what TypeScript has to say of a dashboard as a value of the types that Grafana publishes."""
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


def test_the_schema_refuses_what_is_misspelt(unasked: Dashboard, tmp_path: Path) -> None:
    unasked.model["panels"][1]["options"]["cellHeight"] = "tiny"
    unasked.model["refreshed"] = "10s"
    told = check_schema(unasked.model, tmp_path)
    assert "tiny" in told
    assert "refreshed" in told


def provisioned(kind: str) -> Any:
    return yaml.safe_load((GRAFANA / "provisioning" / kind / "lens_perf.yaml").read_text("utf-8"))


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


def list_rules() -> dict[str, Any]:
    (group,) = provisioned("alerting")["groups"]
    return {rule["uid"]: rule for rule in group["rules"]}


@on_one_version
def test_the_alert_rules(fetch: Fetch, store: Store, uid: str) -> None:
    store(f"{uid}-good", [Row({"loss": 1}, 1, at(END - 1000))])
    store(
        f"{uid}-bad", [Row({"loss": 1}, 1, at(END - 2000)), Row({"train/loss": '"NaN"'.strip('"')}, 2, at(END - 1000))]
    )
    rules = list_rules()
    infinity = Infinity(fetch, {})
    query = rules["lens-perf-loss-non-finite"]["data"][0]["model"]

    def ask() -> dict[str, float]:
        frame = infinity.ask(query)
        return dict(zip(frame["workload"], frame["non_finite"], strict=True))

    wait_until(lambda: {f"{uid}-good", f"{uid}-bad"} <= set(ask()), 5 * FRESH_SECONDS)
    found = ask()
    assert (found[f"{uid}-good"], found[f"{uid}-bad"]) == (0, 1)
    query = rules["lens-perf-stalled"]["data"][0]["model"]
    assert rules["lens-perf-stalled"]["isPaused"]
    query["url"] = query["url"].replace("my-cluster%2Fmy-workload", f"alpha%2F{uid}-good")
    assert infinity.ask(query) == {"cluster": ["alpha"], "workload": [f"{uid}-good"], "stalled": [0]}


@pytest.mark.parametrize("uid", list_rules())
def test_an_alert_rule_leads_somewhere(unasked: Dashboard, uid: str) -> None:
    rule = list_rules()[uid]
    (source,) = provisioned("datasources")["datasources"]
    asked, compared = rule["data"]
    assert asked["datasourceUid"] == source["uid"]
    assert (compared["refId"], compared["model"]["expression"]) == (rule["condition"], asked["refId"])
    # A table with one column of numbers and labels is compared row by row, without an expression that reduces it.
    assert sorted(each["type"] for each in asked["model"]["columns"]) == ["number", "string", "string"]
    assert rule["annotations"]["__dashboardUid__"] == unasked.model["uid"]
    assert int(rule["annotations"]["__panelId__"]) in {each["id"] for each in unasked.panels.values()}


def test_nothing_in_the_alert_rules_names_a_variable_of_the_environment() -> None:
    text = (GRAFANA / "provisioning/alerting/lens_perf.yaml").read_text("utf-8")
    assert "$" not in "".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
