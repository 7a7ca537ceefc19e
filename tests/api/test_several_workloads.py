"""Several workloads in one request: their answers, and warnings for those that cannot be answered."""

import csv
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from lens_perf.access.token_file import create_token
from lens_perf.api.metrics_views import SERVICE
from lens_perf.app import REGISTRY
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ClientLeftError, ClusterUnreachableError, CopyNotReadyError
from lens_perf.performance.columns.part_files import DamagedPartError
from lens_perf.performance.columns.workload_copy import WorkloadCopy
from lens_perf.performance.several_workloads import WorkloadKey, ask_each
from lens_perf.performance.time_limit import TimeLimit
from tests.conftest import Row, Store, at, running_app, strict_json, two_clusters

BASE = "/lens/v1/metrics/"
QUERIES: Sequence[Mapping[str, Any]] = [
    {},
    {"metrics": "loss"},
    {"metrics": "absent"},
    {"metric": ["%s", "a,b"], "include": "serial"},
    {"non_finite": "true", "data_source": "wandb"},
    {"start_iteration": 2, "end_iteration": 6},
    {"max_points": 4},
    {"max_points": 4, "axis": "relative_time", "metrics": "loss"},
    {"max_points": 4, "split": "serial"},
    {"max_points": 3, "method": "stride"},
    {"after": ""},
]
HOSTILE = ["a/b", "/", "//x/", "é\n\"',;", "=1+1", "%s%d%%", "{metric_name}", "x" * 256, "a&b=c#?", ".."]


@pytest.fixture
def workloads(uid: str, store: Store) -> list[tuple[str, str]]:
    """Two workloads of different clusters, and one without records."""
    rows = [
        Row({"loss": 9 / step, "a,b": step, "%s": 10**20 + step, "bad": "NaN"}, step, at(1000 * step), source)
        for step in range(1, 9)
        for source in ("log", "wandb")
    ]
    store(uid, rows)
    store(uid + "/2", [*rows[:7], Row({"loss": 1.5}, None, None)], "beta")
    return [("alpha", uid), ("beta", uid + "/2"), ("alpha", uid + "-none")]


def name(workloads: Sequence[tuple[str, str]]) -> list[str]:
    return [f"{cluster}/{uid}" for cluster, uid in workloads]


def read_whole(response: TestResponse) -> TestResponse:
    """Read the body, which may be in a file."""
    with response:
        assert response.status_code == 200, response.get_data()
        response.get_data()
    return response


Get = Callable[..., Any]


@pytest.fixture
def get(client: FlaskClient) -> Get:
    """Request several workloads from an endpoint, which must return 200."""

    def get(endpoint: str, workloads: Sequence[tuple[str, str]], **query: Any) -> Any:
        response = client.get(BASE + endpoint, query_string={**query, "workload": name(workloads)})
        return read_whole(response)

    return get


@pytest.fixture
def get_one(client: FlaskClient) -> Get:
    """Request one workload in the same way."""

    def get(endpoint: str, cluster: str, uid: str, **query: Any) -> Any:
        path = f"/lens/v1/workloads/{quote(uid, safe='')}/{endpoint}"
        response = client.get(path, query_string={**query, "cluster": cluster})
        return read_whole(response)

    return get


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("has_copy", [False, True])
def test_data_are_those_of_each_workload(
    get: Get, get_one: Get, workloads: list[tuple[str, str]], query: Mapping[str, Any], has_copy: bool
) -> None:
    if has_copy:
        get("summary", workloads)
    answer = strict_json(get("data", workloads, **query).text)
    alone = [(origin, strict_json(get_one("metrics/data", *origin, **query).text)) for origin in workloads]
    expected = [
        point | {"cluster": cluster, "workload_uid": uid} for (cluster, uid), each in alone for point in each["data"]
    ]
    assert answer["data"] == expected
    assert answer["total_count"] == len(expected)
    assert answer["warnings"] == []
    assert ("sampling" in answer) == ("max_points" in query)
    if "max_points" in query:
        assert answer["sampling"]["points_returned"] == len(expected)
        totals = [each["sampling"]["points_total"] for _, each in alone]
        assert answer["sampling"]["points_total"] == (None if None in totals else sum(totals))
    lines = get("data", workloads, **query, format="ndjson").text.splitlines()
    assert [strict_json(line) for line in lines] == expected


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_columns_are_those_of_each_workload(
    get: Get, get_one: Get, workloads: list[tuple[str, str]], query: Mapping[str, Any]
) -> None:
    answer = strict_json(get("data", workloads, **query, layout="columns").text)
    expected = []
    for cluster, uid in workloads:
        alone = strict_json(get_one("metrics/data", cluster, uid, **query, layout="columns").text)
        expected += [series | {"cluster": cluster, "workload_uid": uid} for series in alone["series"]]
    assert answer["series"] == expected
    assert answer["total_count"] == sum(len(series["values"]) for series in expected)


