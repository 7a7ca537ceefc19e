"""PgBouncer in transaction mode between the service and PostgreSQL: all of tests/api, and that no state remains."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, THROUGH_PGBOUNCER, Row, Store, running_app
from tests.front.pgbouncer import BehindPgBouncer, run_pgbouncer
from tests.front.programs import needs
from tests.test_serving import on_one_version

pytestmark = needs("pgbouncer")

ROOT = Path(__file__).parent.parent
SETTINGS = """
[limits]
max_points = 500
[clusters.alpha]
dsn = "{dsn}"
"""


@pytest.fixture(params=[2])
def bouncer(request: pytest.FixtureRequest, postgres: EmbeddedPostgres) -> Iterator[BehindPgBouncer]:
    with run_pgbouncer(postgres, request.param) as bouncer:
        yield bouncer


@pytest.fixture
def app(bouncer: BehindPgBouncer, write_settings: Callable[[str], Path]) -> Iterator[Flask]:
    with running_app(write_settings(SETTINGS.format(dsn=bouncer.dsn("alpha", READER)))) as app:
        yield app


def count_points(app: Flask, uid: str, query: str = "") -> int:
    response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/data{query}")
    assert response.status_code == 200, response.text
    return int(response.json["total_count"])


def count_servers(bouncer: BehindPgBouncer) -> int:
    """Return the number of PgBouncer's connections to PostgreSQL, from its console."""
    with closing(psycopg2.connect(bouncer.dsn("pgbouncer", READER))) as connection, connection.cursor() as cursor:
        connection.autocommit = True  # its console knows no BEGIN
        cursor.execute("SHOW SERVERS")
        return len(cursor.fetchall())


@on_one_version
def test_many_requests_over_two_connections(app: Flask, bouncer: BehindPgBouncer, store: Store, uid: str) -> None:
    for number in range(10):
        store(f"{uid}-{number}", [Row({"loss": index}, index) for index in range(number + 1)])
    with ThreadPoolExecutor(8) as threads:
        counts = list(threads.map(lambda number: count_points(app, f"{uid}-{number % 10}"), range(200)))
    assert counts == [number % 10 + 1 for number in range(200)]
    assert count_servers(bouncer) == 2


SHOWN = "transaction_read_only", "statement_timeout", "work_mem", "client_connection_check_interval", "jit"


def show_limits(dsn: str) -> tuple[int, list[str]]:
    """Return the process id of the backend, and its session settings."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SELECT pg_backend_pid(), " + ", ".join(f"current_setting('{name}')" for name in SHOWN))
        row = cursor.fetchone()
        assert row is not None
        return row[0], list(row[1:])


@on_one_version
@pytest.mark.parametrize("bouncer", [1], indirect=True)
def test_no_state_of_a_request_remains(app: Flask, bouncer: BehindPgBouncer, store: Store, uid: str) -> None:
    """Neither after success nor after a COPY that was not read to its end."""
    store(uid, [Row({"loss": index}, index) for index in range(400)])
    store(f"{uid}-large", [Row({"loss": index, "lr": index}, index) for index in range(400)])
    dsn = bouncer.dsn("alpha", READER)
    before = show_limits(dsn)
    for _ in range(3):
        assert count_points(app, uid) == count_points(app, uid, "?metrics=loss") == 400
        assert show_limits(dsn) == before
        assert app.test_client().get(f"/lens/v1/workloads/{uid}-large/metrics/data").status_code == 413
        assert show_limits(dsn)[1] == before[1]
        before = show_limits(dsn)


# PgBouncer reports that a database does not exist once, and lets later connections wait. Neither the description of the
# service nor the type of data_source depends on how it reaches PostgreSQL.
FIT = "postgres18 and not -text] and not without_database and not test_ready_if_any_cluster_is and not test_openapi"


@pytest.mark.long
def test_the_whole_api_suite(pytestconfig: pytest.Config) -> None:
    """All tests that use PostgreSQL, with one version."""
    if pytestconfig.getoption(THROUGH_PGBOUNCER):
        pytest.skip("everything goes through PgBouncer as it is")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", THROUGH_PGBOUNCER]
    ended = subprocess.run(
        [*command, "-k", FIT, "tests/api"], cwd=ROOT, capture_output=True, text=True, timeout=600, check=False
    )
    assert ended.returncode == 0, ended.stdout
    passed = re.search(r"(\d+) passed", ended.stdout)
    assert passed is not None
    assert int(passed.group(1)) > 200
