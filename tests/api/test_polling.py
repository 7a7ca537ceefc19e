"""ETags and cursors: unchanged data are not read again, and changes are complete, also after late commits."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.app import REGISTRY
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import point_changes
from lens_perf.performance.freshness import checkpoint
from lens_perf.performance.freshness.tokens import read_token, write_token
from tests.conftest import Ask, Row, Store, at

INSERT = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
VALUES (%s, jsonb_build_object('loss', %s), %s, to_timestamp(%s))
"""
INSERT_NAN = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
VALUES (%s, '{"loss": "NaN"}', %s, to_timestamp(%s))
"""
DELETE = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration = %s"

Writer = Callable[[str, tuple[Any, ...]], None]


@contextmanager
def writing(postgres: EmbeddedPostgres) -> Iterator[tuple[Writer, Callable[[], None]]]:
    """Another writer's transaction: a function that runs a statement in it, and one that commits it."""
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        yield cursor.execute, connection.commit


def ask_known(client: FlaskClient, uid: str, etag: str, question: str = "data") -> Any:
    return client.get(f"/lens/v1/workloads/{uid}/metrics/{question}", headers={"If-None-Match": etag})


def get_etag(client: FlaskClient, uid: str, question: str = "data") -> str:
    response = client.get(f"/lens/v1/workloads/{uid}/metrics/{question}")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "private, no-cache"
    etag: str = response.headers["ETag"]
    assert etag.startswith('W/"')
    return etag


@pytest.mark.parametrize("question", ["data", "data?metrics=loss&format=csv", "iteration-times", "data?max_points=4"])
def test_nothing_new(client: FlaskClient, store: Store, uid: str, question: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(9)])
    etag = get_etag(client, uid, question)
    for known in (etag, f'"other", {etag}', etag.removeprefix("W/")):
        answer = ask_known(client, uid, known, question)
        assert (answer.status_code, answer.data) == (304, b"")
        assert answer.headers["ETag"] == etag
        assert "Content-Type" not in answer.headers
    # Records of other workloads change the server's snapshot, but not the ETag.
    store(f"{uid}-other", [Row({"loss": 1})])
    assert ask_known(client, uid, etag, question).status_code == 304


def test_an_empty_etag_never_matches(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1})])
    # curl sends it if it has not saved one yet.
    for known in ('""', 'W/""', '"other", ""'):
        assert ask_known(client, uid, known).status_code == 200
    assert ask_known(client, uid, f'"", {get_etag(client, uid)}').status_code == 304


def test_validation_reads_no_data(client: FlaskClient, store: Store, uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store(uid, [Row({"loss": 1})])
    etag = get_etag(client, uid)
    monkeypatch.setattr("lens_perf.performance.point_reader.choose_plan", None)
    assert ask_known(client, uid, etag).status_code == 304


def test_every_change_changes_the_etag(client: FlaskClient, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(5)])
    with writing(postgres) as (execute, commit):
        for statement, parameters in (
            (INSERT, (uid, 1.5, 5, 5)),  # added
            (DELETE, (uid, 5)),  # removed
            (INSERT + "RETURNING (SELECT NULL)", (uid, 2.5, 0, 0)),
        ):
            etag = get_etag(client, uid)
            execute(statement, parameters)
            assert ask_known(client, uid, etag).status_code == 304, "not committed yet"
            commit()
            assert ask_known(client, uid, etag).status_code == 200
        etag = get_etag(client, uid)
        execute(DELETE, (uid, 3))
        execute(INSERT, (uid, 7.5, 3, 3))  # corrected: as many records as before
        commit()
        assert ask_known(client, uid, etag).status_code == 200


def test_an_etag_belongs_to_one_query(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(5)])
    etag = get_etag(client, uid)
    questions = ["data?metrics=loss", "data?format=csv", "data?layout=columns", "iteration-times", "data?after=",
                 "data?max_points=1", "data?cluster=beta", "data?start=0&end=1", "data?data_source=log",
                 "data?non_finite=true", "data?end_iteration=1"]  # fmt: skip
    for question in questions:
        assert ask_known(client, uid, etag, question).status_code == 200, question
    assert ask_known(client, f"{uid}-other", etag).status_code == 200
    assert ask_known(client, uid, '"rubbish", W/"e30", *').status_code == 200


