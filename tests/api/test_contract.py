"""Every example request of the contract, with data that yield its example response."""

import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from lens_perf.api import schemas
from tests.conftest import Row, Store, at, strict_json

FIRST, SECOND = at(1701734400000), at(1701734460000)


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(path)
    assert response.status_code == 200, response.text
    assert response.mimetype == "application/json"
    return strict_json(response.text)


@pytest.fixture
def wandb_run(store: Store, uid: str) -> str:
    """The workload of the contract's data and iteration-times examples."""
    metadata = {"step": 100, "run_id": "r", "source": "wandb", "history": {}, "created_at": 1, "updated_at": 2}
    store(
        uid,
        [
            Row({"loss": 0.5432, "accuracy": 0.8765, "target_iteration": 10000, **metadata}, 100, FIRST, "wandb"),
            Row({"loss": 0.4321, "target_iteration": 10000, **metadata}, 200, SECOND, "wandb"),
            Row({"loss": 9.5}, 300, at(1701999999999), "log"),
        ],
    )
    return uid


def test_sources(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({}, data_source="wandb")] * 1500 + [Row({}, data_source="log")] * 800)
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/sources?cluster=alpha")
    expected = json.dumps(schemas.SOURCES_EXAMPLE, separators=(",", ":")).replace("abc123", uid)
    assert response.text == expected + "\n"


def test_available(client: FlaskClient, store: Store, uid: str) -> None:
    wandb = Row({"loss": 1, "accuracy": 2, "learning_rate": 3, "step": 4}, data_source="wandb")
    log = Row({"loss": 1, "learning_rate": 3}, data_source="log")
    store(uid, [wandb] * 1500 + [log] * 800)
    answer = get(client, f"/lens/v1/workloads/{uid}/metrics/available")
    # The contract's example, sorted by name.
    expected = sorted(schemas.AVAILABLE_EXAMPLE["metrics"], key=lambda metric: metric["name"])  # type: ignore[index]
    assert answer == {"workload_uid": uid, "metrics": expected, "total_count": 3}


def test_available_of_one_source(client: FlaskClient, wandb_run: str) -> None:
    answer = get(client, f"/lens/v1/workloads/{wandb_run}/metrics/available?data_source=wandb")
    assert [metric["name"] for metric in answer["metrics"]] == ["accuracy", "loss", "target_iteration"]
    assert answer["metrics"][1] == {"name": "loss", "data_source": ["wandb"], "count": 2}


def test_metadata_fields_are_metrics_of_other_sources(client: FlaskClient, store: Store, uid: str) -> None:
    fields = {"step": 1, "run_id": 2, "source": 3, "history": 4, "created_at": 5, "updated_at": 6}
    store(
        uid, [Row(fields, data_source="log"), Row(fields, data_source="tensorflow"), Row(fields, data_source="wandb")]
    )
    for query in (
        "",
        "?metrics=step,run_id,source,history,created_at,updated_at",
        "?metrics=step,run_id,source,history",
    ):
        answer = get(client, f"/lens/v1/workloads/{uid}/metrics/data{query}")
        expected = 4 if query.endswith("history") else 6
        assert answer["total_count"] == 2 * expected
        assert {point["data_source"] for point in answer["data"]} == {"log", "tensorflow"}


def test_data_example_bytes(client: FlaskClient, wandb_run: str) -> None:
    response = client.get(f"/lens/v1/workloads/{wandb_run}/metrics/data?data_source=wandb&metrics=loss")
    points = [point for point in schemas.DATA_EXAMPLE["data"] if point["metric_name"] == "loss"]  # type: ignore[attr-defined]
    example = {**schemas.DATA_EXAMPLE, "workload_uid": wandb_run, "data": points, "total_count": 2}
    assert response.text == json.dumps(example, separators=(",", ":")) + "\n"
    assert response.content_length == len(response.data)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["accuracy", "loss", "target_iteration"]),
        ("?metrics=loss,accuracy", ["accuracy", "loss"]),
        ("?metrics={loss,accuracy}", ["accuracy", "loss"]),
        ("?metrics=loss&start=1701734400000&end=1701820800000", ["loss"]),
        ("?data_source=wandb&metrics=loss", ["loss"]),
    ],
)
def test_data_requests(client: FlaskClient, wandb_run: str, query: str, names: list[str]) -> None:
    answer = get(client, f"/lens/v1/workloads/{wandb_run}/metrics/data{query}")
    assert sorted({point["metric_name"] for point in answer["data"]}) == names
    assert answer["total_count"] == len(answer["data"])
    assert ("data_source" in answer) == ("data_source" in query)
    in_range = "start" in query or "data_source" in query
    assert any(point["iteration"] == 300 for point in answer["data"]) != in_range


