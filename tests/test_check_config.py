"""The findings of check-config about a cluster with limitations, and that the service behaves accordingly."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner, Result

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, running_app
from tests.databases import database

Check = Callable[[str], Result]
SETTINGS = '[clusters.odd]\ndsn = "{}"\n[pool]\nsize = {}\n'


@pytest.fixture
def check(write_settings: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(dsn: str, size: int = 8, workers: int = 2) -> Result:
        monkeypatch.setenv("WEB_CONCURRENCY", str(workers))
        return CliRunner().invoke(main, ["check-config", str(write_settings(SETTINGS.format(dsn, size)))])

    return run


VIEW = (
    "ALTER TABLE training_performance RENAME TO kept",
    "CREATE VIEW training_performance AS SELECT * FROM kept",
)


def test_a_view(postgres18: EmbeddedPostgres, check: Check, write_settings: Callable[[str], Path]) -> None:
    with database(postgres18, "with_view", *VIEW) as dsn:
        result = check(dsn)
        assert result.exit_code == 1
        assert "odd: NOT READY\n  training_performance is a view or a foreign table: data," in result.output
        with running_app(write_settings(SETTINGS.format(dsn, 8))) as app:
            base = "/lens/v1/workloads/w"
            for endpoint in ("data", "iteration-times", "available"):
                response = app.test_client().get(f"{base}/metrics/{endpoint}")
                assert response.status_code == 503
                assert response.json is not None
                assert "is not set up for this service" in response.json["message"]


def test_a_locked_table(postgres18: EmbeddedPostgres, check: Check) -> None:
    with (
        database(postgres18, "locked", "ALTER DATABASE locked SET lock_timeout = '10ms'") as dsn,
        closing(psycopg2.connect(postgres18.dsn("locked"))) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("LOCK training_performance")
        result = check(dsn)
    assert result.exit_code == 1
    assert "conflicted with other work in cluster odd; try again in a moment (SQLSTATE 55P03)" in result.output


READ_BY_THE_SERVICE = ("id", "performance", "iteration", "created_at", "serial", "workload_uid", "data_source")


@pytest.mark.parametrize("column", READ_BY_THE_SERVICE)
def test_a_missing_column(postgres18: EmbeddedPostgres, check: Check, column: str) -> None:
    with database(postgres18, "lacking", f"ALTER TABLE training_performance DROP {column} CASCADE") as dsn:
        result = check(dsn)
    assert result.exit_code == 1
    assert f"odd: NOT READY\n  column {column} is missing: add it with ALTER TABLE training" in result.output


@pytest.mark.parametrize(
    ("column", "type_name"),
    [
        ("id", "numeric"), ("performance", "json"), ("iteration", "text"), ("iteration", "numeric"),
        ("created_at", "text"), ("created_at", "date"), ("serial", "double precision"), ("workload_uid", "uuid"),
        ("data_source", "integer"),
    ],
)  # fmt: skip
def test_a_column_of_an_unsuitable_type(
    postgres18: EmbeddedPostgres, check: Check, column: str, type_name: str
) -> None:
    statements = (
        f"ALTER TABLE training_performance DROP {column} CASCADE",
        f"ALTER TABLE training_performance ADD {column} {type_name}",
    )
    with database(postgres18, "unsuitable", *statements) as dsn:
        result = check(dsn)
    assert result.exit_code == 1
    assert f"odd: NOT READY\n  column {column} is of the type {type_name}, which the service cannot" in result.output


OTHER_TYPES = (
    "CREATE DOMAIN source_name AS text",
    "ALTER TABLE training_performance ALTER id TYPE bigint, ALTER iteration TYPE bigint, ALTER serial TYPE smallint",
    "ALTER TABLE training_performance ALTER data_source DROP DEFAULT, ALTER data_source TYPE source_name",
    "ALTER TABLE training_performance ALTER workload_uid TYPE text, ALTER created_at TYPE timestamp",
)


def test_other_types_of_columns_that_the_service_can_read(
    postgres18: EmbeddedPostgres, check: Check, write_settings: Callable[[str], Path]
) -> None:
    with database(postgres18, "other_types", *OTHER_TYPES, FILL) as dsn:
        assert "odd: ready" in check(dsn).output
        with running_app(write_settings(SETTINGS.format(dsn, 8))) as app:
            for endpoint in ("sources", "available", "data", "iteration-times"):
                response = app.test_client().get(f"/lens/v1/workloads/w/metrics/{endpoint}")
                assert response.status_code == 200
                assert b"12" in response.data


def test_settings_of_the_role_change_no_finding(postgres18: EmbeddedPostgres, check: Check) -> None:
    """Both change the texts of names and literals."""
    changes = (
        "ALTER DATABASE quoted SET quote_all_identifiers = on",
        "ALTER DATABASE quoted SET standard_conforming_strings = off",
    )
    with database(postgres18, "quoted", *changes) as dsn:
        result = check(dsn)
        assert (result.exit_code, "odd: ready" in result.output) == (0, True), result.output
        assert "index" not in result.output


FILL = """
INSERT INTO training_performance (workload_uid, iteration, created_at, data_source, performance)
SELECT 'w', i, timestamp '2026-03-08 06:30' + i * interval '10 minutes', 'log', '{"loss": 1}'
FROM generate_series(1, 12) AS i
"""


def test_times_without_time_zone_are_utc(
    postgres18: EmbeddedPostgres, check: Check, write_settings: Callable[[str], Path]
) -> None:
    """In any time zone of the server, each point is in the range of its own timestamp, and in no other."""
    statements = (
        "ALTER TABLE training_performance ALTER created_at TYPE timestamp",
        "ALTER DATABASE without_zone SET timezone = 'America/New_York'",
        FILL,
    )
    with database(postgres18, "without_zone", *statements) as dsn:
        result = check(dsn)
        assert (result.exit_code, "odd: ready" in result.output) == (0, True)
        assert "created_at is of the type timestamp without time zone: the service takes its times for UTC" in (
            result.output
        )
        with running_app(write_settings(SETTINGS.format(dsn, 8))) as app:

            def times(query: str = "") -> list[int]:
                response = app.test_client().get(f"/lens/v1/workloads/w/metrics/data{query}")
                assert response.json is not None
                return [point["timestamp"] for point in response.json["data"]]

            all_times = times()
            assert all_times[0] == 1772952000000  # 2026-03-08 06:40 in UTC
            for time in all_times:
                assert times(f"?start={time}&end={time}") == [time]
            assert times(f"?start={all_times[3]}&end={all_times[9]}") == all_times[3:10]


@pytest.mark.parametrize(
    ("statement", "limit"),
    [
        (f"ALTER ROLE {READER} CONNECTION LIMIT 5", "the CONNECTION LIMIT of the role is 5"),
        ("ALTER DATABASE narrow CONNECTION LIMIT 6", "the CONNECTION LIMIT of the database is 6"),
    ],
)
def test_limits_of_connections(
    postgres18: EmbeddedPostgres, check: Callable[..., Result], statement: str, limit: str
) -> None:
    try:
        with database(postgres18, "narrow", statement) as dsn:
            assert f"{limit}, below the 16 connections that the workers may open" in check(dsn).output
            assert "CONNECTION LIMIT" not in check(dsn, size=2).output
            assert f"{limit}, below the 8 connections" in check(dsn, size=2, workers=4).output
            assert "max_connections, less those reserved, is" in check(dsn, size=2, workers=400).output
    finally:
        with closing(psycopg2.connect(postgres18.dsn("postgres"))) as connection, connection.cursor() as cursor:
            cursor.execute(f"ALTER ROLE {READER} CONNECTION LIMIT -1")
            connection.commit()


def test_an_encoding_that_is_not_utf8(postgres18: EmbeddedPostgres, check: Check) -> None:
    options = "ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'"
    with database(postgres18, "in_latin", options=options) as dsn:
        result = check(dsn)
        assert (result.exit_code, "its encoding is LATIN1: names with characters" in result.output) == (0, True)
