"""The statements for Citus: the service gives the same answers with them, and Citus can run each of them."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.extras import execute_values

from lens_perf.clusters import transaction
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import INSERT, Row, at, running_app, two_clusters
from tests.performance.citus_rule import TABLE, list_violations

ROWS = [
    *(Row({"loss": 1 / i, "lr": 0.1}, i, at(i * 1000)) for i in range(1, 40)),
    *(Row({"loss": i, "step": i, "note": "text"}, i, at(i * 1000 + 1), "wandb") for i in range(1, 30)),
    *(Row('{"loss": "NaN", "target_iteration": 90}', i, at(i), "tensorflow") for i in (7, 8, 8)),
    Row({"loss": 3}, None, at(5)),
    Row({"loss": 4}, 3, None, None),
    Row({"loss": 5}, 4, "infinity"),
]
QUERIES = [
    "metrics/sources",
    "metrics/available",
    "metrics/data",
    "metrics/data?metrics=loss&data_source=log",
    "metrics/data?metrics=loss&start=5000&end=20000",
    "metrics/data?max_points=5",
    "metrics/data?max_points=5&method=stride",
    "metrics/data?max_points=5&method=stride&metrics=loss&data_source=wandb",
    "metrics/data?layout=wide&format=csv",
    "metrics/data?non_finite=true&format=ndjson",
    "metrics/iteration-times",
    "metrics/iteration-times?data_source=wandb",
    "metrics/summary",
    "progress",
]


@pytest.fixture(scope="module")
def apps(postgres18: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Flask, Flask]]:
    """The service with the statements for PostgreSQL and for Citus, on the same clusters."""
    with ExitStack() as stack:

        def start(name: str, *, as_on_citus: bool) -> Flask:
            path = tmp_path_factory.mktemp(name) / "lens_perf.toml"
            path.write_text(f'{two_clusters(postgres18)}\n[columns]\ndirectory = "{path.parent}/columns"\n', "utf-8")
            return stack.enter_context(running_app(path, as_on_citus=as_on_citus))

        yield start("plain", as_on_citus=False), start("citus", as_on_citus=True)


@dataclass(frozen=True)
class Pair:
    """A client of each service, and one cluster that both read."""

    plain: FlaskClient
    as_on_citus: FlaskClient
    cluster: str
    connection: Connection

    def add(self, uid: str, rows: Sequence[Row]) -> None:
        """Store rows of a workload."""
        with self.connection, self.connection.cursor() as cursor:
            execute_values(cursor, INSERT, [row.values(uid) for row in rows])

    def make_path(self, uid: str, query: str) -> str:
        """Return the path of a query about a workload."""
        return f"/lens/v1/workloads/{uid}/{query}{'&' if '?' in query else '?'}cluster={self.cluster}"


@pytest.fixture
def pair(apps: tuple[Flask, Flask], postgres18: EmbeddedPostgres, cluster: str) -> Iterator[Pair]:
    with closing(psycopg2.connect(postgres18.dsn(cluster))) as connection:
        yield Pair(*(app.test_client() for app in apps), cluster, connection)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements sent to the clusters, with their parameters."""
    sent: list[str] = []
    bind = transaction._bind

    def keep(cursor: Any, statement: str, parameters: Any) -> bytes:
        bound = bind(cursor, statement, parameters)
        sent.append(bound.decode())
        return bound

    monkeypatch.setattr(transaction, "_bind", keep)
    return sent


def check(sent: list[str]) -> None:
    assert any(TABLE in each for each in sent)
    for statement in sent:
        assert list_violations(statement) == [], statement


def without_time(response: Any) -> Any:
    """Return the fields of an answer except those that depend on the time."""
    answer = response.get_json(silent=True)
    if answer is None:
        return response.data
    return {name: value for name, value in answer.items() if name not in {"as_of", "cursor"}}


@pytest.mark.parametrize("query", QUERIES)
def test_the_same_bytes(pair: Pair, uid: str, run: list[str], query: str) -> None:
    pair.add(uid, ROWS)
    path = pair.make_path(uid, query)
    expected = pair.plain.get(path)
    run.clear()
    answer = pair.as_on_citus.get(path)
    check(run)
    assert (answer.status_code, expected.status_code) == (200, 200)
    assert without_time(answer) == without_time(expected)
    if etag := answer.headers.get("ETag"):
        assert pair.as_on_citus.get(path, headers={"If-None-Match": etag}).status_code == 304
        pair.add(uid, [Row({"loss": 9}, 99, at(99_000), source) for source in ("log", "wandb")])
        assert pair.as_on_citus.get(path, headers={"If-None-Match": etag}).status_code == 200


@pytest.mark.parametrize("query", ["data", "data?max_points=5", "iteration-times"])
def test_the_same_changes(pair: Pair, uid: str, run: list[str], query: str) -> None:
    pair.add(uid, ROWS)
    path = pair.make_path(uid, f"metrics/{query}") + "&after="
    cursors = [client.get(path).headers["X-Cursor"] for client in (pair.plain, pair.as_on_citus)]
    pair.add(uid, [Row({"loss": 8}, 20, at(20_500)), Row({"loss": 9}, 99, at(99_000))])
    path = path.replace("max_points=5&", "")
    expected = pair.plain.get(path + cursors[0])
    run.clear()
    answer = pair.as_on_citus.get(path + cursors[1])
    check(run)
    assert answer.get_json()["changed"] == expected.get_json()["changed"] != []
    assert without_time(answer) == without_time(expected)


def test_the_same_workloads(pair: Pair, uid: str, run: list[str]) -> None:
    for number in range(5):
        pair.add(f"{uid}-{number}", ROWS[number * 20 :])
    pair.add(f"{uid}-timeless", [Row({}, None, None, None)])
    path = f"/lens/v1/workloads?cluster={pair.cluster}&search={uid}&page_size=2"
    token, pages = "", []
    while token is not None:
        expected = pair.plain.get(path + token)
        run.clear()
        answer = pair.as_on_citus.get(path + token)
        check(run)
        assert answer.data == expected.data
        pages.append(answer.get_json())
        token = pages[-1]["next_page_token"] and f"&page_token={pages[-1]['next_page_token']}"
    assert [len(page["workloads"]) for page in pages] == [2, 2, 1]


def test_readiness(apps: tuple[Flask, Flask], run: list[str]) -> None:
    assert apps[1].test_client().get("/lens/v1/clusters").status_code == 200
    check(run)


def test_the_engine_is_determined_once(
    pair: Pair, postgres18: EmbeddedPostgres, tmp_path: Path, uid: str, run: list[str]
) -> None:
    """PostgreSQL is distinguished from Citus by one query over the first connection."""
    path = tmp_path / "lens_perf.toml"
    path.write_text(two_clusters(postgres18), "utf-8")
    with running_app(path) as app:
        for _ in range(2):
            assert app.test_client().get(pair.make_path(uid, "metrics/data")).status_code == 200
    assert [each for each in run if "select_engine" in each] == run[:1]
    assert any("regclass" in each for each in run)
