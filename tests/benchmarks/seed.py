"""Fills a database with training records as after years of inserts, with only the indexes of existing clusters."""

import hashlib
import time
from contextlib import closing
from dataclasses import dataclass

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.schema import CREATE_TABLE

# The metrics of one record, as Megatron-LM and Primus name them, by an SQL expression of 7 to 9 significant digits.
METRICS = {
    "lm_loss": "round((2 + 9 / (1 + step / 1000.0) + random())::numeric, 7)",
    "learning_rate": "round((0.0001 + 0.0002 * random())::numeric, 12)",
    "grad_norm": "round((0.5 + random())::numeric, 7)",
    "params_norm": "round((1000 + 100 * random())::numeric, 5)",
    "num_zeros": "100000000 + floor(random() * 899999999)::int",
    "loss_scale": "round((60000 + 5536 * random())::numeric, 3)",
    "z_loss": "round((0.1 + random() / 2)::numeric, 8)",
    "mtp_1_loss": "round((3 + random())::numeric, 7)",
    "mtp_2_loss": "round((4 + random())::numeric, 7)",
    "load_balancing_loss": "round((1 + random())::numeric, 7)",
    "global_batch_size": "1000000 + step % 1000",
    "consumed_samples": "1000000 + step * 128",
    "elapsed_time_per_iteration_ms": "round((20000 + 3000 * random())::numeric, 3)",
    "throughput_per_gpu_tflops": "round((300 + 50 * random())::numeric, 5)",
    "tokens_per_gpu_per_second": "round((10000 + 900 * random())::numeric, 4)",
    "forward_compute_ms": "round((5000 + 900 * random())::numeric, 4)",
    "backward_compute_ms": "round((9000 + 900 * random())::numeric, 4)",
    "optimizer_step_ms": "round((200 + 90 * random())::numeric, 6)",
    "all_reduce_ms": "round((700 + 90 * random())::numeric, 6)",
    "data_loading_ms": "round((20 + 9 * random())::numeric, 7)",
    "hip_mem_used_gib": "round((230 + 9 * random())::numeric, 6)",
    "target_iteration": "{records}",
}
# Primus reports the memory in full every few iterations only: so the records of a workload come in two shapes.
RARE_METRICS = {
    "rocm_mem_used_gib": "round((230 + 9 * random())::numeric, 6)",
    "rocm_mem_usage_ratio": "round((0.8 + random() / 10)::numeric, 8)",
}
RARE_EVERY = 3
# Records of this data source are among those of the log.
WANDB_EVERY = 4


@dataclass(frozen=True)
class Workload:
    """A workload to be stored, each of its records followed by ``others_each`` records of other workloads."""

    uid: str
    records: int
    others_each: int
    data_sources: int = 2

    @property
    def points(self) -> int:
        """The number of its data points."""
        return self.records * len(METRICS) + self.records // RARE_EVERY * len(RARE_METRICS)


MIDDLE = Workload("bench-150k", 150_000, 10)
LARGE = Workload("bench-1m", 1_000_000, 1)
SHORT = Workload("bench-10k", 10_000, 1)
SMALL = Workload("bench-ten", 10, 1)
HUNDRED = Workload("bench-hundred", 100, 1)
WORKLOADS = (SMALL, HUNDRED, SHORT, MIDDLE, LARGE)
METRIC_COUNT = len(METRICS) + len(RARE_METRICS)

