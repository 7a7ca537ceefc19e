"""The requests of Grafana's dashboard and alert rules, and their selectors, fit the answers of the service."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.workload_list import FRESH_SECONDS
from tests.conftest import Row, Store, at, insert_rows, running_app, strict_json
from tests.databases import database
from tests.faults import wait_until
from tests.grafana import Dashboard, Fetch, Infinity, list_rules
from tests.test_serving import on_one_version

END = 4_102_444_800_000


@pytest.fixture
def fetch(client: FlaskClient) -> Fetch:
    def get(path: str, accept: str) -> Any:
        response = client.get(f"/lens/v1{path}", headers={"Accept": accept})
        assert (response.status_code, response.mimetype) == (200, "application/json"), response.text
        return strict_json(response.text)

    return get


@pytest.fixture
def own_clusters(postgres: EmbeddedPostgres) -> Iterator[dict[str, str]]:
    """The DSNs of two clusters by name, without workloads of other tests, which would fill the lists."""
    with database(postgres, "grafana_alpha") as alpha, database(postgres, "grafana_beta") as beta:
        yield {"alpha": alpha, "beta": beta}


@pytest.fixture
def app(own_clusters: dict[str, str], write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    clusters = "".join(f'[clusters.{name}]\ndsn = "{dsn}"\n' for name, dsn in own_clusters.items())
    with running_app(write_settings(f'default_cluster = "alpha"\ncurrent_cluster = "beta"\n{clusters}')) as app:
        yield app


@pytest.fixture
def store(own_clusters: dict[str, str], postgres: EmbeddedPostgres) -> Store:
    def insert(uid: str, rows: Sequence[Row], cluster: str = "alpha") -> None:
        assert cluster in own_clusters
        insert_rows(postgres.dsn(f"grafana_{cluster}"), uid, rows)

    return insert


@pytest.fixture
def dashboard(fetch: Fetch) -> Dashboard:
    return Dashboard(fetch, 0, END)


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
    """Choose all clusters, the workloads, and the first option of the other variables."""
    dashboard.choose_first("cluster")
    assert dashboard.values["cluster"] == ""
    # The list of workloads is cached for FRESH_SECONDS.
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
def test_losses_are_first_and_one_is_chosen(dashboard: Dashboard, stored: list[str]) -> None:
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
        # The list may contain workloads of other tests.
        key = f"{frame['Cluster'][-1]}/{frame['Workload'][-1]}"
        here, there = (follow(dashboard, link["url"], frame, -1) for link in list_links(dashboard.panels[title]))
        assert f"var-workload={key}&" in here
        assert here.startswith(f"/d/{dashboard.model['uid']}?")
        assert there == f"{dashboard.values['lens']}#w={key}"
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
