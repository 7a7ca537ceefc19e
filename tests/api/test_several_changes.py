"""Changes of several workloads in one request: a client that applies them has the same points as a full read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask.testing import FlaskClient

from lens_perf.access.token_file import create_token
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.freshness.tokens import digest, read_token, write_token
from tests.conftest import Row, Store, at, running_app, strict_json, two_clusters

BASE = "/lens/v1/metrics/data"
Workloads = Sequence[tuple[str, str]]
Ask = Callable[..., dict[str, Any]]
Points = dict[tuple[str, str], list[dict[str, Any]]]


def rows(first: int, last: int, value: float = 1.0) -> list[Row]:
    return [Row({"loss": value / step, "lr": step}, step, at(1000 * step)) for step in range(first, last + 1)]


@pytest.fixture
def workloads(uid: str, store: Store) -> Workloads:
    store(uid, rows(1, 40))
    store(uid + ".2", rows(1, 10), "beta")
    return [("alpha", uid), ("beta", uid + ".2"), ("alpha", uid + "-none")]


@pytest.fixture
def ask(client: FlaskClient, workloads: Workloads) -> Ask:
    def ask(asked: Workloads = workloads, status: int = 200, **query: Any) -> dict[str, Any]:
        body = {**query, "workload": [f"{cluster}/{uid}" for cluster, uid in asked]}
        with client.post(BASE, data=body) as response:
            assert response.status_code == status, response.text
            answer: dict[str, Any] = strict_json(response.text)
        return answer

    return ask


def origin_of(each: Mapping[str, Any]) -> tuple[str, str]:
    return each["cluster"], each["workload_uid"]


def apply(points: Points, answer: Mapping[str, Any]) -> str:
    """Bring ``points`` up to date by the rule of docs/polling.rst; return the next cursor."""
    for each in answer["workloads"]:
        kept = [] if each["reset"] else points.get(origin_of(each), [])
        changed = {(pair["data_source"], pair["iteration"]) for pair in each["changed"]}
        points[origin_of(each)] = [
            point for point in kept if (point["data_source"], point["iteration"]) not in changed
        ] + [point for point in answer["data"] if origin_of(point) == origin_of(each)]
    cursor: str = answer["cursor"]
    return cursor


def sort(points: Sequence[Mapping[str, Any]]) -> list[Any]:
    return sorted(
        (origin_of(each), each["iteration"], each["metric_name"], each["value"], each["timestamp"]) for each in points
    )


def test_a_client_that_follows_has_what_a_full_read_returns(ask: Ask, workloads: Workloads, store: Store) -> None:
    points: Points = {}
    first = ask(after="")
    assert [origin_of(each) for each in first["workloads"]] == list(workloads)
    assert all(each["reset"] and each["changed"] == [] for each in first["workloads"])
    cursor = apply(points, first)
    for change in (
        lambda: store(workloads[0][1], rows(41, 45)),
        lambda: store(workloads[1][1], rows(11, 11, 7), "beta"),
        lambda: store(workloads[2][1], rows(1, 3)),
        lambda: store(workloads[0][1], rows(45, 46, 9)),
    ):
        change()
        answer = ask(after=cursor)
        assert sum(bool(each["changed"]) for each in answer["workloads"]) == 1
        assert answer["total_count"] == len(answer["data"]) <= 10
        cursor = apply(points, answer)
        assert sort([point for each in points.values() for point in each]) == sort(ask()["data"])
    assert not any(each["changed"] for each in ask(after=cursor)["workloads"])


def test_the_cursor_is_made_of_those_of_each_workload(
    ask: Ask, client: FlaskClient, workloads: Workloads, store: Store
) -> None:
    answer = ask(after="", max_points=8, layout="columns")
    cursors = answer["cursor"].split(".")
    assert cursors == [each["cursor"] for each in answer["workloads"]]
    store(workloads[0][1], rows(41, 41))
    path = f"/lens/v1/workloads/{workloads[0][1]}/metrics/data"
    alone = client.get(path, query_string={"cluster": "alpha", "after": cursors[0], "max_points": 8}).get_json()
    assert alone["changed"] == [{"data_source": "log", "iteration": 41}]


def test_changes_are_returned_in_full_and_resets_are_sampled(
    ask: Ask, workloads: Workloads, store: Store, postgres: EmbeddedPostgres
) -> None:
    query = {"max_points": 8, "layout": "columns"}
    first = ask(after="", **query)
    sampled = first["workloads"][0]
    assert sampled["sampling"]["method"] == "m4"
    assert sampled["sampling"]["bucket_width"] == 32
    assert first["workloads"][1]["sampling"]["method"] == "m4"
    store(workloads[0][1], rows(41, 80))
    second = ask(after=first["cursor"], **query)
    assert [len(each["values"]) for each in second["series"]] == [40, 40]
    assert "sampling" not in second["workloads"][0]
    # Deletions without a replacement reset this workload only.
    with psycopg2.connect(postgres.dsn("alpha")) as connection, connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM training_performance WHERE workload_uid = %s AND iteration < 30", (workloads[0][1],)
        )
    connection.close()
    third = ask(after=second["cursor"], **query)
    assert [each["reset"] for each in third["workloads"]] == [True, False, False]
    assert third["workloads"][0]["sampling"]["points_total"] == 2 * 51
    assert all(len(each["values"]) <= 8 for each in third["series"])


def test_a_workload_without_an_answer_keeps_its_cursor(ask: Ask, workloads: Workloads) -> None:
    asked = [workloads[0], ("unreachable", "x"), workloads[1]]
    first = ask(asked, after="")
    parts = first["cursor"].split(".")
    assert parts[1] == ""
    assert [origin_of(each) for each in first["workloads"]] == [asked[0], asked[2]]
    # A cursor from a time when the cluster was available.
    kept = write_token(digest("unreachable", "x", None), *read_token(parts[0])[1:])
    second = ask(asked, after=f"{parts[0]}.{kept}.{parts[2]}")
    assert second["cursor"].split(".")[1] == kept
    assert [origin_of(each) for each in second["warnings"]] == [("unreachable", "x")]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"after": "abc"}, "after must be the cursor of an earlier answer for these workloads"),
        ({"after": "a.b.c.d"}, "after must be the cursor of an earlier answer for these workloads"),
        ({"after": "a.b.c"}, "after must be the cursor of an earlier answer for this workload"),
        ({"after": "a+b"}, "after must be the cursor of an earlier answer for these workloads"),
        ({"after": "a.b.c", "format": "ndjson"}, "after for several workloads requires format=json or layout=columns"),
        ({"after": "a.b.c", "format": "csv"}, "CSV and Parquet cannot say which points to drop"),
    ],
)
def test_bad_cursors(ask: Ask, query: Mapping[str, Any], message: str) -> None:
    assert ask(status=400, **query)["message"].startswith(message)


def test_cursors_belong_to_their_workloads(ask: Ask, workloads: Workloads) -> None:
    cursor = ask(workloads[:2], after="")["cursor"]
    message = ask([workloads[1], workloads[0]], status=400, after=cursor)["message"]
    assert message.startswith("after must be the cursor of an earlier answer for this workload")


def test_encodings_without_a_place_for_changes_have_no_cursor(client: FlaskClient, workloads: Workloads) -> None:
    names = [f"{cluster}/{uid}" for cluster, uid in workloads]
    for encoding in ("csv", "ndjson", "parquet"):
        plain = client.get(BASE, query_string={"workload": names, "format": encoding})
        assert client.get(BASE, query_string={"workload": names, "format": encoding, "after": ""}).data == plain.data


def test_post_and_get_return_the_same(client: FlaskClient, ask: Ask, workloads: Workloads) -> None:
    names = [f"{cluster}/{uid}" for cluster, uid in workloads]
    query = {"metrics": "loss", "max_points": 4, "layout": "columns"}
    assert client.get(BASE, query_string={"workload": names, **query}).get_json() == ask(**query)
    split = client.post(BASE, query_string={"workload": names[:1]}, data={"workload": names[1:], "metrics": "loss"})
    assert strict_json(split.text) == ask(metrics="loss")


@pytest.fixture
def guarded(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path
) -> Iterator[tuple[FlaskClient, str]]:
    """A client of a service with tokens, and one for beta alone."""
    secret = create_token(tmp_path / "tokens.toml", "limited", ["beta"])
    path = write_settings(two_clusters(postgres) + '\n[access]\ntoken_file = "tokens.toml"\n')
    with running_app(path) as app:
        yield app.test_client(), secret


def test_tokens_are_checked_for_workloads_in_the_body(guarded: tuple[FlaskClient, str]) -> None:
    client, secret = guarded
    headers = {"Authorization": f"Bearer {secret}"}

    def status(body: Sequence[str], query: Sequence[str] = ()) -> int:
        with client.post(BASE, query_string={"workload": query}, data={"workload": body}, headers=headers) as answer:
            return answer.status_code

    assert client.post(BASE, data={"workload": "beta/x"}).status_code == 401
    assert status(["beta/x"]) == 200
    for body, query in ((["alpha/x"], []), (["beta/x", "alpha/x"], []), (["beta/x"], ["alpha/x"]), (["nix/x"], [])):
        assert status(body, query) == 403
