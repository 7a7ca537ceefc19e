"""The limits of transactions, and that nothing of them remains in the session."""

import io
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.clusters.transaction import ReadTransaction
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import ClusterError, LensError, QueryFailedError
from tests.conftest import two_clusters

SHOWN = """
SELECT current_setting('transaction_read_only'), current_setting('statement_timeout'), current_setting('work_mem'),
    current_setting('jit'), current_setting('client_connection_check_interval')
"""


def test_the_limits_hold_for_the_statement(registry: ClusterRegistry) -> None:
    with registry.read("alpha") as transaction:
        assert transaction.fetch_all(SHOWN, {}) == [("on", "30s", "128MB", "off", "500ms")]
        sink = io.BytesIO()
        transaction.copy_out(f"COPY ({SHOWN}) TO STDOUT", {}, sink)
        assert sink.getvalue() == b"on\t30s\t128MB\toff\t500ms\n"


def test_no_setting_remains_in_the_session(registry: ClusterRegistry) -> None:
    with registry.read("alpha") as transaction:
        transaction.fetch_all("SELECT 1", {})
    with registry.open_connection("alpha") as fresh, fresh.cursor() as cursor:
        cursor.execute(SHOWN)
        usual = cursor.fetchone()
    with registry._clusters["alpha"].pool.lend() as (connection, _), connection.cursor() as cursor:
        cursor.execute(SHOWN)
        assert cursor.fetchone() == usual


@pytest.mark.parametrize("statement", ["INSERT INTO training_performance DEFAULT VALUES", "CREATE TEMPORARY TABLE t ()",
                                       "SELECT nextval('training_performance_id_seq')"])  # fmt: skip
def test_writing_is_refused_even_for_a_role_with_the_privilege(cluster_dsn: str, statement: str) -> None:
    connection = psycopg2.connect(cluster_dsn)
    connection.autocommit = True
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        ReadTransaction(connection, b"SET LOCAL transaction_read_only = on;").fetch_all(statement, {})
    connection.close()


def test_a_refused_statement_leaves_the_connection_usable(registry: ClusterRegistry) -> None:
    with pytest.raises(QueryFailedError) as caught, registry.read("alpha") as transaction:
        transaction.fetch_all("SELECT 1 / 0", {})
    assert caught.value.message == "Internal server error"
    assert caught.value.__cause__ is None
    with registry.read("alpha") as transaction:
        assert transaction.fetch_all("SELECT %(value)s", {"value": "100 % and %%"}) == [("100 % and %%",)]


def test_a_connection_with_a_failed_sink_is_closed(registry: ClusterRegistry) -> None:
    class Full:
        def write(self, _row: bytes) -> None:
            raise LensError("full")

    for _ in range(20):
        with pytest.raises(LensError, match="full"), registry.read("alpha") as transaction:
            transaction.copy_out("COPY (SELECT * FROM generate_series(1, 100000)) TO STDOUT", {}, Full())
    assert registry.connections_in_use("alpha") == 0
    with registry.read("alpha") as transaction:
        assert transaction.fetch_all("SELECT 1", {}) == [(1,)]


def test_the_driver_is_never_quoted(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], caplog: pytest.LogCaptureFixture
) -> None:
    # A separate registry: with an open breaker, nothing connects and nothing is logged.
    settings = load_settings(write_settings(two_clusters(postgres)))
    with closing(ClusterRegistry(settings)) as own, pytest.raises(ClusterError), own.read("without_database"):
        pass
    answer = "Cluster without_database is not set up for this service; ask its operator to run lens-perf check-config"
    assert caplog.messages == [f"cluster without_database: OperationalError, SQLSTATE none: {answer}"]
