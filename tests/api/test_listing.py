"""The lists of clusters and workloads, also while a cluster is unavailable, and limited to a token's clusters."""

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.access.token_file import create_token
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import workload_list
from lens_perf.performance.schema import RECOMMENDED_INDEXES, create_schema
from tests.conftest import GRANTS, INSERT, READER, Row, Store, at, running_app, two_clusters

CLUSTERS, WORKLOADS = "/lens/v1/clusters", "/lens/v1/workloads"
NUMBER = count()
DROP_TIME_INDEX = f"DROP INDEX IF EXISTS {RECOMMENDED_INDEXES[-1].name}"


@pytest.fixture(autouse=True)
def _without_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload_list, "FRESH_SECONDS", -1.0)


def list_workloads(client: FlaskClient, **query: Any) -> Any:
    response = client.get(WORKLOADS, query_string=query)
    assert response.status_code == 200, response.text
    answer = response.json
    assert answer
    if answer["next_page_token"] is None and "page_token" not in query:
        assert answer["total_count"] == len(answer["workloads"])
    return answer


def find(client: FlaskClient, uid: str, **query: Any) -> Any:
    (workload,) = list_workloads(client, search=uid, **query)["workloads"]
    return workload


def test_clusters(client: FlaskClient) -> None:
    answer = client.get(CLUSTERS).json
    assert answer
    names = ["alpha", "beta", "unreachable", "without_table", "without_database"]
    assert [cluster["name"] for cluster in answer["clusters"]] == names
    assert [cluster["reachable"] for cluster in answer["clusters"]] == [True, True, False, False, False]
    assert [cluster["default"] for cluster in answer["clusters"]] == [True, False, False, False, False]
    assert [cluster["current"] for cluster in answer["clusters"]] == [False, True, False, False, False]
    assert answer["total_count"] == 5


def test_a_workload(client: FlaskClient, store: Store, uid: str, cluster: str) -> None:
    rows = [
        Row({"loss": index}, index, at(1000 * index + 0.4), source)
        for index in range(1, 6)
        for source in ("log", "wandb")
    ]
    store(uid, rows, cluster)
    assert find(client, uid, cluster=cluster) == {
        "cluster": cluster,
        "workload_uid": uid,
        "data_sources": ["log", "wandb"],
        "records": 10,
        "first_timestamp": 1000,
        "last_timestamp": 5000,
        "last_iteration": 5,
    }


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([Row({}, None, None, None)], ([""], 1, None, None, None)),
        ([Row({}, None, at(5), "wandb"), Row({}, None, at(5), "wandb")], (["wandb"], 2, 5, 5, None)),
        ([Row({}, 3, "infinity"), Row({}, 2, at(7)), Row({}, 1, "-infinity")], (["log"], 3, 7, 7, 3)),
        ([Row({}, 9, at(1), None), Row({}, 2, at(2))], (["log", ""], 2, 1, 2, 9)),
        ([Row({}, 9, at(2), None), Row({}, 2, at(1))], (["log", ""], 2, 1, 2, 9)),
        # After a restart, iterations are below the highest one.
        ([Row({}, 100, at(10)), Row({}, 50, at(20))], (["log"], 2, 10, 20, 100)),
    ],
    ids=["nothing known", "no iteration", "infinite times", "no source", "no source, later", "restarted"],
)
def test_odd_records(client: FlaskClient, store: Store, uid: str, rows: list[Row], expected: tuple[Any, ...]) -> None:
    store(uid, rows)
    found = find(client, uid)
    fields = ("data_sources", "records", "first_timestamp", "last_timestamp", "last_iteration")
    assert tuple(found[field] for field in fields) == expected


@pytest.fixture
def bare_name(postgres: EmbeddedPostgres) -> str:
    """A database without the recommended index by time."""
    name = f"bare_{next(NUMBER)}"
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name}")
    with closing(psycopg2.connect(postgres.dsn(name))) as connection, connection.cursor() as cursor:
        create_schema(connection)
        cursor.execute(GRANTS)
        cursor.execute(DROP_TIME_INDEX)
    return name


@pytest.fixture
def bare_connection(postgres: EmbeddedPostgres, bare_name: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(postgres.dsn(bare_name))) as connection:
        yield connection


@pytest.fixture
def bare_app(postgres: EmbeddedPostgres, bare_name: str, tmp_path: Path) -> Iterator[Flask]:
    (tmp_path / "bare.toml").write_text(f'[clusters.bare]\ndsn = "{postgres.dsn(bare_name, READER)}"\n', "utf-8")
    with running_app(tmp_path / "bare.toml") as app:
        yield app