@pytest.mark.parametrize("query", [query for query in QUERIES if "after" not in query], ids=str)
@pytest.mark.parametrize("layout", ["points", "wide"])
def test_tables_are_those_of_each_workload(
    get: Get, get_one: Get, workloads: list[tuple[str, str]], query: Mapping[str, Any], layout: str
) -> None:
    if layout == "wide" and "metrics" not in query and "metric" not in query:
        query = {**query, "metrics": "loss,bad,absent"}
    columns = {"cluster", "workload_uid"}
    rows = list(csv.DictReader(io.StringIO(get("data", workloads, **query, layout=layout, format="csv").text)))
    frame = pl.read_parquet(get("data", workloads, **query, layout=layout, format="parquet").data)
    found, frames = [], []
    for cluster, uid in workloads:
        asked = {**query, "layout": layout}
        text = get_one("metrics/data", cluster, uid, **asked, format="csv").text
        found += [row | {"cluster": cluster, "workload_uid": uid} for row in csv.DictReader(io.StringIO(text))]
        alone = pl.read_parquet(get_one("metrics/data", cluster, uid, **asked, format="parquet").data)
        frames.append(alone.with_columns(cluster=pl.lit(cluster), workload_uid=pl.lit(uid)))
    assert rows == found
    expected = pl.concat(frames, how="vertical_relaxed")
    assert columns <= set(frame.columns)
    assert frame.select(expected.columns).equals(expected)


def test_summaries_and_progress_are_those_of_each_workload(
    get: Get, get_one: Get, workloads: list[tuple[str, str]]
) -> None:
    summaries = get("summary", workloads, metrics="loss,bad", split="serial").json
    assert summaries["total_count"] == 3
    assert summaries["warnings"] == []
    for (cluster, uid), each in zip(workloads, summaries["workloads"], strict=True):
        alone = get_one("metrics/summary", cluster, uid, metrics="loss,bad", split="serial").json
        assert each == {"cluster": cluster, "workload_uid": uid, "metrics": alone["metrics"]}
    progresses = get("progress", workloads, data_source="log").json
    assert progresses["total_count"] == 3
    for (cluster, uid), each in zip(workloads, progresses["workloads"], strict=True):
        alone = get_one("progress", cluster, uid, data_source="log").json
        assert (each["cluster"], each["workload_uid"]) == (cluster, uid)
        assert each.keys() - {"cluster"} == alone.keys()
        assert each["current_iteration"] == alone["current_iteration"]


@pytest.mark.parametrize("has_copy", [False, True])
def test_hostile_uids(get: Get, uid: str, store: Store, has_copy: bool) -> None:
    workloads = [("alpha", (each + uid)[-256:]) for each in HOSTILE]
    for _, each in workloads:
        store(each, [Row({"loss": 1})])
    if has_copy:
        get("summary", workloads)
    uids = [each for _, each in workloads]
    for extra in ({}, {"format": "ndjson"}, {"layout": "columns"}):
        text = get("data", workloads, metrics="loss", **extra).text
        answer = [strict_json(line) for line in text.splitlines()]
        points = answer if "format" in extra else answer[0].get("data") or answer[0]["series"]
        assert [point["workload_uid"] for point in points] == uids
    for layout in ("points", "wide"):
        data = get("data", workloads, metrics="loss", format="parquet", layout=layout).data
        assert pl.read_parquet(data)["workload_uid"].to_list() == uids
        rows = list(
            csv.DictReader(io.StringIO(get("data", workloads, metrics="loss", format="csv", layout=layout).text))
        )
        assert len(rows) == len(uids)
        assert {row["cluster"] for row in rows} == {"alpha"}
        # As in names, there are no formulas for spreadsheets and no line ends.
        assert [row["workload_uid"] for row in rows] == [
            ("'" if each[0] in "=+-@" else "") + each.replace("\n", "\\n") for each in uids
        ]


