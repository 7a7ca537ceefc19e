"""Histories that do not continue: restored backups, tables loaded again, and standbys that lag."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from hypothesis import given

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import point_changes
from lens_perf.performance.freshness.statements import MOST_NEW_RECORDS
from lens_perf.performance.schema import create_schema
from tests.conftest import running_app
from tests.faults import wait_until
from tests.front.postgres_server import PostgresServer, open_server, run_standby, wait_for_replay
from tests.front.programs import find_program, needs
from tests.polling.clients import QUERIES, PollingClient, check_copy, load_rule
from tests.polling.schedules import TRACED_STEPS, Schedule, large_workloads, schedules, steps
from tests.polling.writers import Writers

INSERT = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
VALUES ('{uid}', jsonb_build_object('loss', {value}), {iteration}, to_timestamp({iteration}))
"""


@pytest.fixture
def uid() -> str:
    return f"history-{uuid.uuid4().hex[:12]}"


@contextmanager
def serving(server: PostgresServer, path: Path, *, as_on_citus: bool = False) -> Iterator[Flask]:
    path.write_text(f'[clusters.alpha]\ndsn = "{server.dsn()}"\n', "utf-8")
    with running_app(path, as_on_citus=as_on_citus) as app:
        yield app


@pytest.fixture(params=[False, True], ids=["postgresql", "as-on-citus"])
def as_on_citus(request: pytest.FixtureRequest) -> bool:
    """Whether the service uses the statements for Citus."""
    chosen: bool = request.param
    return chosen


def insert(server: PostgresServer, uid: str, first: int, count: int, value: float) -> None:
    """Store records, each in a separate transaction."""
    for iteration in range(first, first + count):
        server.execute(INSERT.format(uid=uid, iteration=iteration, value=value))


@pytest.fixture(scope="module")
def template(postgres18: EmbeddedPostgres) -> Iterator[PostgresServer]:
    """A stopped server with the table, whose data directory is copied for each test."""
    with open_server(postgres18.bin_dir, postgres18.socket_dir.owner()) as server:
        server.initialise()
        with server.started():
            create_table(server)
        yield server


@pytest.fixture
def stopped(template: PostgresServer) -> Iterator[PostgresServer]:
    """A stopped server for one test, which starts and stops it."""
    with open_server(template.bin_dir, template.directory.owner()) as server:
        server.copy_data(template.data, server.data)
        yield server


@pytest.fixture(scope="module")
def server(template: PostgresServer) -> Iterator[PostgresServer]:
    """A running server for one test."""
    with template.started():
        yield template


def create_table(server: PostgresServer) -> None:
    with closing(psycopg2.connect(server.dsn())) as connection:
        create_schema(connection)


@contextmanager
def restoring(server: PostgresServer) -> Iterator[None]:
    """Restore the data of a server that is not running, after the block, to what they were before it."""
    backup = server.directory / "backup"
    server.copy_data(server.data, backup)
    yield
    shutil.rmtree(server.data)
    backup.rename(server.data)


def use_transactions(server: PostgresServer) -> None:
    """Use transaction ids without writing to the table."""
    for _ in range(30):
        server.execute("CREATE TEMPORARY TABLE other AS SELECT 1")


def clients_of(app: Flask, uid: str) -> list[PollingClient]:
    return [PollingClient(app.test_client(), uid, query, load_rule()) for query in QUERIES]


def connect_all(clients: list[PollingClient], app: Flask) -> None:
    for client in clients:
        client.connect(app.test_client())


def poll_all(clients: list[PollingClient]) -> None:
    for client in clients:
        client.poll()
        client.validate()


def check_all(clients: list[PollingClient]) -> set[int]:
    """Compare every copy with a full read; return how often clients were reset."""
    poll_all(clients)
    for client in clients:
        client.check()
    return {client.resets for client in clients}


@pytest.mark.parametrize("more", [3, 60])
def test_a_restored_backup(stopped: PostgresServer, tmp_path: Path, uid: str, more: int, as_on_citus: bool) -> None:
    """The restored server uses the same ids and transactions again, for other values."""
    server = stopped
    with server.started():
        insert(server, uid, 1, 40, 1)
    with restoring(server), server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        clients = clients_of(app, uid)
        insert(server, uid, 41, 3, 2)
        poll_all(clients)
    with server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        connect_all(clients, app)
        insert(server, uid, 41, more, 3)
        assert check_all(clients) == {1}