def test_a_correction_that_commits_late_changes_an_etag(
    client: FlaskClient, store: Store, uid: str, postgres: EmbeddedPostgres
) -> None:
    """Its id is lower than ids that were read before it."""
    store(uid, [Row({"loss": index}, index) for index in range(5)])
    with writing(postgres) as (execute, commit):
        execute(DELETE, (uid, 3))
        execute(INSERT, (uid, 7.5, 3, 3))
        store(uid, [Row({"loss": 6}, 6)])
        etag = get_etag(client, uid)
        assert ask_known(client, uid, etag).status_code == 304
        commit()
    assert ask_known(client, uid, etag).status_code == 200


def follow(ask: Ask, cursor: str, endpoint: str = "data") -> tuple[list[tuple[Any, ...]], str]:
    answer = ask(endpoint, after=cursor)
    assert answer["total_count"] == len(answer["data"])
    return [(point["iteration"], point["value"]) for point in answer["data"]], answer["cursor"]


def test_a_poll_returns_only_changes(ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1}, 1), Row({"loss": 2}, 2)])
    points, cursor = follow(ask, "")
    assert points == [(1, 1), (2, 2)]
    points, again = follow(ask, cursor)
    assert points == []
    store(uid, [Row({"loss": 3}, 3)])
    store(f"{uid}-other", [Row({"loss": 4}, 4)])
    for known in (cursor, again):
        points, latest = follow(ask, known)
        assert points == [(3, 3)]
    assert follow(ask, latest)[0] == []
    assert "cursor" not in ask("data")


