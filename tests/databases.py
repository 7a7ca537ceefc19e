"""Separate databases for tests that would be affected by the workloads of other tests."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.schema import create_schema
from tests.conftest import READER


@contextmanager
def database(postgres: EmbeddedPostgres, name: str, *statements: str, options: str = "") -> Iterator[str]:
    """Create a database with the table, changed by ``statements``; return the DSN of a role that may only read."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as outside, outside.cursor() as maker:
        outside.autocommit = True
        maker.execute(f"CREATE DATABASE {name} {options}")
        try:
            with closing(psycopg2.connect(postgres.dsn(name))) as connection, connection.cursor() as cursor:
                create_schema(connection)
                for statement in (*statements, f"GRANT SELECT ON training_performance TO {READER}"):
                    cursor.execute(statement)
            yield postgres.dsn(name, READER)
        finally:
            maker.execute(f"DROP DATABASE {name} WITH (FORCE)")
