"""HEAD has the headers of GET, without a body and without reading data points; ``If-None-Match: *`` gives 304."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lens_perf.clusters.transaction import ReadTransaction
from tests.conftest import Row, Store, at

BASE = "/lens/v1/workloads/{uid}"
POINTS = (
    "metrics/data",
    "metrics/data?metrics=loss&format=csv",
    "metrics/data?format=ndjson",
    "metrics/data?format=parquet",
    "metrics/data?format=parquet&layout=wide",
    "metrics/data?layout=columns",
    "metrics/data?max_points=2",
    "metrics/iteration-times",
)
# Previews and changes have no ETag.
WITHOUT_ETAG = ("metrics/data?max_points=2&method=stride", "metrics/data?after=")
BODIES = ("metrics/sources", "metrics/available", "metrics/available?data_source=wandb")
ERRORS = (
    "metrics/data?cluster=unreachable",
    "metrics/data?cluster=without_table",
    "metrics/sources?cluster=unreachable",
    "metrics/data?cluster=nobody",
    "metrics/data?start=5",
    "metrics/data?after=x",
    "metrics/nothing",
)
# Headers that differ between requests.
OWN = {"X-Request-Id", "Server-Timing", "ETag", "Content-Length", "Date"}


@pytest.fixture
def path(store: Store, uid: str) -> str:
    # So few that the response is not compressed.
    store(uid, [Row({"loss": index / 7, "lr": 1}, index, at(index)) for index in range(4)])
    return BASE.format(uid=uid) + "/"


def others(response: TestResponse) -> Mapping[str, str]:
    return {name: value for name, value in response.headers.items() if name not in OWN}


@pytest.mark.parametrize("question", BODIES)
def test_of_a_body(client: FlaskClient, path: str, question: str) -> None:
    get, head = client.get(path + question), client.head(path + question)
    assert (head.status_code, head.data) == (get.status_code, b"") == (200, b"")
    assert others(head) == others(get)
    assert head.content_length == get.content_length == len(get.data)


@pytest.mark.parametrize("question", ["/lens/v1/workloads?page_size=1", "/lens/v1/clusters", "progress"])
def test_of_a_body_that_changes(client: FlaskClient, path: str, question: str) -> None:
    address = question if question.startswith("/") else path + question
    get, head = client.get(address), client.head(address)
    assert (head.status_code, head.data) == (get.status_code, b"") == (200, b"")
    assert others(head) == others(get)
    assert head.content_length


@pytest.mark.parametrize("question", POINTS)
def test_of_data_points(client: FlaskClient, store: Store, uid: str, path: str, question: str) -> None:
    get, head = client.get(path + question), client.head(path + question)
    assert (head.status_code, head.data) == (get.status_code, b"") == (200, b"")
    assert others(head) == others(get)
    assert "Content-Length" not in head.headers
    for etag in (get.headers["ETag"], head.headers["ETag"]):
        for ask in (client.get, client.head):
            answer = ask(path + question, headers={"If-None-Match": etag})
            assert (answer.status_code, answer.data) == (304, b"")
            assert answer.headers["ETag"] == etag
    store(uid, [Row({"loss": 1}, 99)])
    changed = client.head(path + question, headers={"If-None-Match": etag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


@pytest.mark.parametrize("question", WITHOUT_ETAG)
def test_without_etag(client: FlaskClient, path: str, question: str) -> None:
    head = client.head(path + question)
    assert (head.status_code, head.data) == (200, b"")
    assert not {"ETag", "Content-Length"} & set(head.headers.keys())


@pytest.mark.parametrize("question", ERRORS)
@pytest.mark.parametrize("known", ["", "*"])
def test_of_an_error(client: FlaskClient, path: str, question: str, known: str) -> None:
    """Conditions do not apply to errors; RFC 9110, section 13.2.1."""
    headers = {"If-None-Match": known} if known else {}
    get, head = client.get(path + question, headers=headers), client.head(path + question, headers=headers)
    assert head.status_code == get.status_code >= 400
    assert others(head) == others(get)
    assert head.data == b""


@pytest.mark.parametrize("question", [*POINTS, *BODIES, "progress", *WITHOUT_ETAG])
def test_a_star_matches_any_response(client: FlaskClient, path: str, question: str) -> None:
    """RFC 9110, section 13.1.2: ``*`` stands for whatever the answer is; also of a workload that is unknown."""
    for address in (path + question, f"{BASE.format(uid='unknown')}/{question}"):
        for ask in (client.get, client.head):
            answer = ask(address, headers={"If-None-Match": "*"})
            assert (answer.status_code, answer.data) == (304, b"")
            assert "Content-Type" not in answer.headers
            assert ("ETag" in answer.headers) is (question in POINTS)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements that are run, without their values."""
    ran: list[str] = []
    for name in ("fetch_all", "copy_out"):
        original: Callable[..., Any] = getattr(ReadTransaction, name)

        def run(self: ReadTransaction, statement: str, *rest: Any, original: Callable[..., Any] = original) -> Any:
            ran.append(statement)
            return original(self, statement, *rest)

        monkeypatch.setattr(ReadTransaction, name, run)
    return ran


@pytest.mark.parametrize("question", [*POINTS, *BODIES, "progress", "metrics/data?after="])
@pytest.mark.parametrize("known", ["", "*", 'W/"other"'])
def test_head_runs_only_statements_of_get(
    client: FlaskClient, path: str, statements: list[str], question: str, known: str
) -> None:
    headers = {"If-None-Match": known} if known else {}
    for _ in range(2):  # the second request uses the cached state
        client.get(path + question, headers=headers)
    of_get = set(statements)
    statements.clear()
    assert client.head(path + question, headers=headers).status_code in {200, 304}
    of_head = list(statements)
    # A transaction of the server's own, such as autovacuum's, in between is looked into by all later requests.
    client.get(path + question, headers=headers)
    assert of_head
    assert set(of_head) <= of_get | set(statements[len(of_head) :])
    assert not [each for each in of_head if "COPY" in each]


SEVERAL = "/lens/v1/metrics/data?metrics=loss&workload="


@pytest.mark.parametrize(
    "query", ["nobody/x", "alpha/x&after=abc", "alpha/x&workload=nobody/x", "alpha/x&layout=wide&metrics="]
)
def test_an_error_of_several_workloads(client: FlaskClient, query: str) -> None:
    answers = [
        client.get(SEVERAL + query),
        client.head(SEVERAL + query),
        client.get(SEVERAL + query, headers={"If-None-Match": "*"}),
    ]
    assert [answer.status_code for answer in answers] == [400, 400, 400]
    assert len({answer.headers.get("Cache-Control") for answer in answers}) == 1


def test_of_a_compressed_body(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({f"metric_{number}": number for number in range(60)})])
    path = BASE.format(uid=uid) + "/metrics/"
    accepting = {"Accept-Encoding": "gzip"}
    get, head = (ask(path + "available", headers=accepting) for ask in (client.get, client.head))
    assert get.headers["Content-Encoding"] == "gzip"
    assert others(head) == others(get)
    assert head.content_length == get.content_length == len(get.data)
    get, head = (ask(path + "data", headers=accepting) for ask in (client.get, client.head))
    assert head.headers["Vary"] == get.headers["Vary"]
    unchanged = client.get(path + "data", headers={**accepting, "If-None-Match": get.headers["ETag"]})
    assert (unchanged.status_code, unchanged.headers["Vary"]) == (304, get.headers["Vary"])
