"""The valid forms of parameters."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.conftest import Ask, Row, Store, at

ALL = {"all", "a", "b", "loss"}


@pytest.fixture(autouse=True)
def rows(store: Store, uid: str) -> None:
    store(uid, [Row(dict.fromkeys(ALL, 1), 1, at(1000)), Row({"loss": 2}, 2, at(2000), "wandb")])


def names(answer: Any) -> set[str]:
    return {point["metric_name"] for point in answer["data"]}


@pytest.mark.parametrize(
    "metrics", ["", " ", "all", "ALL", "All", " all ", "{all}", "{}", "{ }", ",", "{,}", "all,all"]
)
def test_all_metrics(ask: Ask, metrics: str) -> None:
    if metrics == "all,all":
        assert names(ask("data", metrics=metrics)) == {"all"}
    else:
        assert ask("data", metrics=metrics) == ask("data")
        assert names(ask("data", metrics=metrics)) == ALL


@pytest.mark.parametrize(
    "metrics", ["a,b", "{a,b}", " a , b ", "{ a,b }", "a,,b,", "a,b,a", "{a,b,nix}", "a,b,c,d,e,f"]
)
def test_lists_of_metrics(ask: Ask, metrics: str) -> None:
    points = ask("data", metrics=metrics)["data"]
    assert [point["metric_name"] for point in points] == ["a", "b"]


def test_verbatim_metrics(ask: Ask) -> None:
    assert names(ask("data", metric="all")) == {"all"}
    assert names(ask("data", metric=["a", "b"])) == {"a", "b"}
    assert names(ask("data", metrics="a", metric="b")) == {"a", "b"}
    assert names(ask("data", metrics="", metric="b")) == {"b"}
    assert names(ask("data", metrics="all", metric="b")) == ALL
    assert names(ask("data", metric=" a")) == set()


def test_empty_parameters_count_as_absent(ask: Ask) -> None:
    assert ask("data", cluster="", data_source="", metrics="") == ask("data")
    assert ask("available", cluster="", data_source="") == ask("available")
    assert "data_source" not in ask("iteration-times", data_source="")


def test_data_source_appears_only_if_asked_for(ask: Ask) -> None:
    assert list(ask("data")) == ["workload_uid", "data", "total_count"]
    assert list(ask("data", data_source="wandb")) == ["workload_uid", "data_source", "data", "total_count"]
    assert list(ask("available", data_source="wandb")) == ["workload_uid", "metrics", "total_count"]


@pytest.mark.parametrize(
    ("start", "end", "iterations"),
    [
        (1000, 1000, [1]), (1001, 2000, [2]), (-(2**63), 2**63 - 1, [1, 2]), (-(2**63), -(2**63), []),
        (2**63 - 1, 2**63 - 1, []), ("-0", "0001999", [1]), (-5, 1000, [1]),
    ],
)  # fmt: skip
def test_time_ranges(ask: Ask, start: Any, end: Any, iterations: list[int]) -> None:
    assert [point["iteration"] for point in ask("data", start=start, end=end, metrics="loss")["data"]] == iterations
    assert [point["value"] for point in ask("iteration-times", start=start, end=end)["data"]] == iterations


def test_an_ascii_separator_is_not_blank(client: FlaskClient) -> None:
    """Python's strip() removes it; the published pattern and JavaScript do not."""
    answer = client.get("/lens/v1/workloads/%1E/metrics/sources")
    assert (answer.status_code, answer.json["workload_uid"]) == (200, "\x1e")


@pytest.mark.parametrize("endpoint", ["data", "summary", "iteration-times"])
def test_an_empty_serial_counts_as_absent(ask: Ask, endpoint: str) -> None:
    assert ask(endpoint, serial="") == ask(endpoint)
    assert ask(endpoint, serial=["", "7"]) == ask(endpoint, serial="7") != ask(endpoint)


def test_the_metric_with_the_empty_name(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"": 5}, 3, at(3000))])
    assert [point["value"] for point in ask("data", metric="")["data"]] == [5]


@pytest.mark.parametrize("layout", ["", "points"])
@pytest.mark.parametrize("media_type", ["text/csv", "application/x-ndjson", "application/vnd.apache.parquet"])
def test_the_header_decides_without_a_format(client: FlaskClient, uid: str, layout: str, media_type: str) -> None:
    path = f"/lens/v1/workloads/{uid}/metrics/data?layout={layout}"
    assert client.get(path, headers={"Accept": media_type}).mimetype == media_type


def test_a_range_that_a_file_does_not_have(client: FlaskClient, uid: str) -> None:
    path = f"/lens/v1/workloads/{uid}/metrics/data?format=parquet"
    length = client.get(path).content_length
    assert client.get(path, headers={"Range": "bytes=0-3"}).status_code == 206
    for wanted in ("bytes=99999999-", "bytes=0-3,5-6"):
        response = client.get(path, headers={"Range": wanted})
        assert (response.status_code, response.headers["Content-Range"]) == (416, f"bytes */{length}")
        assert "Content-Range" in response.json["message"]
