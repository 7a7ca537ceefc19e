"""The actions of writers of a training_performance table, one step at a time, chosen by numbers of a schedule."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg2
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

UIDS = ("own", "own", "own", "other")
SOURCES = ("log", "wandb", None)
PERFORMANCES = (
    '{"loss": 1}',
    '{"loss": 2.50, "lr": 0.1}',
    '{"lr": 3}',
    '{"loss": "NaN"}',
    "{}",
    '{"target_iteration": 9, "loss": 4}',
)
INSERT = """
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance, serial)
VALUES (%s, %s, %s, to_timestamp(%s), %s, 0)
"""
CORRECT = """
WITH gone AS (
    DELETE FROM training_performance
    WHERE workload_uid = %s AND iteration IS NOT DISTINCT FROM %s AND data_source IS NOT DISTINCT FROM {source}
    RETURNING workload_uid, data_source, iteration, created_at
)
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance)
SELECT workload_uid, data_source, iteration, created_at, %s FROM gone
"""
UPDATE = "UPDATE training_performance SET performance = %s WHERE workload_uid = %s AND iteration = %s"
REMOVE = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration = %s"
JUMP = "SELECT setval('training_performance_id_seq', nextval('training_performance_id_seq') + 10100)"
WRITERS = 3
# Errors of steps that are impossible in the current state.
REFUSALS = (
    psycopg2.errors.LockNotAvailable,
    psycopg2.errors.InvalidSavepointSpecification,
    psycopg2.errors.NoActiveSqlTransaction,
    psycopg2.errors.InFailedSqlTransaction,
)
OTHER_TABLE = "CREATE TEMPORARY TABLE IF NOT EXISTS other AS SELECT 1"


class Writers:
    """A few sessions with separate transactions. ``run`` executes a step; an impossible step does nothing."""

    def __init__(self, dsn: str, uid: str, source_type: str = "training_data_source") -> None:
        self._uid = uid
        self._source = f"%s::{source_type}"
        self._connections = [psycopg2.connect(dsn) for _ in range(WRITERS)]
        self._plain = psycopg2.connect(dsn)
        self._plain.autocommit = True
        self._next = 1
        self._prepared: list[str] = []
        with self._plain.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3ms'")
        for connection in self._connections:
            with connection, connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '3ms'")

    def close(self) -> None:
        """End all transactions, half of them by a commit, and all sessions."""
        for name in self._prepared:
            self._execute(self._plain, f"COMMIT PREPARED '{name}'")
        for index, connection in enumerate(self._connections):
            (connection.commit if index % 2 else connection.rollback)()
            connection.close()
        self._plain.close()

    def flush_statistics(self) -> None:
        """Make the sessions report their updates and deletions now instead of within seconds."""
        for connection in self._connections:
            if connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
                self._execute(connection, "SELECT pg_stat_force_next_flush()")
                connection.commit()
        self._execute(self._plain, "SELECT pg_stat_force_next_flush()")
        self._execute(self._plain, "SELECT 1")

    def run(self, step: str, a: int, b: int) -> None:
        """Execute one step; ``a`` and ``b`` choose the session, the workload, the iteration and the metrics."""
        steps: dict[str, Callable[[Any, int], None]] = {
            "insert": self._insert,
            "late": self._insert_late,
            "correct": self._correct,
            "savepoint": lambda session, _b: self._execute(session, "SAVEPOINT s"),
            "release": lambda session, _b: self._execute(session, "RELEASE SAVEPOINT s"),
            "undo": lambda session, _b: self._execute(session, "ROLLBACK TO SAVEPOINT s"),
            "commit": lambda session, _b: session.commit(),
            "rollback": lambda session, _b: session.rollback(),
            "prepare": self._prepare,
            "jump": lambda _session, _b: self._execute(self._plain, JUMP),
            "vacuum": lambda _session, _b: self._execute(self._plain, "VACUUM FULL training_performance"),
            "elsewhere": lambda session, _b: self._execute(
                session, "CREATE TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1"
            ),
            "update": lambda session, b: self._execute(session, UPDATE, self._performance(b), self._uid, b % 5),
            "remove": lambda session, b: self._execute(session, REMOVE, self._uid, b % 5),
        }
        steps[step](self._connections[a % WRITERS], b)

    def _execute(self, session: Any, statement: str, *values: Any) -> None:
        with suppress(*REFUSALS), session.cursor() as cursor:
            cursor.execute(statement, values)
            return
        session.rollback()

    def _performance(self, b: int) -> str:
        return PERFORMANCES[b % len(PERFORMANCES)]

    def _workload(self, b: int) -> str:
        return self._uid if UIDS[b % len(UIDS)] == "own" else f"{self._uid}-other"

    def _insert(self, session: Any, b: int) -> None:
        iteration = None if b % 11 == 0 else self._next
        self._next += 1
        self._execute(
            session, self._typed(INSERT), self._workload(b), SOURCES[b % 3], iteration, b % 5, self._performance(b)
        )

    def _insert_late(self, session: Any, b: int) -> None:
        """Insert a record whose iteration probably exists, possibly with another source or an earlier time."""
        values = self._workload(b), SOURCES[b % 2], b % 5, b % 3 - 1, self._performance(b // 2)
        self._execute(session, self._typed(INSERT), *values)

    def _correct(self, session: Any, b: int) -> None:
        statement = CORRECT.format(source=self._source)
        self._execute(session, statement, self._workload(b), b % 5, SOURCES[b % 3], self._performance(b // 3))

    def _typed(self, statement: str) -> str:
        return statement.replace("(%s, %s,", f"(%s, {self._source},")

    def _prepare(self, session: Any, b: int) -> None:
        if self._prepared and b % 2:
            self._execute(self._plain, f"COMMIT PREPARED '{self._prepared.pop()}'")
            return
        name = f"{self._uid}-{self._next}"
        self._next += 1
        with suppress(psycopg2.Error):
            with session.cursor() as cursor:
                cursor.execute(f"PREPARE TRANSACTION '{name}'")
            session.rollback()
            self._prepared.append(name)
            return
        session.rollback()
