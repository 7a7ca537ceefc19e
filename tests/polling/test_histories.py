"""Histories that do not continue: restored backups, tables loaded again, and standbys that follow late."""

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
from lens_perf.performance.schema import create_schema
from tests.conftest import running_app
from tests.faults import wait_until
from tests.front.postgres_server import PostgresServer, open_server, run_standby, wait_for_replay
from tests.front.programs import find_program, needs
from tests.polling.clients import QUERIES, PollingClient, load_rule
from tests.polling.schedules import TRACED_STEPS, Schedule, schedules, steps
from tests.polling.writers import Writers

INSERT = """
INSERT INTO training_performance (workload_uid, performance, iteration, created_at)
VALUES ('{uid}', jsonb_build_object('loss', {value}), {iteration}, to_timestamp({iteration}))
"""


@pytest.fixture
def uid() -> str:
    return f"history-{uuid.uuid4().hex[:12]}"


@contextmanager
def serving(server: PostgresServer, path: Path) -> Iterator[Flask]:
    path.write_text(f'[clusters.alpha]\ndsn = "{server.dsn()}"\n', "utf-8")
    with running_app(path) as app:
        yield app


def insert(server: PostgresServer, uid: str, first: int, count: int, value: float) -> None:
    """Store records, each in a transaction of its own."""
    for iteration in range(first, first + count):
        server.execute(INSERT.format(uid=uid, iteration=iteration, value=value))


@pytest.fixture(scope="module")
def template(postgres18: EmbeddedPostgres) -> Iterator[PostgresServer]:
    """A cluster with the table, not running, whose data directory is there to be copied."""
    with open_server(postgres18.bin_dir, postgres18.socket_dir.owner()) as server:
        server.initialise()
        with server.started():
            create_table(server)
        yield server


@pytest.fixture
def stopped(template: PostgresServer) -> Iterator[PostgresServer]:
    """A server of the test's own, to be started and stopped."""
    with open_server(template.bin_dir, template.directory.owner()) as server:
        server.copy_data(template.data, server.data)
        yield server


@pytest.fixture(scope="module")
def server(template: PostgresServer) -> Iterator[PostgresServer]:
    """A server that runs; its table may be loaded again."""
    with template.started():
        yield template


def create_table(server: PostgresServer) -> None:
    with closing(psycopg2.connect(server.dsn())) as connection:
        create_schema(connection)


def clients_of(app: Flask, uid: str) -> list[PollingClient]:
    return [PollingClient(app.test_client(), uid, query, load_rule()) for query in QUERIES]


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
def test_a_restored_backup(stopped: PostgresServer, tmp_path: Path, uid: str, more: int) -> None:
    """The restored server uses the same ids and transactions again, for other values."""
    server = stopped
    with server.started():
        insert(server, uid, 1, 40, 1)
    backup = server.directory / "backup"
    server.copy_data(server.data, backup)
    with server.started(), serving(server, tmp_path / "a.toml") as app:
        clients = clients_of(app, uid)
        insert(server, uid, 41, 3, 2)
        poll_all(clients)
    shutil.rmtree(server.data)
    backup.rename(server.data)
    with server.started(), serving(server, tmp_path / "a.toml") as app:
        for client in clients:
            client.connect(app.test_client())
        insert(server, uid, 41, more, 3)
        assert check_all(clients) == {1}


def test_a_restart_is_no_other_history(stopped: PostgresServer, tmp_path: Path, uid: str) -> None:
    server = stopped
    with server.started(), serving(server, tmp_path / "a.toml") as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 20, 1)
        poll_all(clients)
    with server.started(), serving(server, tmp_path / "a.toml") as app:
        for client in clients:
            client.connect(app.test_client())
        insert(server, uid, 21, 2, 1)
        assert check_all(clients) == {0}


LOADS: dict[str, Callable[[PostgresServer], Any]] = {
    "truncated": lambda server: server.execute("TRUNCATE training_performance RESTART IDENTITY"),
    "created again": lambda server: (server.execute("DROP TABLE training_performance"), create_table(server)),
    "deleted": lambda server: server.execute(
        "DELETE FROM training_performance; ALTER SEQUENCE training_performance_id_seq RESTART"
    ),
}


@pytest.mark.parametrize("how", LOADS)
def test_a_table_loaded_again(server: PostgresServer, tmp_path: Path, uid: str, how: str) -> None:
    with serving(server, tmp_path / "a.toml") as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 5, 1)
        poll_all(clients)
        LOADS[how](server)
        insert(server, uid, 1, 5, 2)
        # Records deleted and inserted by the same iterations are corrections, whatever their ids.
        assert check_all(clients) == ({0} if how == "deleted" else {1})


def test_vacuum_full_is_no_other_history(server: PostgresServer, tmp_path: Path, uid: str) -> None:
    with serving(server, tmp_path / "a.toml") as app:
        clients = clients_of(app, uid)
        insert(server, uid, 1, 5, 1)
        poll_all(clients)
        server.execute("VACUUM FULL training_performance")
        assert check_all(clients) == {0}


@pytest.fixture(scope="module")
def replicated() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its standby, of the oldest version that is supported."""
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
    """Replay pauses while clients ask, wherever it is: so that each compares answers of one state."""
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


@contextmanager
def paused_replay(standby: PostgresServer) -> Iterator[None]:
    standby.execute("SELECT pg_wal_replay_pause()")
    wait_until(lambda: standby.execute("SELECT pg_get_wal_replay_pause_state()") == [("paused",)])
    try:
        yield
    finally:
        standby.execute("SELECT pg_wal_replay_resume()")
