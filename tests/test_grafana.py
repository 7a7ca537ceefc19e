"""The dashboards for Grafana ask what the service answers, and select what fits their plugins' rules."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from lens_perf.performance.workload_list import FRESH_SECONDS
from tests.conftest import Row, Store, at, strict_json
from tests.faults import wait_until
from tests.grafana import Grafana
from tests.test_serving import on_one_version

END = 4_102_444_800_000
PANELS = ("State", "Done", "Progress", "Iterations", "${metrics}", "Workloads of the cluster")


@pytest.fixture(params=["infinity", "json-api"])
def grafana(request: pytest.FixtureRequest, client: FlaskClient) -> Grafana:
    def fetch(path: str, accept: str) -> Any:
        response = client.get(f"/lens/v1{path}", headers={"Accept": accept})
        assert (response.status_code, response.mimetype) == (200, "application/json"), response.text
        return strict_json(response.text)

    return Grafana(request.param, fetch, 0, END)


@pytest.fixture
def stored(store: Store, uid: str) -> str:
    """A workload with a name that needs quoting, restarted once, told of by two sources, with a loss that is NaN."""
    name = f"{uid} 50% é"
    rows = [
        Row({"loss": "NaN" if index == 7 else 1 / index, "target_iteration": 50}, index, at(index * 1000))
        for index in range(1, 21)
    ]
    rows += [Row({"loss": 1 / index}, index, at(60_000 + index * 1000)) for index in range(15, 31)]
    rows += [Row({"history": True, "train/loss": 1}, 20, at(20_000), data_source="wandb")]
    store(name, rows)
    return name


def choose(grafana: Grafana, uid: str, source: str = "") -> None:
    """Choose in each variable in turn, as its list offers it."""
    clusters = grafana.options("cluster")
    grafana.values["cluster"] = clusters["alpha"]
    # A look at the list of workloads is shared for so long.
    wait_until(lambda: uid in grafana.options("workload"), 5 * FRESH_SECONDS)
    grafana.values["workload"] = uid
    sources = grafana.options("source")
    assert sources == {"all": "", "log": "log", "wandb": "wandb"}
    grafana.values["source"] = sources[source or "all"]
    grafana.values["metrics"] = list(grafana.options("metrics").values())


@on_one_version
def test_a_workload(grafana: Grafana, stored: str) -> None:
    choose(grafana, stored)
    assert grafana.values["metrics"] == ["loss", "target_iteration", "train/loss"]
    assert grafana.panel("State") == {"State": ["ended"]}
    assert grafana.panel("Done") == {"Done": [0.6]}
    progress = grafana.panel("Progress")
    assert progress["Iteration"] + progress["Of"] + progress["Restarts"] == [30, 50, 1]
    assert progress["Time to go"] == [None]
    assert progress["Per iteration"] == [1.0]
    points = grafana.panel("${metrics}")
    assert points["time"] == sorted(points["time"])
    assert len(points["value"]) == 19 + 20 + 16 + 1
    times = grafana.panel("Iterations")
    assert times["time"] == sorted(times["time"])
    assert set(times["value"]) == {*range(1, 31), 50}
    workloads = grafana.panel("Workloads of the cluster")
    assert workloads["Workload"] == list(grafana.options("workload"))[:100]
    assert all(isinstance(records, int) for records in workloads["Records"])


@on_one_version
def test_one_source_and_one_metric(grafana: Grafana, stored: str) -> None:
    choose(grafana, stored, "wandb")
    assert grafana.values["metrics"] == ["train/loss"]
    points = grafana.panel("${metrics}")
    assert points["value"] == [1]
    labels = [values[0] for name, values in points.items() if name not in ("time", "value")]
    assert labels == (["train/loss", "wandb"] if grafana.kind == "infinity" else ["train/loss (wandb)"])


@on_one_version
def test_panels_without_anything_to_show(grafana: Grafana, uid: str) -> None:
    grafana.values |= {"cluster": "", "workload": uid, "source": "", "metrics": []}
    assert grafana.options("source") == {"all": ""}
    assert grafana.options("metrics") == {}
    assert grafana.panel("State") == {"State": [None]}
    assert set(map(tuple, grafana.panel("Progress").values())) == {(None,)}
    grafana.values["metrics"] = "all"
    for title in ("${metrics}", "Iterations"):
        assert set(map(tuple, grafana.panel(title).values())) == {()}


def test_every_panel_was_asked(grafana: Grafana) -> None:
    assert tuple(panel["title"] for panel in grafana.dashboard["panels"]) == PANELS
    assert grafana.dashboard["uid"] == f"lens-perf-workloads-{grafana.kind}"