@pytest.mark.parametrize("endpoint", ["data", "summary", "progress"])
def test_a_dead_cluster_is_a_warning(get: Get, workloads: list[tuple[str, str]], endpoint: str) -> None:
    dead = [("unreachable", "x"), ("unreachable", "y"), ("without_table", "z")]
    response = get(endpoint, [dead[0], workloads[0], dead[1], workloads[1], dead[2]])
    warnings = response.json["warnings"]
    assert [(each["cluster"], each["workload_uid"]) for each in warnings] == dead
    assert warnings[0]["message"].startswith("Cluster unreachable cannot be reached now")
    entries = response.json["data" if endpoint == "data" else "workloads"]
    assert list(dict.fromkeys((each["cluster"], each["workload_uid"]) for each in entries)) == workloads[:2]
    if endpoint == "data":
        assert response.headers["X-Warnings"] == "3"
        assert get(endpoint, workloads, format="csv").headers.get("X-Warnings") is None
        assert get(endpoint, dead, format="csv").text == (
            "metric_name,value,timestamp,iteration,data_source,cluster,workload_uid\n"
        )
        assert get(endpoint, dead).json["data"] == []
        empty = pl.read_parquet(get(endpoint, dead, format="parquet").data)
        assert (empty.height, empty.width) == (0, 7)


def test_a_cluster_that_fails_is_asked_once() -> None:
    asked = []

    def ask(workload: WorkloadKey) -> str:
        asked.append(workload)
        if workload.cluster == "down":
            raise ClusterUnreachableError("down")
        if workload.uid == "building":
            raise CopyNotReadyError("building")
        return workload.uid

    workloads = [WorkloadKey(*each.split("/")) for each in ("a/1", "down/1", "a/building", "down/2", "a/2")]
    found, warnings = ask_each(workloads, TimeLimit(5), ask)
    assert asked == [each for each in workloads if each != ("down", "2")]
    assert [answer for _, answer in found] == ["1", "2"]
    assert [(each["workload_uid"], each["message"]) for each in warnings] == [
        ("1", "down"),
        ("building", "building"),
        ("2", "down"),
    ]


def test_after_the_deadline_the_rest_are_warnings_and_a_disconnected_client_ends_the_request() -> None:
    workloads = [WorkloadKey("a", str(number)) for number in range(3)]
    found, warnings = ask_each(workloads, TimeLimit(-1), lambda workload: workload.uid)
    assert not found
    assert len(warnings) == 3

    def leave(_workload: WorkloadKey) -> None:
        raise ClientLeftError("left")

    with pytest.raises(ClientLeftError):
        ask_each(workloads, TimeLimit(5), leave)


