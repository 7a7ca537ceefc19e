"""Each row of the table from driver errors to messages, raised by a real server."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.api.error_responses import find_status
from lens_perf.app import REGISTRY
from lens_perf.clusters.driver_errors import REFUSALS, RULES, Rule, translate
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import (
    ClusterFailedError,
    ClusterMisconfiguredError,
    ClusterUnreachableError,
    ConnectionLimitError,
    InvalidParameterError,
    LensError,
    QueryFailedError,
)
from tests.conftest import READER, running_app, two_clusters
from tests.faults import wait_until
from tests.instrumentation.exposition import value_of

RAISE = "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{}', MESSAGE = 'password=hunter2'; END $$"
STATUSES = {
    "53300": 503,
    "53100": 503,
    "53200": 503,
    "53": 503,
    "54": 413,
    "22P05": 400,
    "22021": 503,
    "57014": 503,
    "40": 503,
    "08": 503,
    "58": 503,
    "28": 503,
}
# The SQLSTATE with which each class is tested.
EXAMPLES = {"53": "53400", "54": "54011", "40": "40001", "08": "08006", "57P": "57P01", "58": "58030", "28": "28000",
            "3D": "3D000", "3F": "3F000"}  # fmt: skip
ROWS = [(EXAMPLES.get(code, code), rule) for rule in RULES for code in rule.codes]


@pytest.mark.parametrize(("code", "rule"), ROWS, ids=[code for code, _ in ROWS])
def test_each_sqlstate_has_its_message(
    registry: ClusterRegistry, code: str, rule: Rule, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(LensError) as caught, registry.read("alpha") as transaction:
        transaction.fetch_all(RAISE.format(code), {})
    assert type(caught.value) is rule.error
    assert caught.value.message == rule.message.format(cluster="alpha")
    assert find_status(caught.value) == STATUSES[rule.codes[0]]
    assert f"SQLSTATE {code}: {caught.value.message}" in caplog.text
    assert "hunter2" not in caplog.text + str(caught.value)
    # The connection can still be used.
    with registry.read("alpha") as transaction:
        assert transaction.fetch_all("SELECT 1", {}) == [(1,)]


@pytest.mark.parametrize("code", ["22012", "42601", "XX000", "P0001", "99999"])
def test_other_sqlstates_are_errors_of_the_service(registry: ClusterRegistry, code: str) -> None:
    with pytest.raises(QueryFailedError, match="Internal server error"), registry.read("alpha") as transaction:
        transaction.fetch_all(RAISE.format(code), {})


def test_no_rule_hides_another() -> None:
    for code, rule in ROWS:
        assert next(each for each in RULES if code.startswith(each.codes)) is rule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FATAL:  sorry, too many clients already", ConnectionLimitError),
        ('FATAL:  too many connections for role "lens_reader"', ConnectionLimitError),
        ('FATAL:  too many connections for database "lens"', ConnectionLimitError),
        (
            "FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            ConnectionLimitError,
        ),
        ("FATAL:  no more connections allowed (max_client_conn)", ConnectionLimitError),
        ('FATAL:  password authentication failed for user "lens_reader"', ClusterMisconfiguredError),
        ("fe_sendauth: no password supplied", ClusterMisconfiguredError),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b"', ClusterMisconfiguredError),
        ('FATAL:  database "lens" does not exist', ClusterMisconfiguredError),
        ('FATAL:  role "lens_reader" is not permitted to log in', ClusterMisconfiguredError),
        ('FATAL:  permission denied for database "lens"', ClusterMisconfiguredError),
        ("FATAL:  no such user", ClusterMisconfiguredError),
        ("Connection refused\n\tIs the server running on that host?", ClusterUnreachableError),
        ("FATAL:  the database system is starting up", ClusterUnreachableError),
        ("FATAL:  les emplacements de connexions restants sont réservés", ClusterUnreachableError),
        ('could not translate host name "db" to address: Name or service not known', ClusterUnreachableError),
        ("timeout expired", ClusterUnreachableError),
        ('root certificate file "/nowhere" does not exist', ClusterUnreachableError),
    ],
)
def test_a_refused_connection_is_recognised_by_its_text(text: str, expected: type[LensError]) -> None:
    error = translate("alpha", psycopg2.OperationalError(f'connection to server at "db" failed: {text}\n'))
    assert type(error) is expected
    assert "FATAL" not in error.message
    assert "alpha" in error.message


@given(st.text(max_size=300))
def test_no_text_is_quoted(text: str) -> None:
    error = translate("alpha", psycopg2.OperationalError(text))
    assert error.message in {
        *(message.format(cluster="alpha") for _, _, message in REFUSALS),
        "Cluster alpha cannot be reached now; try again later",
    }


@contextmanager
def limited_role(postgres: EmbeddedPostgres, limit: int) -> Iterator[str]:
    name = f"limited_{limit}"
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE ROLE {name} LOGIN CONNECTION LIMIT {limit}")
        cursor.execute(f"GRANT SELECT ON training_performance TO {name}")
        try:
            yield name
        finally:
            cursor.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")


def test_a_connection_limit_below_the_pool(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> None:
    """Real connections reach the limit. The response and the metric show it, and the breaker remains closed."""
    with limited_role(postgres18, 2) as role, ExitStack() as held:
        dsn = postgres18.dsn("alpha", role)
        with running_app(write_settings(f'[clusters.narrow]\ndsn = "{dsn}"')) as app:
            for _ in range(2):
                held.enter_context(closing(psycopg2.connect(dsn)))
            for _ in range(4):
                response = app.test_client().get("/lens/v1/workloads/w/metrics/sources")
                assert (response.status_code, response.headers["Retry-After"]) == (503, "1")
                assert response.json is not None
                assert response.json["message"].startswith("Cluster narrow accepts no more connections")
            assert app.extensions[REGISTRY].breaker_state("narrow") == "closed"
            metrics = app.test_client().get("/metrics").text
            counted = {each: value_of(metrics, "lens_perf_connects_total", cluster="narrow", outcome=each)
                       for each in ("limit", "failed", "ok")}  # fmt: skip
            assert counted == {"limit": 4, "failed": 0, "ok": 0}
            held.close()
            wait_until(lambda: app.test_client().get("/lens/v1/workloads/w/metrics/sources").status_code == 200)


def test_a_query_that_an_operator_cancels_did_not_run_past_its_deadline(
    registry: ClusterRegistry, postgres: EmbeddedPostgres
) -> None:
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True

        def cancel() -> bool:
            cursor.execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%/* to cancel */%'"
                           " AND pid <> pg_backend_pid() AND state = 'active'")  # fmt: skip
            return cursor.rowcount > 0

        canceler = threading.Thread(target=wait_until, args=(cancel,))
        canceler.start()
        with pytest.raises(ClusterFailedError, match="canceled the query"), registry.read("alpha") as transaction:
            transaction.fetch_all("SELECT /* to cancel */ pg_sleep(20)", {})
        canceler.join()


@pytest.fixture
def encoded(postgres18: EmbeddedPostgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """A database with the encoding of the test's parameter."""
    name = f"encoded_{request.param.lower()}"
    with closing(psycopg2.connect(postgres18.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE DATABASE {name} ENCODING '{request.param}' TEMPLATE template0 LOCALE 'C'")
        yield name
        cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("encoded", ["LATIN1"], indirect=True)
def test_a_name_that_the_database_cannot_store(
    postgres18: EmbeddedPostgres, encoded: str, write_settings: Callable[[str], Path]
) -> None:
    settings = load_settings(write_settings(f'[clusters.latin]\ndsn = "{postgres18.dsn(encoded)}"'), {})
    with closing(ClusterRegistry(settings)) as registry:
        with pytest.raises(InvalidParameterError, match="cluster latin cannot store"), registry.read(None) as reading:
            reading.fetch_all("SELECT %(name)s", {"name": "損失"})
        with registry.read(None) as reading:
            assert reading.fetch_all("SELECT %(name)s", {"name": "é"}) == [("é",)]


@pytest.mark.parametrize("encoded", ["SQL_ASCII"], indirect=True)
def test_text_that_is_invalid(
    postgres18: EmbeddedPostgres, encoded: str, write_settings: Callable[[str], Path]
) -> None:
    settings = load_settings(write_settings(f'[clusters.bytes]\ndsn = "{postgres18.dsn(encoded)}"'), {})
    with closing(ClusterRegistry(settings)) as registry:
        with pytest.raises(ClusterFailedError, match="contains text that is not UTF-8"), registry.read(None) as reading:
            reading.fetch_all(r"SELECT E'\xff'", {})
        assert registry.connections_in_use("bytes") == 0


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "a\0b"])
def test_a_parameter_that_cannot_be_stored(registry: ClusterRegistry, text: str) -> None:
    refused = pytest.raises(InvalidParameterError, match="NUL character or an unpaired surrogate")
    with refused, registry.read("alpha") as transaction:
        transaction.fetch_all("SELECT %(name)s", {"name": text})
    with pytest.raises(InvalidParameterError), registry.read("alpha") as transaction:
        transaction.copy_out("COPY (SELECT %(name)s) TO STDOUT", {"name": text}, None)


def test_the_deadline_is_not_taken_for_a_cancellation(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]
) -> None:
    text = f'[limits]\ndeadline_seconds = 0.3\n[clusters.alpha]\ndsn = "{postgres18.dsn("alpha", READER)}"'
    with closing(ClusterRegistry(load_settings(write_settings(text), {}))) as registry:
        for _ in range(5):
            with pytest.raises(LensError, match="ran past its deadline"), registry.read(None) as transaction:
                transaction.fetch_all("SELECT pg_sleep(5)", {})


def test_a_database_that_does_not_exist(app: Flask, postgres: EmbeddedPostgres) -> None:
    assert "without_database" in two_clusters(postgres)
    response = app.test_client().get("/lens/v1/workloads/w/metrics/sources?cluster=without_database")
    assert response.json is not None
    assert (
        response.json["message"]
        == "Cluster without_database is not set up for this service; ask its operator to run lens-perf check-config"
    )
