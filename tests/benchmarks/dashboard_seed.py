"""Fills a database with runs for the dashboard: ten metrics each, one iteration a second up to now."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.schema import CREATE_TABLE

# Noise around curves, with as many digits as training logs have.
METRICS = {
    "loss": "round((2 + 9 / (1 + step / 5000.0) + random() * 0.3 + power(random(), 40) * 5)::numeric, 6)",
    "val_loss": "round((2.1 + 9 / (1 + step / 5000.0) + random() * 0.3)::numeric, 6)",
    "learning_rate": "round((0.0003 * exp(-step / 400000.0))::numeric, 12)",
    "grad_norm": "round((0.5 + power(random(), 8) * 9)::numeric, 6)",
    "params_norm": "round((1000 + step / 1000.0 + random())::numeric, 4)",
    "tokens_per_second_per_gpu": "round((9000 + 900 * random())::numeric, 3)",
    "tflops": "round((300 + 50 * random())::numeric, 4)",
    "elapsed_time_per_iteration_ms": "round((990 + 30 * random())::numeric, 3)",
    "memory_gib": "round((230 + 9 * random())::numeric, 5)",
    "consumed_samples": "step * 128",
}
OBJECT = ", ".join(f"'{name}', {value}" for name, value in METRICS.items())
# One iteration a second, the last one now.
INSERT = sql.SQL(
    "INSERT INTO training_performance (workload_uid, data_source, serial, iteration, created_at, performance) "
    "SELECT {uid}, 'log', 0, step, now() - make_interval(secs => {last} - step), "
    f"jsonb_build_object({OBJECT}) "
    "FROM generate_series({first}::int, {last}::int) AS step"
)
REMOVE = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration > %s"
INDEXES = (
    "CREATE INDEX ON training_performance (data_source)",
    "CREATE INDEX ON training_performance (workload_uid, data_source, iteration DESC)",
)


@dataclass(frozen=True)
class Run:
    """A workload and its number of iterations."""

    uid: str
    iterations: int


def list_runs(count: int, iterations: int) -> Sequence[Run]:
    """Return ``count`` runs of ``iterations`` each."""
    return [Run(f"run-{number:02}", iterations) for number in range(count)]


def list_others(count: int, iterations: int) -> Sequence[Run]:
    """Return ``count`` workloads of ``iterations`` each, which are listed beside the runs."""
    return [Run(f"other-{number:03}", iterations) for number in range(count)]


def seed_runs(postgres: EmbeddedPostgres, runs: Sequence[Run]) -> str:
    """Return the DSN of the database with ``runs``, which is created if it does not exist."""
    name = "page_" + hashlib.sha256(repr((runs, METRICS)).encode()).hexdigest()[:12]
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as server, server.cursor() as cursor:
        server.autocommit = True
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        if cursor.fetchone() is None:
            cursor.execute("DROP DATABASE IF EXISTS page_unfinished")
            cursor.execute("CREATE DATABASE page_unfinished")
            _fill(postgres.dsn("page_unfinished"), runs)
            cursor.execute(sql.SQL("ALTER DATABASE page_unfinished RENAME TO {}").format(sql.Identifier(name)))
    dsn = postgres.dsn(name)
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        # Remove the records that an earlier measurement added.
        for run in runs:
            cursor.execute(REMOVE, (run.uid, run.iterations))
    return dsn


def _fill(dsn: str, runs: Sequence[Run]) -> None:
    began = time.monotonic()
    print(f"seeding {sum(run.iterations for run in runs):,} records ...", flush=True)
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("SET synchronous_commit = off")
        cursor.execute(CREATE_TABLE)
        for run in runs:
            add_records(cursor, [(run.uid, 1, run.iterations)])
        for statement in (*INDEXES, "VACUUM ANALYZE training_performance", "CHECKPOINT"):
            cursor.execute(statement)
    print(f"seeded in {time.monotonic() - began:.0f} s", flush=True)


def add_records(cursor: psycopg2.extensions.cursor, spans: Sequence[tuple[str, int, int]]) -> None:
    """Add iterations: ``spans`` are uid, first and last iteration; the last one is now."""
    statements = [
        INSERT.format(uid=sql.Literal(uid), first=sql.Literal(first), last=sql.Literal(last))
        for uid, first, last in spans
    ]
    cursor.execute(sql.SQL("; ").join(statements))
