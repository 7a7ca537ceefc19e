"""After any actions of writers, a polling client's copy equals a full read, and no 304 is wrong."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from flask import Flask
from hypothesis import given

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.freshness import checkpoint
from lens_perf.performance.schema import create_schema
from tests.conftest import running_app
from tests.front.postgres_server import PostgresServer, open_server
from tests.polling.schedules import (
    ALL_STEPS,
    INSERTS,
    POLLS,
    REWRITES,
    TRACED_STEPS,
    TRANSACTIONS,
    Schedule,
    large_workloads,
    run_schedule,
    schedules,
    steps,
)

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server(postgres18: EmbeddedPostgres) -> Iterator[PostgresServer]:
    """A server that allows prepared transactions."""
    with open_server(postgres18.bin_dir, postgres18.socket_dir.owner()) as own:
        own.initialise()
        with own.started("max_prepared_transactions=20"):
            with closing(psycopg2.connect(own.dsn())) as connection:
                create_schema(connection)
            yield own


@pytest.fixture(scope="module", params=[False, True], ids=["postgresql", "as-on-citus"])
def app(
    request: pytest.FixtureRequest, server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """The service for that server, with the statements for PostgreSQL and with those for Citus."""
    directory = tmp_path_factory.mktemp("settings")
    path = directory / "lens_perf.toml"
    settings = f'[clusters.alpha]\ndsn = "{server.dsn()}"\n[columns]\ndirectory = "{directory}/columns"\n'
    path.write_text(settings, "utf-8")
    with running_app(path, as_on_citus=request.param) as app, pytest.MonkeyPatch.context() as patch:
        # The schedules have jumps of ids within and beyond the smaller margin.
        patch.setattr(checkpoint, "UNSETTLED_IDS_OF_CITUS", checkpoint.UNSETTLED_IDS)
        yield app


@schedules(80)
@given(schedule=steps(*ALL_STEPS))
def test_small_workloads(app: Flask, server: PostgresServer, schedule: Schedule) -> None:
    run_schedule(app, server.dsn(), schedule)


@schedules(80)
@given(schedule=steps(*TRACED_STEPS))
def test_large_workloads(app: Flask, server: PostgresServer, schedule: Schedule) -> None:
    with large_workloads(3600):
        run_schedule(app, server.dsn(), schedule)


@schedules(40)
@given(schedule=steps(*INSERTS, *TRANSACTIONS, *REWRITES, *POLLS))
def test_large_workloads_are_compared_when_the_server_counts_rewrites(
    app: Flask, server: PostgresServer, schedule: Schedule
) -> None:
    with large_workloads(0):
        run_schedule(app, server.dsn(), schedule, flush=True)


@schedules(40)
@given(schedule=steps(*["poll", "late", "update"] * 2, *["commit"] * 3, "remove", "savepoint"))
def test_a_late_comparison_finds_changes_between_earlier_polls(
    app: Flask, server: PostgresServer, schedule: Schedule
) -> None:
    with large_workloads(0):
        run_schedule(app, server.dsn(), schedule, flush=True, late=True)