def test_a_restored_backup_of_which_no_record_is_missing(
    stopped: PostgresServer, tmp_path: Path, uid: str, as_on_citus: bool
) -> None:
    """Only other tables were written since the backup: it has all newest records, but not the later transactions."""
    server = stopped
    with server.started():
        insert(server, uid, 1, 40, 1)
    with restoring(server), server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        clients = clients_of(app, uid)
        use_transactions(server)
        poll_all(clients)
    with server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        connect_all(clients, app)
        insert(server, uid, 41, 10, 3)
        assert check_all(clients) == {1}
        check_copy(app, uid)


def test_a_table_that_was_empty(stopped: PostgresServer, tmp_path: Path, uid: str) -> None:
    """An empty table does not identify its history, which may be another one at the next poll."""
    server = stopped
    with restoring(server), server.started(), serving(server, tmp_path / "a.toml") as app, large_workloads(3600):
        clients = clients_of(app, uid)
        use_transactions(server)
        poll_all(clients)
    with server.started(), serving(server, tmp_path / "a.toml") as app, large_workloads(3600):
        connect_all(clients, app)
        insert(server, uid, 1, 10, 3)
        # More transactions than before.
        use_transactions(server)
        assert check_all(clients) == {1}
        check_copy(app, uid)


def test_a_restored_backup_that_has_caught_up(stopped: PostgresServer, tmp_path: Path, uid: str) -> None:
    """The copy is built again if it lacks records, although the next transaction is a later one than before."""
    server = stopped
    with server.started():
        insert(server, uid, 1, 40, 1)
    with restoring(server), server.started(), serving(server, tmp_path / "a.toml") as app:
        use_transactions(server)
        assert count_points_of(app, uid) == 40
    with server.started(), serving(server, tmp_path / "a.toml") as app:
        insert(server, uid, 41, 60, 3)
        assert count_points_of(app, uid) == 100
        check_copy(app, uid)


def count_points_of(app: Flask, uid: str) -> int:
    """Return the number of data points of the copy."""
    response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/available")
    assert response.status_code == 200, response.text
    return sum(each["count"] for each in response.get_json()["metrics"])


def test_a_restart_does_not_change_the_history(
    stopped: PostgresServer, tmp_path: Path, uid: str, as_on_citus: bool
) -> None:
    server = stopped
    with server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 20, 1)
        poll_all(clients)
    with server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        connect_all(clients, app)
        insert(server, uid, 21, 2, 1)
        assert check_all(clients) == {0}


def test_a_server_set_up_again_by_the_same_script(
    template: PostgresServer, tmp_path: Path, uid: str, as_on_citus: bool
) -> None:
    """It has the same ids, transactions and newest records; only an earlier record of the workload differs."""
    clients: list[PollingClient] = []
    for value in (1, 2):
        with open_server(template.bin_dir, template.directory.owner()) as server:
            server.initialise()
            with server.started(), serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
                create_table(server)
                insert(server, uid, 1, 1, value)
                insert(server, uid, 2, 9, 3)
                connect_all(clients, app)
                clients = clients or clients_of(app, uid)
                resets = check_all(clients)
    assert resets == {1}


LOADS: dict[str, Callable[[PostgresServer], Any]] = {
    "truncated": lambda server: server.execute("TRUNCATE training_performance RESTART IDENTITY"),
    "created again": lambda server: (server.execute("DROP TABLE training_performance"), create_table(server)),
    "deleted": lambda server: server.execute(
        "DELETE FROM training_performance; ALTER SEQUENCE training_performance_id_seq RESTART"
    ),
}


@pytest.mark.parametrize("how", LOADS)
def test_a_table_loaded_again(server: PostgresServer, tmp_path: Path, uid: str, how: str, as_on_citus: bool) -> None:
    with serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 5, 1)
        poll_all(clients)
        LOADS[how](server)
        insert(server, uid, 1, 5, 2)
        # Deleting records and inserting the same iterations are corrections, regardless of the ids.
        assert check_all(clients) == ({0} if how == "deleted" else {1})


