"""ETags and cursors at the edges: what depends on other data sources, and cursors without their lists."""

from contextlib import closing

import psycopg2
import pytest
from flask.testing import FlaskClient

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.freshness import checkpoint, cursor
from lens_perf.performance.freshness.cursor import EMPTY, Ledger
from lens_perf.performance.freshness.statements import OldRecords
from tests.api.test_polling import ask_known, get_etag, writing
from tests.conftest import Ask, Row, Store, at

OF_LOG = "data_source=log"


@pytest.mark.parametrize(
    "question",
    [
        f"data?{OF_LOG}&max_points=9&axis=relative_time",
        f"iteration-times?{OF_LOG}&max_points=9&axis=relative_time",
        f"data?{OF_LOG}&format=parquet&layout=wide",
    ],
)
def test_an_answer_that_depends_on_another_data_source(
    client: FlaskClient, store: Store, uid: str, question: str
) -> None:
    store(uid, [Row({"loss": index}, index, at(1000 * (index + 500))) for index in range(9)])
    etag, before = get_etag(client, uid, question), client.get(f"/lens/v1/workloads/{uid}/metrics/{question}").data
    assert ask_known(client, uid, etag, question).status_code == 304
    # Earlier, and with a number that is not whole.
    store(uid, [Row({"loss": 1.5}, 1, at(1000), "wandb")])
    answer = ask_known(client, uid, etag, question)
    assert (answer.status_code, answer.data == before) == (200, False)
    assert ask_known(client, uid, answer.headers["ETag"], question).status_code == 304


def test_other_answers_do_not_depend_on_other_data_sources(client: FlaskClient, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index}, index) for index in range(9)])
    for question in (f"data?{OF_LOG}", f"data?{OF_LOG}&max_points=4", f"data?{OF_LOG}&format=csv&layout=wide"):
        etag = get_etag(client, uid, question)
        store(uid, [Row({"loss": 1.5}, 1, at(1000), "wandb")])
        assert ask_known(client, uid, etag, question).status_code == 304


@pytest.mark.parametrize("hashes", [-1, -(2**63), 0, 2**63 - 1])
def test_a_ledger_is_read_back_as_written(hashes: int) -> None:
    ledger = EMPTY.add([OldRecords("log", 3, hashes, 9)])
    assert Ledger.parse(*ledger.write()) == ledger


def test_many_appended_records_are_no_reset(client: FlaskClient, store: Store, uid: str) -> None:
    for number in range(8):  # the sign of the XOR of their hashes differs
        workload = f"{uid}-{number}"
        store(workload, [Row({"loss": 1}, index) for index in range(50 + number)])
        url = f"/lens/v1/workloads/{workload}/metrics/data?after="
        begun = client.get(url).json["cursor"]
        store(workload, [Row({"loss": 2}, index) for index in range(100, 140)])
        answer = client.get(url + begun).json
        assert (answer["reset"], len(answer["changed"])) == (False, 40)


def test_iteration_times_of_a_cursor_that_does_not_know_the_data_sources(
    ask: Ask, store: Store, uid: str, postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "SMALL_WORKLOAD", -1)
    monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 3600)
    monkeypatch.setattr(cursor, "MOST_PAIRS", 5)
    store(uid, [Row({"loss": index}, index, at(1000 * index)) for index in range(1, 20)])
    store(uid, [Row({"loss": 1}, 1, at(90_000), "wandb")])
    points: dict[tuple[str, int], object] = {}

    def poll(after: str) -> str:
        answer = ask("iteration-times", after=after)
        if answer["reset"]:
            points.clear()
        for pair in answer["changed"]:
            points.pop((pair["data_source"], pair["iteration"]), None)
        points.update({(point["data_source"], point["iteration"]): point for point in answer["data"]})
        return str(answer["cursor"])

    known = poll("")
    store(uid, [Row({"loss": 1}, 5, at(95_000), "wandb")])
    known = poll(known)
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as other, other.cursor() as long:
        long.execute("SELECT pg_current_xact_id()")
        store(uid, [Row({"loss": 1}, 7 * index, at(99_000)) for index in range(30, 50)])
        known = poll(known)  # has more unsettled pairs than a cursor may list
        store(f"{uid}-other", [Row({"loss": 1}, 1)])
        with writing(postgres) as (execute, commit):
            execute("UPDATE training_performance SET iteration = 2 WHERE workload_uid = %s", (f"{uid}-other",))
            commit()
            execute("SELECT pg_stat_force_next_flush()", ())
            commit()
            execute("SELECT 1", ())
        monkeypatch.setattr(checkpoint, "COMPARE_SECONDS", 0)
        poll(known)
        whole = ask("iteration-times")["data"]
    assert points == {(point["data_source"], point["iteration"]): point for point in whole}