def test_all_reads_share_one_deadline(
    app: Flask, get: Get, workloads: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = app.extensions[REGISTRY]
    read, bounds = registry.read, []

    def note(asked: str | None, within: float | None = None) -> Any:
        bounds.append(within)
        return read(asked, within)

    monkeypatch.setattr(registry, "read", note)
    get("data", workloads, metrics="loss")
    assert len(bounds) == len(workloads)
    assert None not in bounds
    assert bounds == sorted(bounds, reverse=True)


def test_one_build_leaves_time_for_the_others() -> None:
    time_limit = TimeLimit(30)
    shares = []
    workloads = [WorkloadKey("a", str(number)) for number in range(3)]
    ask_each(workloads, time_limit, lambda _: shares.append(time_limit.deadline - time_limit.copy_deadline))
    assert shares == sorted(shares, reverse=True)
    assert 19 < shares[0] < 21
    assert shares[-1] < 1


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "workload is required"),
        ({"workload": [f"alpha/{number}" for number in range(101)]}, "workload must be given once to 100 times"),
        ({"workload": "alpha"}, "workload must be <cluster>/<uid>"),
        ({"workload": ["alpha/x", "/x"]}, "workload must be <cluster>/<uid>"),
        ({"workload": "alpha/"}, "workload_uid is required"),
        ({"workload": "alpha/ "}, "workload_uid is required"),
        ({"workload": "alpha/" + "x" * 257}, "workload_uid must be at most 256 characters, none of them NUL"),
        ({"workload": "alpha/x\0"}, "workload_uid must be at most 256 characters, none of them NUL"),
        ({"workload": ["alpha/x", "nix/x"]}, 'Unknown cluster "nix"'),
    ],
)
@pytest.mark.parametrize("endpoint", ["data", "summary", "progress"])
def test_bad_parameters(client: FlaskClient, endpoint: str, query: Mapping[str, Any], message: str) -> None:
    response = client.get(BASE + endpoint, query_string=query)
    assert (response.status_code, response.json and response.json["message"]) == (400, message)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"cluster": "alpha"}, "Unknown parameter cluster"),
        ({"after": "a.b"}, "after must be the cursor of an earlier answer for these workloads"),
        ({"layout": "wide", "format": "csv"}, "layout=wide for several workloads requires metrics"),
        ({"start": 1}, "start and end must be used together"),
        ({"method": "stride"}, "method requires max_points"),
    ],
)
def test_bad_parameters_of_data(client: FlaskClient, query: Mapping[str, Any], message: str) -> None:
    response = client.get(BASE + "data", query_string={"workload": "alpha/x", **query})
    assert response.status_code == 400
    assert (response.json or {})["message"].startswith(message)


def test_a_repeated_workload_is_answered_once(get: Get, workloads: list[tuple[str, str]]) -> None:
    assert get("data", workloads[:1] * 2).data == get("data", workloads[:1]).data


def test_the_same_request_returns_the_same_bytes(get: Get, workloads: list[tuple[str, str]]) -> None:
    assert get("data", workloads).data == get("data", workloads).data


def test_head_and_any_etag(client: FlaskClient, workloads: list[tuple[str, str]]) -> None:
    for endpoint in ("data", "summary", "progress"):
        query = {"workload": name(workloads)}
        assert client.head(BASE + endpoint, query_string=query).status_code == 200
        assert client.get(BASE + endpoint, query_string=query, headers={"If-None-Match": "*"}).status_code == 304
        assert client.head(BASE + endpoint, query_string={"workload": "x"}).status_code == 400


@pytest.mark.parametrize(
    ("endpoint", "query"),
    [
        ("data", {"metrics": "loss", "max_points": "5"}),
        ("summary", {"metrics": "loss", "split": "serial", "serial": "1"}),
        ("progress", {"data_source": "wandb"}),
    ],
)
def test_post_and_get_have_the_same_answer(
    client: FlaskClient, workloads: list[tuple[str, str]], endpoint: str, query: dict[str, str]
) -> None:
    parameters = {"workload": name(workloads), **query}
    expected = client.get(BASE + endpoint, query_string=parameters)
    answer = client.post(BASE + endpoint, data=parameters)
    assert (answer.status_code, answer.data) == (expected.status_code, expected.data) == (200, expected.data)
    mixed = client.post(BASE + endpoint, query_string=query, data={"workload": name(workloads)})
    assert (mixed.status_code, mixed.data) == (200, expected.data)
    assert client.post(BASE + endpoint, data={**parameters, "split": "none"}).status_code == 400
    assert client.post(BASE + endpoint, json=parameters).status_code == 415


class Damaged:
    """A copy that raises DamagedPartError after all blocks were read."""

    def __init__(self, copy: WorkloadCopy) -> None:
        self._copy = copy

    def __getattr__(self, name: str) -> Any:
        return getattr(self._copy, name)

    def blocks(self, *fields: Any, **columns: Any) -> Iterator[pl.DataFrame]:
        yield from self._copy.blocks(*fields, **columns)
        raise DamagedPartError


