"""The life of pooled connections."""

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from lens_perf.clusters.guard import Watchdog
from lens_perf.clusters.pool import ConnectionPool
from lens_perf.errors import ClusterSaturatedError, ClusterUnreachableError
from lens_perf.settings import PoolSettings

PATIENT = PoolSettings(size=2, wait_seconds=0.1)


@pytest.fixture
def connect(cluster_dsn: str) -> Callable[[], Connection]:
    def connect() -> Connection:
        connection = psycopg2.connect(cluster_dsn)
        connection.autocommit = True
        return connection

    return connect


def make_pool(connect: Callable[[], Connection], **settings: float) -> ConnectionPool:
    return ConnectionPool("alpha", connect, replace(PATIENT, **settings), Watchdog())  # type: ignore[arg-type]


def backend(pool: ConnectionPool) -> int:
    with pool.lend() as (connection, _):
        return connection.info.backend_pid


def test_a_connection_is_used_again(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect)
    assert backend(pool) == backend(pool)
    assert pool.in_use == 0
    pool.close()


def test_the_pool_never_exceeds_its_size(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect)
    with pool.lend(), pool.lend():
        assert pool.in_use == 2
        with pytest.raises(ClusterSaturatedError), pool.lend():
            pass
    assert pool.in_use == 0
    pool.close()


def test_an_old_connection_is_replaced(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect, lifetime_seconds=0.1)
    first = backend(pool)
    time.sleep(0.12)
    assert backend(pool) != first
    pool.close()


@pytest.mark.parametrize("idle_check_seconds", [0, 30])
def test_a_dead_idle_connection_is_found_before_use(connect: Callable[[], Connection], idle_check_seconds: int) -> None:
    pool = make_pool(connect, idle_check_seconds=idle_check_seconds)
    first = backend(pool)
    with connect() as killer, killer.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (first,))
    killer.close()
    assert backend(pool) != first
    pool.close()


def test_a_failed_connection_attempt_loses_no_slot() -> None:
    def fail() -> Connection:
        raise psycopg2.OperationalError("password=secret")

    pool = make_pool(fail)
    for _ in range(10):
        with pytest.raises(ClusterUnreachableError) as caught, pool.lend():
            pass
        assert "secret" not in caught.value.message
    assert pool.in_use == 0


def test_a_connection_with_an_unread_result_is_closed(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect)
    with pool.lend() as (connection, _):
        first = connection.info.backend_pid
        connection.autocommit = False
        connection.cursor().execute("SELECT 1")
    assert backend(pool) != first
    pool.close()


def test_unused_connections_are_closed(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect)
    with pool.lend(), pool.lend():
        assert pool.give_back()
    assert pool.give_back()  # both were needed within this time
    first = backend(pool)
    assert not pool.give_back()  # two are open, and one was needed
    assert backend(pool) != first
    assert pool.give_back()
    assert pool.give_back() is False  # none was needed at all
    assert pool.in_use == 0
    with pool.lend() as (connection, _):
        assert pool.give_back()
        pool._most_in_use = 0
        assert pool.give_back()
        assert connection.closed == 0  # in use: closed when it is returned
    assert connection.closed
    assert pool.give_back() is False
    pool.close()


def test_slots_after_many_threads(connect: Callable[[], Connection]) -> None:
    pool = make_pool(connect, wait_seconds=10)

    def use() -> None:
        for _ in range(20):
            with pool.lend() as (connection, _):
                if threading.get_ident() % 3 == 0:
                    connection.close()

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert pool.in_use == 0
    pool.close()