@pytest.fixture(params=[0, 5000])
def newest(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set the number of newest records that show when workloads were last active."""
    statement = workload_list.select_activity.__globals__["SELECT_ACTIVITY"]
    assert "LIMIT 5000" in statement
    changed = statement.replace("LIMIT 5000", f"LIMIT {request.param}")
    monkeypatch.setitem(workload_list.select_activity.__globals__, "SELECT_ACTIVITY", changed)


@pytest.mark.usefixtures("newest")
def test_with_the_indexes_that_every_cluster_has(bare_app: Flask, bare_connection: Connection) -> None:
    with bare_connection, bare_connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO training_performance (workload_uid, iteration, created_at, data_source)"
            " SELECT 'w' || i % 7, i / 7, to_timestamp(i), 'log' FROM generate_series(0, 699) AS i"
        )
        cursor.execute("INSERT INTO training_performance (workload_uid, created_at) VALUES ('w7', to_timestamp(9))")
    found = list_workloads(bare_app.test_client())["workloads"]
    assert [each["workload_uid"] for each in found] == ["w6", "w5", "w4", "w3", "w2", "w1", "w0", "w7"]
    assert [each["last_timestamp"] for each in found] == [*range(699_000, 692_000, -1000), 9000]
    assert [each["first_timestamp"] for each in found] == [*range(6000, -1000, -1000), 9000]
    assert [each["records"] for each in found] == [100] * 7 + [1]
    assert [each["last_iteration"] for each in found] == [99] * 7 + [None]


@pytest.mark.usefixtures("newest")
@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(records=st.lists(st.tuples(st.sampled_from([None, "log", "wandb"]), st.integers(0, 99)), min_size=1, max_size=6))
def test_times_of_all_sources_without_the_time_index(
    bare_app: Flask, bare_connection: Connection, records: list[tuple[str | None, int]]
) -> None:
    """If times increase with iterations, the first and the last record have them, also without a data source."""
    name = f"timed-{next(NUMBER)}"
    rows = [Row({}, iteration, at(iteration), source).values(name) for source, iteration in records]
    with bare_connection, bare_connection.cursor() as cursor:
        psycopg2.extras.execute_values(cursor, INSERT, rows)
    found = find(bare_app.test_client(), name)
    iterations = [iteration for _, iteration in records]
    assert (found["first_timestamp"], found["last_timestamp"]) == (min(iterations), max(iterations))
    assert found["last_iteration"] == max(iterations)


def test_an_unavailable_cluster_is_a_warning(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({}, 1, at(1))], "alpha")
    store(uid, [Row({}, 1, at(2))], "beta")
    answer = list_workloads(client, search=uid)
    assert [each["cluster"] for each in answer["workloads"]] == ["beta", "alpha"]
    assert [each["cluster"] for each in answer["warnings"]] == ["unreachable", "without_database", "without_table"]
    assert answer["warnings"][0]["message"].startswith("Cluster unreachable cannot be reached now")
    assert list_workloads(client, search=uid, cluster="beta")["warnings"] == []
    for name in ("unreachable", "without_database", "without_table"):
        assert client.get(WORKLOADS, query_string={"cluster": name}).status_code == 503
    assert client.get(WORKLOADS, query_string={"cluster": "invented"}).status_code == 400


@settings(max_examples=15, suppress_health_check=list(HealthCheck))
@given(times=st.lists(st.none() | st.integers(0, 3), min_size=1, max_size=12), page_size=st.integers(1, 5))
def test_pages_show_every_workload_once(app: Flask, store: Store, times: list[int | None], page_size: int) -> None:
    prefix = f"paged-{next(NUMBER)}-"
    for index, time in enumerate(times):
        store(
            f"{prefix}{index}", [Row({}, 1, time if time is None else at(time))], "beta" if index % 3 == 0 else "alpha"
        )
    client, seen, token = app.test_client(), [], ""
    while token is not None:
        answer = list_workloads(client, search=prefix, page_size=page_size, page_token=token)
        assert len(answer["workloads"]) <= page_size
        assert answer["total_count"] == len(times)
        seen += answer["workloads"]
        token = answer["next_page_token"]
    order = [
        (each["last_timestamp"] is None, -(each["last_timestamp"] or 0), each["cluster"], each["workload_uid"])
        for each in seen
    ]
    assert order == sorted(order)
    assert sorted(each["workload_uid"] for each in seen) == sorted(f"{prefix}{index}" for index in range(len(times)))


WRITES = st.lists(st.tuples(st.integers(0, 7), st.none() | st.integers(0, 9)), max_size=4)


@settings(max_examples=25, suppress_health_check=list(HealthCheck))
@given(times=st.lists(st.none() | st.integers(0, 9), min_size=1, max_size=8), between=st.lists(WRITES, max_size=6),
       has_index=st.booleans())  # fmt: skip
def test_writes_between_pages_move_no_workload(
    bare_app: Flask, bare_connection: Connection, times: list[int | None], between: list[Any], has_index: bool
) -> None:
    """Workloads that appear between two requests are last."""
    client, prefix = bare_app.test_client(), f"moving-{next(NUMBER)}-"
    with bare_connection, bare_connection.cursor() as cursor:
        cursor.execute(DROP_TIME_INDEX)
    if has_index:
        create_schema(bare_connection)

    def write(writes: Sequence[tuple[int, int | None]]) -> None:
        rows = [Row({}, name % 3 or None, time if time is None else at(time)) for name, time in writes]
        values = [row.values(f"{prefix}{name}") for row, (name, _) in zip(rows, writes, strict=True)]
        if values:
            with bare_connection, bare_connection.cursor() as cursor:
                psycopg2.extras.execute_values(cursor, INSERT, values)

    write(list(enumerate(times)))
    expected = [each["workload_uid"] for each in list_workloads(client, search=prefix)["workloads"]]
    seen, token, writes = [], "", iter(between)
    while token is not None:
        answer = list_workloads(client, search=prefix, page_size=1, page_token=token)
        seen += [each["workload_uid"] for each in answer["workloads"]]
        token = answer["next_page_token"]
        write(next(writes, []))
    appeared = {f"{prefix}{name}" for each in between for name, _ in each} - set(expected)
    assert seen[: len(expected)] == expected
    assert set(seen[len(expected) :]) <= appeared


@pytest.mark.parametrize("part", ["%", "_", "\\", "'", '"', "É", "/", " ", "é"])
def test_search_takes_characters_literally(client: FlaskClient, store: Store, uid: str, part: str) -> None:
    odd = f"{uid}-{part}-x"
    store(odd, [Row({})])
    store(f"{uid}-other", [Row({})])
    assert find(client, f"{uid}-{part}-".upper())["workload_uid"] == odd


@pytest.mark.parametrize("token", ["x", "W10", "WzEsMl0", "e30", "WyJhIiwxLDIsM10"])
def test_a_page_token_of_another_query(client: FlaskClient, store: Store, uid: str, token: str) -> None:
    for index in range(3):
        store(f"{uid}-{index}", [Row({})])
    own = list_workloads(client, search=uid, page_size=1)["next_page_token"]
    for query in ({"page_token": token}, {"page_token": own, "search": "z"}, {"page_token": own, "cluster": "alpha"}):
        response = client.get(WORKLOADS, query_string=query)
        assert response.status_code == 400
        assert response.json
        assert response.json["message"].startswith("page_token must be")


@pytest.mark.parametrize("size", ["0", "1001", "-1", "x", "1.0"])
def test_page_size(client: FlaskClient, size: str) -> None:
    response = client.get(WORKLOADS, query_string={"page_size": size})
    assert response.status_code == 400
    assert response.json
    assert response.json["message"] == "page_size must be a whole number of at least 1 and at most 1000"


def test_a_token_lists_its_clusters_only(postgres: EmbeddedPostgres, tmp_path: Path, store: Store, uid: str) -> None:
    store(uid, [Row({})], "alpha")
    store(uid, [Row({})], "beta")
    path = tmp_path / "lens_perf.toml"
    path.write_text(two_clusters(postgres) + '[access]\ntoken_file = "tokens.toml"\n', "utf-8")
    secret = create_token(tmp_path / "tokens.toml", "half", ["beta"])
    with running_app(path) as app:
        client = app.test_client()
        for address in (CLUSTERS, WORKLOADS):
            assert client.get(address).status_code == 401
        headers = {"Authorization": f"Bearer {secret}"}
        reported = (
            client.get(CLUSTERS, headers=headers).text + client.get(f"{WORKLOADS}?search={uid}", headers=headers).text
        )
        assert '"beta"' in reported
        for name in ("alpha", "unreachable", "without"):
            assert name not in reported
        assert client.get(f"{WORKLOADS}?cluster=alpha", headers=headers).status_code == 403
        assert client.get(f"{WORKLOADS}?cluster=beta", headers=headers).status_code == 200
