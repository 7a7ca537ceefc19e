"""Outages of a cluster: its database accepts no connections for a while."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg2

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER


@contextmanager
def outage(postgres: EmbeddedPostgres, cluster: str) -> Iterator[None]:
    """Close the service's connections to ``cluster``, and let it open none, until the block ends."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {cluster} ALLOW_CONNECTIONS false")
            try:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND usename = %s",
                    (cluster, READER),
                )
                yield
            finally:
                cursor.execute(f"ALTER DATABASE {cluster} ALLOW_CONNECTIONS true")
