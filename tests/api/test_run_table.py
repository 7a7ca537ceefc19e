"""The run table: a page of workloads, each with the summary of the requested metrics."""

from collections.abc import Mapping
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.api.metrics_views import SERVICE
from lens_perf.errors import CopyNotReadyError
from lens_perf.performance import workload_list
from tests.conftest import Row, Store, at, strict_json

TABLE = "/lens/v1/workloads/summary"
AWAY = ["unreachable", "without_database", "without_table"]


def read_table(client: FlaskClient, **query: Any) -> Any:
    response = client.get(TABLE, query_string=query)
    assert response.status_code == 200, response.text
    return strict_json(response.text)


@pytest.fixture(autouse=True)
def _without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_list, "FRESH_SECONDS", -1.0)


@pytest.fixture
def workloads(store: Store, uid: str) -> list[tuple[str, str]]:
    """Workloads, the latest active first."""
    rows = [Row({"loss": 9 / step, "a,b": step, "other": 1}, step, at(1000 * step)) for step in range(1, 5)]
    store(uid, rows, "alpha")
    store(f"{uid}/2", [*rows, Row({"loss": 1.5}, 9, at(9000), "wandb")], "beta")
    store(f"{uid}/3", [Row({"other": 1}, 1, at(1))], "beta")
    return [("beta", f"{uid}/2"), ("alpha", uid), ("beta", f"{uid}/3")]


def test_each_workload_with_its_summary(client: FlaskClient, workloads: list[tuple[str, str]], uid: str) -> None:
    table = read_table(client, search=uid, metrics="loss", metric="a,b")
    listed = client.get("/lens/v1/workloads", query_string={"search": uid}).json or {}
    assert [(each["cluster"], each["workload_uid"]) for each in table["workloads"]] == workloads
    assert [{**each, "metrics": None} for each in table["workloads"]] == [
        {**each, "metrics": None} for each in listed["workloads"]
    ]
    assert table["total_count"] == 3
    assert [each["cluster"] for each in table["warnings"]] == AWAY
    expected = (
        client.get(
            "/lens/v1/metrics/summary",
            query_string={
                "workload": [f"{cluster}/{each}" for cluster, each in workloads],
                "metrics": "loss",
                "metric": "a,b",
            },
        ).json
        or {}
    )
    assert [each["metrics"] for each in table["workloads"]] == [each["metrics"] for each in expected["workloads"]]
    assert table["workloads"][2]["metrics"] == []


def test_pages(client: FlaskClient, workloads: list[tuple[str, str]], uid: str) -> None:
    found, token = [], ""
    for _ in workloads:
        table = read_table(client, search=uid, metrics="loss", page_size=1, page_token=token)
        found += [(each["cluster"], each["workload_uid"]) for each in table["workloads"]]
        token = table["next_page_token"]
    assert token is None
    assert found == workloads


def test_a_cluster_that_is_down_is_a_warning(client: FlaskClient) -> None:
    for name in AWAY:
        table = read_table(client, cluster=name, metrics="loss")
        assert table["workloads"] == []
        assert [each["cluster"] for each in table["warnings"]] == [name]


def test_a_copy_that_is_not_ready_is_a_warning(
    app: Flask, client: FlaskClient, workloads: list[tuple[str, str]], uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = app.extensions[SERVICE].copies
    answer = copies.answer

    def refuse(cluster: str, workload_uid: str, *rest: Any, **options: Any) -> Any:
        if workload_uid == uid:
            raise CopyNotReadyError("later", 0.5)
        return answer(cluster, workload_uid, *rest, **options)

    monkeypatch.setattr(copies, "answer", refuse)
    table = read_table(client, search=uid, metrics="loss")
    assert [each["metrics"] is None for each in table["workloads"]] == [False, True, False]
    assert table["warnings"][-1] == {"cluster": "alpha", "workload_uid": uid, "message": "later"}


@pytest.mark.parametrize(
    "query",
    [{}, {"metrics": ""}, {"metrics": "all"}, {"metrics": "{}"}, {"metric": []}, {"metrics": "all", "metric": "loss"}],
    ids=str,
)
def test_names_are_required(client: FlaskClient, query: Mapping[str, Any]) -> None:
    response = client.get(TABLE, query_string=query)
    assert response.status_code == 400
    assert (response.json or {})["message"].startswith("metrics is required")


def test_bad_parameters(client: FlaskClient) -> None:
    for query in ({"cluster": "nix"}, {"page_token": "x"}, {"serial": 1}, {"metric": "a\0"}):
        assert client.get(TABLE, query_string={"metrics": "loss", **query}).status_code == 400
