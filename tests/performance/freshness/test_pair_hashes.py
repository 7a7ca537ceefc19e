"""The hashes of pairs (data source, iteration), which identify deleted records, are distinct."""

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class

from lens_perf.clusters.transaction import ReadTransaction
from lens_perf.performance.freshness.statements import select_pair_hashes

NEAR = range(-1000, 1001)
BOUNDS = (-(2**31), -(2**31) + 1, 2**31 - 2, 2**31 - 1)
SOURCES = ("log", "", "\x01", None)


@pytest.fixture
def connection(cluster_dsn: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(cluster_dsn)) as connection:
        yield connection


def test_different_pairs_have_different_hashes(connection: Connection) -> None:
    """Also with NULL as iteration or data source."""
    pairs = [(source, iteration) for source in SOURCES for iteration in (None, *NEAR, *BOUNDS)]
    assert len(set(select_pair_hashes(ReadTransaction(connection, b""), pairs))) == len(pairs)