def test_corrections_are_delivered(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": index}, index, at(index * 1000)) for index in range(5)])
    _, cursor = follow(ask, "")
    _, times = follow(ask, "", "iteration-times")
    with writing(postgres) as (execute, commit):
        execute(DELETE, (uid, 3))
        execute(INSERT, (uid, 7.5, 3, 3))
        commit()
    (point,) = ask("data", after=cursor)["data"]
    assert (point["iteration"], point["value"], point["timestamp"]) == (3, 7.5, 3000)
    assert follow(ask, times, "iteration-times")[0] == [(3, 3)]


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_no_late_commit_is_missed(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres, polls: int) -> None:
    """Of two concurrent writers, the first to take an id is the last to commit, while a reader polls."""
    store(uid, [Row({"loss": 0}, 0)])
    _, cursor = follow(ask, "")
    with writing(postgres) as (slow, commit_slow), writing(postgres) as (fast, commit_fast):
        slow(INSERT, (uid, 1, 1, 1))
        fast(INSERT, (uid, 2, 2, 2))
        commit_fast()
        points, cursor = follow(ask, cursor)
        assert points == [(2, 2)]
        for _ in range(polls):
            points, cursor = follow(ask, cursor)
            assert points == []
        slow(INSERT, (uid, 3, 3, 3))
        commit_slow()
    points, cursor = follow(ask, cursor)
    # While a transaction is running, records committed after its start are sent again with each change.
    assert points == [(1, 1), (2, 2), (3, 3)]
    assert follow(ask, cursor)[0] == []


JUMP = """SELECT setval(pg_get_serial_sequence('training_performance', 'id'),
    nextval(pg_get_serial_sequence('training_performance', 'id')) + 10100)"""


@pytest.fixture
def _large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Treat every workload as too large to be compared at each poll."""
    monkeypatch.setattr(checkpoint, "SMALL_WORKLOAD", -1)


@pytest.mark.usefixtures("_large")
def test_a_snapshot_without_gap_does_not_settle_ids(
    ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres
) -> None:
    """The snapshot ``n:n:`` of an idle moment still has transaction n running, whose id is the next one's."""
    store(uid, [Row({"loss": 0}, 0)])
    with writing(postgres) as (first, commit_first), writing(postgres) as (late, commit_late):
        first(INSERT, (f"{uid}-other", 1, 1, 1))
        late(INSERT, (uid, 1, 1, 1))
        first(JUMP, ())
        commit_first()
        _, cursor = follow(ask, "")
        for _ in range(2):
            _, cursor = follow(ask, cursor)
        commit_late()
    assert (1, 1) in follow(ask, cursor)[0]


@pytest.mark.usefixtures("_large")
def test_records_of_subtransactions_are_new(
    client: FlaskClient, ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres
) -> None:
    store(uid, [Row({"loss": 0}, 0), Row({"loss": 4}, 4)])
    with writing(postgres) as (execute, commit):
        execute(INSERT, (uid, 1, 1, 1))
        execute("SAVEPOINT s", ())
        execute(INSERT, (uid, 2, 2, 2))
        execute(DELETE, (uid, 4))
        execute(INSERT, (uid, 4.5, 4, 4))
        execute("RELEASE SAVEPOINT s", ())
        store(uid, [Row({"loss": 3}, 3)])
        _, cursor = follow(ask, "")
        etag = get_etag(client, uid)
        commit()
    points, _ = follow(ask, cursor)
    assert {(1, 1), (2, 2), (4, 4.5)} <= set(points)
    assert ask_known(client, uid, etag).status_code == 200


def test_an_aborted_writer_leaves_nothing(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    with writing(postgres) as (execute, _commit):
        execute(INSERT, (uid, 1, 1, 1))
        _, cursor = follow(ask, "")
    assert follow(ask, cursor)[0] == []


def test_a_cursor_with_a_data_source_that_the_enum_lacks(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    address = f"/lens/v1/workloads/{uid}/metrics/data?after="
    fields = read_token(client.get(address).get_json()["cursor"])
    pending = [[["no such source", [[1, 2]]]], []]
    store(uid, [Row({"loss": 1}, 1)])
    answer = client.get(address + write_token(*fields[:4], pending, pending))
    assert answer.status_code == 200
    assert answer.get_json()["total_count"] == 1


def test_every_encoding_lists_the_pairs_to_drop(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    address = f"/lens/v1/workloads/{uid}/metrics/data?after="
    first = client.get(f"{address}&format=ndjson")
    changes, point = map(json.loads, first.text.splitlines())
    assert (changes["reset"], changes["changed"], point["value"]) == (True, [], 0)
    cursor = changes["cursor"]
    assert cursor == first.headers["X-Cursor"]
    nothing = client.get(f"{address}{cursor}&format=ndjson").text.splitlines()
    assert len(nothing) == 1
    assert json.loads(nothing[0])["reset"] is False
    store(uid, [Row({"loss": 1}, 1)])
    changed = [{"data_source": "log", "iteration": 1}]
    for query in ("", "&layout=columns"):
        answer = client.get(f"{address}{cursor}{query}").get_json()
        assert (answer["reset"], answer["changed"], answer["total_count"]) == (False, changed, 1)
    lines = client.get(f"{address}{cursor}&format=ndjson").text.splitlines()
    assert json.loads(lines[0])["changed"] == changed
    assert json.loads(lines[1])["value"] == 1
    refusal = client.get(f"{address}{cursor}&format=csv")
    assert refusal.status_code == 400
    assert "format=ndjson" in refusal.get_json()["message"]
    assert client.get(f"{address}&format=csv").headers["X-Cursor"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_all_steps_share_one_deadline(
    client: FlaskClient, store: Store, uid: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Validating, finding the changes, and reading them."""
    store(uid, [Row({"loss": 1}, 1)])
    etag, cursor = get_etag(client, uid), client.get(f"/lens/v1/workloads/{uid}/metrics/data?after=").json["cursor"]
    registry = client.application.extensions[REGISTRY]
    read, bounds = registry.read, []

    def note(asked: str | None, within: float | None = None) -> Any:
        bounds.append(within)
        return read(asked, within)

    monkeypatch.setattr(registry, "read", note)
    store(uid, [Row({"loss": 2}, 2)])
    for query in ("", f"?after={cursor}", "?max_points=1&method=stride"):
        address = f"/lens/v1/workloads/{uid}/metrics/data{query}"
        client.open(address, method=method, headers={"If-None-Match": etag})
    assert len(bounds) >= 4
    assert None not in bounds


@pytest.mark.usefixtures("_large")
def test_an_update_is_found_after_polls_that_did_not_search_for_it(
    ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The checkpoints of the polls in between are at later transactions than the update."""
    monkeypatch.setattr(checkpoint, "UNSETTLED_IDS", 0)
    monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 3600)
    store(uid, [Row({"loss": 1}, 1), Row({"loss": 2}, 2)])
    cursor = ask("data", after="")["cursor"]

    def poll_beside_others() -> None:
        nonlocal cursor
        store(f"{uid}-other", [Row({"loss": 1}, 1)])
        answer = ask("data", after=cursor)
        cursor = answer["cursor"]
        assert not answer["changed"]
        ask("available")

    poll_beside_others()
    with writing(postgres) as (execute, commit):
        execute("UPDATE training_performance SET performance = '{}' WHERE workload_uid = %s AND iteration = 1", (uid,))
        commit()
        execute("SELECT pg_stat_force_next_flush()", ())
        commit()
        poll_beside_others()
        poll_beside_others()
        monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 0)
        answer = ask("data", after=cursor)
    assert {"data_source": "log", "iteration": 1} in answer["changed"]
    assert [point["iteration"] for point in answer["data"] if point["iteration"] == 1] == []
    assert ask("available")["metrics"][0]["count"] == 1


@pytest.fixture(params=[{}, {"max_points": 1}])
def sampled(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Whether a client begins with a sampled answer, without a ledger."""
    monkeypatch.setattr(point_changes, "SMALL_WORKLOAD", -1)
    return dict(request.param)


@pytest.mark.usefixtures("_large")
def test_an_old_id_is_found_by_the_comparison_after_minutes(
    ask: Ask, store: Store, sampled: dict[str, int], postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL's counters do not show the change; only the comparison after some minutes does."""
    uid = ask("data")["workload_uid"]
    monkeypatch.setattr(checkpoint, "UNSETTLED_IDS", 0)
    monkeypatch.setattr(checkpoint, "RECORDS_PER_COMPARE_ANYWAY_SECOND", 10**6)
    with writing(postgres) as (execute, commit):
        execute("CREATE TEMPORARY TABLE taken AS SELECT nextval('training_performance_id_seq') AS id", ())
        commit()
        store(uid, [Row({"loss": 1}, 1), Row({"loss": 2}, 2)])
        cursor = ask("data", after="", **sampled)["cursor"]
        assert ask("available")["metrics"][0]["count"] == 2
        for _ in range(2):
            store(f"{uid}-other", [Row({"loss": 1}, 1)])
            cursor = ask("data", after=cursor)["cursor"]
            ask("available")
        execute(
            "INSERT INTO training_performance (id, workload_uid, iteration, performance, data_source)"
            " SELECT id, %s, 3, '{\"loss\": 3}', 'log' FROM taken",
            (uid,),
        )
        commit()
    monkeypatch.setattr(checkpoint, "COMPARE_ANYWAY_SECONDS", 0)
    answer = ask("data", after=cursor)
    assert [point["value"] for point in answer["data"] if point["iteration"] == 3] == [3]
    # Without a ledger, a change that PostgreSQL has not counted causes no reset.
    assert not (sampled and answer["reset"])
    assert ask("available")["metrics"][0]["count"] == 3


@pytest.mark.usefixtures("_large")
def test_the_cursor_of_a_sampled_answer_serves_iteration_times(
    ask: Ask, store: Store, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The earliest record of an iteration may belong to a data source without later records."""
    monkeypatch.setattr(point_changes, "SMALL_WORKLOAD", -1)
    store(uid, [Row({"loss": 1}, 1, at(1000), "wandb"), Row({"loss": 1}, 2, at(2000), "wandb")])
    cursor = ask("data", after="", max_points=1)["cursor"]
    store(uid, [Row({"loss": 1}, 1, at(3000), "log")])
    answer = ask("iteration-times", after=cursor)
    times = [(point["iteration"], point["timestamp"], point["data_source"]) for point in answer["data"]]
    assert times == [(1, 1000, "wandb"), (2, 2000, "wandb")][: 2 if answer["reset"] else 1]


def test_a_delta_has_no_etag(client: FlaskClient, store: Store, uid: str) -> None:
    """Its cursor serves the same purpose."""
    store(uid, [Row({"loss": 0}, 0)])
    assert "ETag" not in client.get(f"/lens/v1/workloads/{uid}/metrics/data?after=").headers


def test_a_cursor_belongs_to_one_workload(app: Flask, ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    cursor = ask("data", after="")["cursor"]
    client = app.test_client()
    for path in (f"{uid}-other/metrics/data?after=", f"{uid}/metrics/data?cluster=beta&after=",
                 f"{uid}/metrics/data?data_source=log&after="):  # fmt: skip
        assert client.get(f"/lens/v1/workloads/{path}{cursor}").status_code == 400
    assert client.get(f"/lens/v1/workloads/{uid}/metrics/iteration-times?after={cursor}").status_code == 200


def test_a_correction_can_remove_a_metric(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": 5}, index) for index in range(3)])
    _, cursor = follow(ask, "")
    with writing(postgres) as (execute, commit):
        execute(DELETE, (uid, 1))
        execute(INSERT_NAN, (uid, 1, 1))
        commit()
    answer = ask("data", after=cursor)
    assert (answer["data"], answer["reset"]) == ([], False)
    assert answer["changed"] == [{"data_source": "log", "iteration": 1}]


def test_a_late_earlier_record_replaces_an_iteration_time(ask: Ask, store: Store, uid: str) -> None:
    """An iteration has one time over all data sources: the pairs of all of them are sent again."""
    store(uid, [Row({"loss": 5}, 1, at(2000), "wandb"), Row({"loss": 5}, 2, at(3000), "wandb")])
    cursor = ask("iteration-times", after="")["cursor"]
    store(uid, [Row({"loss": 5}, 1, at(1000), "log")])
    answer = ask("iteration-times", after=cursor)
    assert [(point["timestamp"], point["data_source"]) for point in answer["data"]] == [(1000, "log")]
    assert {(pair["data_source"], pair["iteration"]) for pair in answer["changed"]} == {("log", 1), ("wandb", 1)}


def test_a_removal_without_replacement_resets(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(5)])
    _, cursor = follow(ask, "")
    with writing(postgres) as (execute, commit):
        execute(DELETE, (uid, 3))
        commit()
    answer = ask("data", after=cursor)
    assert answer["reset"] is True
    assert [point["iteration"] for point in answer["data"]] == [0, 1, 2, 4]


def test_an_unsettled_record_is_removed(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    """It was sent while an older transaction was running, and no later record has its pair."""
    store(uid, [Row({"loss": index}, index) for index in range(3)])
    with writing(postgres) as (older, commit_older), writing(postgres) as (execute, commit):
        older(INSERT, (f"{uid}-other", 1, 1, 1))
        execute(INSERT, (uid, 3, 3, 3))
        commit()
        _, cursor = follow(ask, "")
        execute(DELETE, (uid, 3))
        commit()
        answer = ask("data", after=cursor)
        assert (answer["reset"], answer["data"]) == (False, [])
        assert answer["changed"] == [{"data_source": "log", "iteration": 3}]
        commit_older()


@pytest.mark.usefixtures("_large")
def test_corrections_of_a_large_workload_do_not_reset(
    ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Polls send the pairs of corrections; the comparison that follows later accounts for the removed records."""
    monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 3600)
    store(uid, [Row({"loss": index}, index) for index in range(40)])
    _, cursor = follow(ask, "")
    with writing(postgres) as (execute, commit):
        for iteration in range(0, 30, 3):
            execute(DELETE, (uid, iteration))
            execute(INSERT, (uid, -1, iteration, iteration))
            commit()
            points, cursor = follow(ask, cursor)
            assert points == [(iteration, -1)]
        execute("SELECT pg_stat_force_next_flush()", ())
        commit()
        execute("SELECT 1", ())
        commit()
    monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 0)
    answer = ask("data", after=cursor)
    assert answer["reset"] is False
    assert {pair["iteration"] for pair in answer["changed"]} == set(range(0, 30, 3))
    assert follow(ask, answer["cursor"])[0] == []
