"""A minimal Flask service for ``sources``: borrow a psycopg2 connection, run the same SQL, return JSON."""

import os
from functools import cache

import psycopg2
from flask import Flask, Response, jsonify
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.pool import ThreadedConnectionPool

from lens_perf.performance.source_statement import SELECT_SOURCES

DSN_VARIABLE = "BENCH_DSN"
# One for each thread: this pool cannot wait, and closes returned connections beyond its minimum.
CONNECTIONS = 8


class AutocommitConnection(Connection):
    """A connection in autocommit mode: transactions would take two more round trips."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.autocommit = True


app = Flask(__name__)
# The client searches for total_count at the end, and sorting keys would slow the baseline down.
app.json.sort_keys = False  # type: ignore[attr-defined]  # of the default provider


@cache
def open_pool() -> ThreadedConnectionPool:
    """Open the pool at the first request, after the fork."""
    dsn = os.environ[DSN_VARIABLE]
    return ThreadedConnectionPool(CONNECTIONS, CONNECTIONS, dsn, connection_factory=AutocommitConnection)


@app.get("/lens/v1/workloads/<uid>/metrics/sources")
def get_sources(uid: str) -> Response:
    """Get data sources."""
    pool = open_pool()
    connection: Connection = pool.getconn()
    try:
        with connection.cursor() as cursor:
            cursor.execute(SELECT_SOURCES, {"workload_uid": uid})
            rows = cursor.fetchall()
    except psycopg2.Error:
        pool.putconn(connection, close=True)
        raise
    pool.putconn(connection)
    sources = [{"name": name, "count": count} for name, count in rows]
    return jsonify({"workload_uid": uid, "data_sources": sources, "total_count": len(sources)})
