"""Whatever writers do, a polling client's copy ends equal to a full read, and no 304 is wrong."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2
import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.freshness import checkpoint
from lens_perf.performance.schema import create_schema
from tests.conftest import running_app
from tests.front.postgres_server import PostgresServer, open_server
from tests.polling.clients import QUERIES, PollingClient, load_rule
from tests.polling.writers import Writers

INSERTS = ["insert", "insert", "insert", "late", "correct", "correct"]
TRANSACTIONS = ["savepoint", "release", "undo", "commit", "commit", "rollback", "prepare", "elsewhere"]
SERVER = ["jump", "jump", "vacuum"]
REWRITES = ["update", "remove"]
POLLS = ["poll", "poll", "poll", "poll", "validate"]


def steps(*names: str) -> st.SearchStrategy[list[tuple[str, int, int]]]:
    """Draw schedules of the steps ``names``."""
    step = st.tuples(st.sampled_from(names), st.integers(0, 7), st.integers(0, 41))
    return st.lists(step, min_size=25, max_size=50)


@pytest.fixture(scope="module")
def server(postgres18: EmbeddedPostgres) -> Iterator[PostgresServer]:
    """A server that allows prepared transactions."""
    with open_server(postgres18.bin_dir, postgres18.socket_dir.owner()) as own:
        own.initialise()
        with own.started("max_prepared_transactions=20"):
            with closing(psycopg2.connect(own.dsn())) as connection:
                create_schema(connection)
            yield own


@pytest.fixture(scope="module")
def app(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The service over that server."""
    path = tmp_path_factory.mktemp("settings") / "lens_perf.toml"
    path.write_text(f'[clusters.alpha]\ndsn = "{server.dsn()}"\n', "utf-8")
    with running_app(path) as app:
        yield app


def run_schedule(app: Flask, dsn: str, schedule: list[tuple[str, int, int]], *, flush: bool = False) -> None:
    """Let writers and three clients take the steps; compare in the end."""
    uid = f"schedule-{uuid.uuid4().hex[:12]}"
    update = load_rule()
    first = sum(a for _, a, _ in schedule)
    queries = [QUERIES[(first + index) % len(QUERIES)] for index in (0, 3, 6)]
    clients = [PollingClient(app.test_client(), uid, query, update) for query in queries]
    with closing(Writers(dsn, uid)) as writers:
        for step, a, b in schedule:
            if step not in {"poll", "validate"}:
                writers.run(step, a, b)
                continue
            if flush:
                writers.flush_statistics()
            for client in clients if step == "poll" else clients[:1]:
                getattr(client, step)()
    for client in clients:
        client.poll()
        client.check()
        client.validate()


def schedules(count: int) -> settings:
    """Return the settings for so many schedules."""
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck),
                    phases=[Phase.explicit, Phase.generate, Phase.shrink])  # fmt: skip


@contextmanager
def large_workloads(seconds: int) -> Iterator[None]:
    """Treat every workload as a large one, which is searched for updates and removals every ``seconds``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "SMALL_WORKLOAD", -1)
        patch.setattr(checkpoint, "COMPARE_SECONDS", seconds)
        yield


@schedules(80)
@given(schedule=steps(*INSERTS, *TRANSACTIONS, *SERVER, *REWRITES, *POLLS))
def test_small_workloads(app: Flask, server: PostgresServer, schedule: list[tuple[str, int, int]]) -> None:
    run_schedule(app, server.dsn(), schedule)


@schedules(80)
@given(schedule=steps(*INSERTS, *TRANSACTIONS, *SERVER, *POLLS))
def test_large_workloads(app: Flask, server: PostgresServer, schedule: list[tuple[str, int, int]]) -> None:
    """Without updates in place and bare removals, everything is reported at once, also where nothing is compared."""
    with large_workloads(3600):
        run_schedule(app, server.dsn(), schedule)


@schedules(40)
@given(schedule=steps(*INSERTS, *TRANSACTIONS, *REWRITES, *POLLS))
def test_large_workloads_are_compared_when_the_server_counts_rewrites(
    app: Flask, server: PostgresServer, schedule: list[tuple[str, int, int]]
) -> None:
    with large_workloads(0):
        run_schedule(app, server.dsn(), schedule, flush=True)
