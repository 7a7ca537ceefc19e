"""Outages of a cluster: its database accepts no connections for a while."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg2
from playwright.sync_api import Page

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


def advance_until(page: Page, milliseconds: int, met: Callable[[], bool]) -> None:
    """Advance the clock of ``page`` repeatedly, until the condition is met or some 20 seconds have passed.

    One request may come too early: the service shares a list of workloads for a second, and does not try a cluster that
    failed again at once. The assertion that follows reports a condition that was never met.
    """
    for _ in range(40):
        page.clock.fast_forward(milliseconds)
        page.wait_for_timeout(500)
        if met():
            return