def test_many_records_during_a_long_transaction(server: PostgresServer, tmp_path: Path, uid: str) -> None:
    """All records written since its start may be new, and they are more than the maximum."""
    load = """
    INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
    SELECT '{uid}', jsonb_build_object('loss', each), each, to_timestamp(each)
    FROM generate_series({first}, {last}) AS each
    """
    with serving(server, tmp_path / "a.toml") as app, closing(psycopg2.connect(server.dsn())) as connection:
        connection.cursor().execute("SELECT pg_current_xact_id()")
        server.execute(load.format(uid=uid, first=1, last=MOST_NEW_RECORDS + 2))
        assert count_points_of(app, uid) == MOST_NEW_RECORDS + 2
        server.execute(load.format(uid=uid, first=MOST_NEW_RECORDS + 3, last=MOST_NEW_RECORDS + 4))
        assert count_points_of(app, uid) == MOST_NEW_RECORDS + 4
        connection.rollback()
        assert count_points_of(app, uid) == MOST_NEW_RECORDS + 4
        check_copy(app, uid)


def test_vacuum_full_does_not_change_the_history(
    server: PostgresServer, tmp_path: Path, uid: str, as_on_citus: bool
) -> None:
    with serving(server, tmp_path / "a.toml", as_on_citus=as_on_citus) as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 5, 1)
        poll_all(clients)
        server.execute("VACUUM FULL training_performance")
        assert check_all(clients) == {0}


@pytest.fixture(scope="module")
def replicated() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its standby, of the oldest supported version."""
    with open_server(Path(find_program("postgres")).resolve().parent, "postgres") as primary:
        primary.initialise()
        with primary.started("max_prepared_transactions=20", "wal_level=replica", "max_wal_senders=4"):
            create_table(primary)
            with run_standby(primary, "max_prepared_transactions=20") as standby:
                yield primary, standby


@pytest.fixture(scope="module")
def standby_app(
    replicated: tuple[PostgresServer, PostgresServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    primary, standby = replicated
    wait_for_replay(primary, standby)
    with serving(standby, tmp_path_factory.mktemp("standby") / "lens_perf.toml") as app:
        yield app


@needs("postgres")
@schedules(30)
@given(schedule=steps(*TRACED_STEPS))
def test_a_standby(replicated: tuple[PostgresServer, PostgresServer], standby_app: Flask, schedule: Schedule) -> None:
    """Replay pauses during the requests of clients, so that they compare answers of one state."""
    primary, standby = replicated
    uid = f"standby-{uuid.uuid4().hex[:12]}"
    clients = [PollingClient(standby_app.test_client(), uid, query, load_rule()) for query in QUERIES[:6:2]]
    with closing(Writers(primary.dsn(), uid)) as writers:
        for step, a, b in schedule:
            if step not in {"poll", "validate"}:
                writers.run(step, a, b)
                continue
            with paused_replay(standby):
                for client in clients:
                    getattr(client, step)()
    wait_for_replay(primary, standby)
    for client in clients:
        client.poll()
        client.check()


TABLE_IS_LOCKED = """
SELECT count(*) > 0
FROM pg_locks
WHERE relation = 'training_performance'::regclass
AND mode = 'AccessExclusiveLock'
"""


@contextmanager
def paused_replay(standby: PostgresServer) -> Iterator[None]:
    wait_until(lambda: pause(standby))
    try:
        yield
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")


def pause(standby: PostgresServer) -> bool:
    """Pause replay; return False and continue if it is within a VACUUM FULL, which locks out readers."""
    standby.execute("SELECT pg_wal_replay_pause()")
    wait_until(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    if standby.execute(TABLE_IS_LOCKED) == [(False,)]:
        return True
    standby.execute("SELECT pg_wal_replay_resume()")
    return False


@needs("postgres")
def test_a_first_sampled_answer_on_a_standby(
    replicated: tuple[PostgresServer, PostgresServer], standby_app: Flask, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A standby counts no updates, so the workload is compared every few seconds, which must not cause resets."""
    primary, standby = replicated
    monkeypatch.setattr(point_changes, "SMALL_WORKLOAD", -1)
    insert(primary, uid, 1, 3, 1)
    wait_for_replay(primary, standby)
    address = f"/lens/v1/workloads/{uid}/metrics/data"
    client = standby_app.test_client()
    cursor = client.get(f"{address}?after=&max_points=1").json["cursor"]
    with large_workloads(0):
        for iteration in (4, 5):
            insert(primary, uid, iteration, 1, 1)
            wait_for_replay(primary, standby)
            answer = client.get(f"{address}?after={cursor}").json
            cursor = answer["cursor"]
            assert not answer["reset"]
            assert {"data_source": "log", "iteration": iteration} in answer["changed"]