def test_iteration_times_example_bytes(client: FlaskClient, wandb_run: str) -> None:
    response = client.get(f"/lens/v1/workloads/{wandb_run}/metrics/iteration-times?data_source=wandb")
    example = {**schemas.ITERATION_TIMES_EXAMPLE, "workload_uid": wandb_run}
    assert response.text == json.dumps(example, separators=(",", ":")) + "\n"


def test_iteration_times_keep_the_earliest_record(client: FlaskClient, store: Store, uid: str) -> None:
    store(
        uid,
        [
            Row({"target_iteration": 9}, 7, SECOND),
            Row({}, 7, FIRST, "wandb"),
            Row({"target_iteration": "NaN"}, 8, SECOND),
            Row({"target_iteration": 8}, None, FIRST),
        ],
    )
    answer = get(client, f"/lens/v1/workloads/{uid}/metrics/iteration-times")
    assert [
        (each["metric_name"], each["value"], each["timestamp"], each["data_source"]) for each in answer["data"]
    ] == [
        ("iteration", 7, 1701734400000, "wandb"),
        ("iteration", 8, 1701734460000, "log"),
    ]


def test_unknown_workload_is_empty(client: FlaskClient, uid: str) -> None:
    prefix = f"/lens/v1/workloads/{uid}/metrics"
    assert get(client, f"{prefix}/sources") == {"workload_uid": uid, "data_sources": [], "total_count": 0}
    assert get(client, f"{prefix}/available") == {"workload_uid": uid, "metrics": [], "total_count": 0}
    empty = {"workload_uid": uid, "data": [], "total_count": 0}
    assert get(client, f"{prefix}/data") == get(client, f"{prefix}/iteration-times") == empty
    assert get(client, f"{prefix}/data?metrics=a,b,c,d,e") == empty


def test_metrics_have_the_order_of_the_request(client: FlaskClient, store: Store, uid: str) -> None:
    names = ["zeta", "a", "metric", "b", "loss", "y"]
    store(uid, [Row(dict.fromkeys(names, 1), 1, FIRST), Row(dict.fromkeys(names, 2), 2, SECOND)])
    for asked in (["zeta", "a", "loss"], ["y", "zeta", "b", "metric", "a", "loss"], ["loss", "nothing", "y", "a", "b"]):
        answer = get(client, f"/lens/v1/workloads/{uid}/metrics/data?metrics={','.join(asked)}")
        expected = [name for name in asked if name in names]
        assert [point["metric_name"] for point in answer["data"]] == expected * 2
    stored = [point["metric_name"] for point in get(client, f"/lens/v1/workloads/{uid}/metrics/data")["data"]]
    assert stored == ["a", "b", "y", "loss", "zeta", "metric"] * 2  # JSONB's own order: by length, then bytes


def test_numbers_are_returned_as_stored(client: FlaskClient, store: Store, uid: str) -> None:
    numbers = ["0.10", "-0.0000001", "123456789012345678901234567890", "1E-7", "0.1234567890123456789012345", "5"]
    store(uid, [Row(f'{{"a": {number}}}', index) for index, number in enumerate(numbers)])
    stored = ["0.10", "-0.0000001", numbers[2], "0.0000001", numbers[4], "5"]
    for query in ("", "?metrics=a", "?metrics=a,b,c,d,e"):
        text = client.get(f"/lens/v1/workloads/{uid}/metrics/data{query}").text
        assert re.findall(r'"value":([^,]*),', text) == stored