# In order of time, so that each page has rows of all workloads.
INSERT = """
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, pod_uuid, performance)
SELECT CASE WHEN turn = 0 THEN '{uid}' ELSE 'other-' || turn END,
    CASE WHEN step % {wandb_every} = 0 THEN 'wandb' ELSE 'log' END::training_data_source,
    step,
    timestamptz '2026-01-01 00:00:00+00' + make_interval(secs => step * 20 + turn * 1.37),
    'pod-' || turn,
    CASE
        WHEN turn > 0 THEN {few}
        WHEN step % {rare_every} = 0 THEN {most} || {rare}
        ELSE {most}
    END
FROM generate_series({first}, {last}) AS step, generate_series(0, {others_each}) AS turn
"""
INDEXES = (
    "CREATE INDEX ON training_performance (data_source)",
    "CREATE INDEX ON training_performance (workload_uid, data_source, iteration DESC)",
)
DELETE_ADDED = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration > %s"
# Searches for the greatest id would read all index entries of removed records. By default, few are not worth a cleanup.
VACUUM = "VACUUM (ANALYZE, INDEX_CLEANUP ON) training_performance"
FEW_METRICS = {name: METRICS[name] for name in ("lm_loss", "grad_norm", "learning_rate")}


def seed(postgres: EmbeddedPostgres) -> str:
    """Return the name of the database with the workloads, which is created if it does not exist.

    The name has a digest of the content, so that data of an older version of this file are not used.
    Records that an earlier run added are removed.
    """
    inserts = [_write_insert(each, 1, each.records, each.others_each) for each in WORKLOADS]
    statements = [CREATE_TABLE, "SELECT setseed(0.5)", *inserts, *INDEXES]
    name = "bench_" + hashlib.sha256("".join(statements).encode()).hexdigest()[:12]
    with closing(_connect(postgres, "postgres")) as server:
        if not _has_database(server, name):
            _run(server, "DROP DATABASE IF EXISTS bench_unfinished")
            _run(server, "CREATE DATABASE bench_unfinished")
            _fill(postgres, statements)
            _run(server, f"ALTER DATABASE bench_unfinished RENAME TO {name}")
    with closing(_connect(postgres, name)) as connection:
        _remove_added(connection)
    return name


def _remove_added(connection: Connection) -> None:
    removed = 0
    with connection.cursor() as cursor:
        for workload in WORKLOADS:
            cursor.execute(DELETE_ADDED, (workload.uid, workload.records))
            removed += cursor.rowcount
    if removed:
        _run(connection, VACUUM)


class Growth:
    """The records that measurements add to workloads, which have ``count(workload)`` of them then."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._counts: dict[str, int] = {}

    def count(self, workload: Workload) -> int:
        """Return the number of records of ``workload``."""
        return self._counts.get(workload.uid, workload.records)

    def add(self, workload: Workload, records: int) -> None:
        """Add ``records`` to the end of ``workload`` in one transaction."""
        first = self.count(workload) + 1
        last = first + records - 1
        with closing(psycopg2.connect(self._dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(_write_insert(workload, first, last, others_each=0))
        self._counts[workload.uid] = last


def _fill(postgres: EmbeddedPostgres, statements: list[str]) -> None:
    start = time.monotonic()
    print("seeding ...", flush=True)
    with closing(_connect(postgres, "bench_unfinished")) as connection:
        for statement in [*statements, "VACUUM ANALYZE training_performance", "CHECKPOINT"]:
            _run(connection, statement)
    print(f"seeded in {time.monotonic() - start:.0f} s", flush=True)


def _write_insert(workload: Workload, first: int, last: int, others_each: int) -> str:
    return INSERT.format(
        uid=workload.uid,
        first=first,
        last=last,
        others_each=others_each,
        wandb_every=WANDB_EVERY,
        rare_every=RARE_EVERY,
        few=_build_object(FEW_METRICS, workload),
        most=_build_object(METRICS, workload),
        rare=_build_object(RARE_METRICS, workload),
    )


def _build_object(metrics: dict[str, str], workload: Workload) -> str:
    members = [f"'{name}', {value.format(records=workload.records)}" for name, value in metrics.items()]
    return f"jsonb_build_object({', '.join(members)})"


def _connect(postgres: EmbeddedPostgres, database: str) -> Connection:
    connection = psycopg2.connect(postgres.dsn(database))
    connection.autocommit = True
    return connection


def _has_database(server: Connection, name: str) -> bool:
    with server.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
        return cursor.fetchone() is not None


def _run(connection: Connection, statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)