def test_points_of_a_damaged_copy_are_discarded(
    app: Flask, get: Get, workloads: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [get("data", workloads, **query).data for query in ({}, {"layout": "columns"}, {"format": "csv"})]
    copies = app.extensions[SERVICE].copies
    answer = copies.answer

    def answer_again(cluster: Any, workload_uid: Any, time_limit: Any, read: Any, **options: Any) -> Any:
        def read_again(copy: WorkloadCopy) -> Any:
            with pytest.raises(DamagedPartError):
                read(Damaged(copy))
            return read(copy)

        return answer(cluster, workload_uid, time_limit, read_again, **options)

    monkeypatch.setattr(copies, "answer", answer_again)
    assert [
        get("data", workloads, **query).data for query in ({}, {"layout": "columns"}, {"format": "csv"})
    ] == expected


@pytest.fixture
def guarded(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path
) -> Iterator[tuple[FlaskClient, str]]:
    """A client of a service with tokens, and one for beta alone."""
    secret = create_token(tmp_path / "tokens.toml", "limited", ["beta"])
    limits = '\n[access]\ntoken_file = "tokens.toml"\n[limits]\nmax_points = 20'
    with running_app(write_settings(two_clusters(postgres18) + limits)) as app:
        yield app.test_client(), secret


@pytest.mark.parametrize("endpoint", ["data", "summary", "progress"])
def test_tokens_are_checked_for_each_cluster(guarded: tuple[FlaskClient, str], endpoint: str) -> None:
    client, secret = guarded

    def ask(*workloads: str) -> tuple[int, str]:
        headers = {"Authorization": f"Bearer {secret}"}
        response = client.get(BASE + endpoint, query_string={"workload": workloads}, headers=headers)
        return response.status_code, (response.json or {}).get("message", "")

    words = (403, "The token may not read this cluster")
    assert client.get(BASE + endpoint, query_string={"workload": "beta/x"}).status_code == 401
    assert ask("beta/x", "beta/alpha/x")[0] == 200
    for other in ("alpha/x", "nix/x", "alpha", "/x", "", "beta%2Fx", "unreachable/x", " beta/x", "Beta/x"):
        assert ask("beta/x", other) == words, other
        assert ask(other, "beta/x") == words, other
    assert ask("beta") == (400, "workload must be <cluster>/<uid>")
    assert ask()[0] == 400
    for query, body in (("", "alpha/x"), ("beta/x", "alpha/x"), ("alpha/x", "beta/x"), ("beta/y", "beta/x")):
        response = client.post(
            BASE + endpoint,
            query_string={"workload": [query] if query else []},
            data={"workload": body},
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert response.status_code == (403 if "alpha/x" in {query, body} else 200)
    assert client.post(BASE + endpoint, data={"workload": "beta/x"}).status_code == 401


def test_the_limit_holds_for_all_workloads_together(
    guarded: tuple[FlaskClient, str], postgres18: EmbeddedPostgres, uid: str
) -> None:
    import psycopg2

    client, secret = guarded
    with psycopg2.connect(postgres18.dsn("beta")) as connection, connection.cursor() as cursor:
        for each in ("1", "2"):
            cursor.execute(
                "INSERT INTO training_performance (workload_uid, performance, iteration, created_at, data_source) "
                "SELECT %s, '{\"loss\": 1}', step, now(), 'log' FROM generate_series(1, 15) AS step",
                (uid + each,),
            )
    connection.close()
    for extra in ({}, {"metrics": "loss"}):
        for count, status in ((1, 200), (2, 413)):
            query = {"workload": [f"beta/{uid}{each}" for each in ("1", "2")[:count]], **extra}
            response = client.get(BASE + "data", query_string=query, headers={"Authorization": f"Bearer {secret}"})
            assert response.status_code == status
    assert json.loads(response.text)["message"].startswith("The result has more than 20 data points")
