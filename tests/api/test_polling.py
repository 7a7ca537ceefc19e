"""Asking again: nothing is read when nothing is new, and what is new comes whole, also what commits late."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.demo.embedded_postgres import EmbeddedPostgres



from tests.conftest import Ask, Row, Store, at

INSERT = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
VALUES (%s, jsonb_build_object('loss', %s), %s, to_timestamp(%s))
"""
DELETE = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration = %s"

Writer = Callable[[str, tuple[Any, ...]], None]


@contextmanager
def writing(postgres: EmbeddedPostgres) -> Iterator[tuple[Writer, Callable[[], None]]]:
    """A transaction of somebody else: what runs a statement in it, and what commits it."""
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
    # Somebody else's records change nothing, though the server's snapshot is another then.
    store(f"{uid}-other", [Row({"loss": 1})])
    assert ask_known(client, uid, etag, question).status_code == 304


def test_data_are_not_read_to_tell(
    client: FlaskClient, store: Store, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(uid, [Row({"loss": 1})])
    etag = get_etag(client, uid)
    monkeypatch.setattr("lens_perf.performance.point_reader.queries", None)
    monkeypatch.setattr("lens_perf.performance.point_reader.select_survey", None)
    assert ask_known(client, uid, etag).status_code == 304


def test_what_changes_an_etag(client: FlaskClient, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
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


def test_an_etag_is_of_one_question(client: FlaskClient, store: Store, uid: str) -> None:
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
    """Its id is below others that were seen before it."""
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


def test_only_what_is_new(ask: Ask, store: Store, uid: str) -> None:
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
    """Two writers at once, of which the first to take an id is the last to commit, while a reader polls."""
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
    assert points == [(1, 1), (3, 3)]
    assert follow(ask, cursor)[0] == []


def test_a_late_commit_far_below_the_newest_id(
    ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids settle only when all that was being written when they were the newest has ended."""
    monkeypatch.setattr(freshness, "UNSETTLED_IDS", 0)
    store(uid, [Row({"loss": 0}, 0)])
    _, cursor = follow(ask, "")
    with writing(postgres) as (slow, commit):
        slow(INSERT, (uid, 1, 1, 1))
        for index in range(2, 6):
            store(uid, [Row({"loss": index}, index)])
            points, cursor = follow(ask, cursor)
            assert points == [(index, index)]
        commit()
    assert follow(ask, cursor)[0] == [(1, 1)]


def test_an_aborted_writer_leaves_nothing(ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    with writing(postgres) as (execute, _commit):
        execute(INSERT, (uid, 1, 1, 1))
        _, cursor = follow(ask, "")
    assert follow(ask, cursor)[0] == []


def test_a_cursor_stands_in_the_header_of_every_form(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    address = f"/lens/v1/workloads/{uid}/metrics/data?format=ndjson&after="
    cursor = client.get(address).headers["X-Cursor"]
    assert client.get(address + cursor).data == b""
    store(uid, [Row({"loss": 1}, 1)])
    assert client.get(address + cursor).text.count("\n") == 1


def test_a_cursor_is_of_one_workload_and_history(app: Flask, ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 0}, 0)])
    cursor = ask("data", after="")["cursor"]
    client = app.test_client()
    for path in (f"{uid}-other/metrics/data?after=", f"{uid}/metrics/data?cluster=beta&after="):
        assert client.get(f"/lens/v1/workloads/{path}{cursor}").status_code == 400
    seen = Seen.parse(cursor, question_of(cursor))
    ahead = Seen(seen.question, "999999999:999999999:", seen.latest_id, seen.settled_id, seen.records).encode()
    assert client.get(f"/lens/v1/workloads/{uid}/metrics/data?after={ahead}").status_code == 400


def question_of(cursor: str) -> str:
    import json
    from base64 import urlsafe_b64decode

    return str(json.loads(urlsafe_b64decode(cursor + "=="))[0])


