"""Citus can run every statement about the table; see docs/citus.rst."""

import re
from pathlib import Path

import pytest

import lens_perf
from lens_perf.ingest import record_writer
from lens_perf.performance import grouped_workload_queries, readiness
from lens_perf.performance.selection import Selection
from tests.performance.citus_rule import fill_in, list_violations
from tests.performance.test_statements import SELECTIONS, STATEMENTS, record

PACKAGE = Path(lens_perf.__path__[0])
NAME = re.compile(r"/\* lens_perf: (\w+) \*/")
# Statements that read only catalogs, or nothing.
OF_THE_SERVER = {
    "can_read_table",
    "check_liveness",
    "create_incoming",
    "find_conditions",
    "find_missing_indexes",
    "find_wrong_columns",
    "has_table",
    "lock_workload",
    "select_engine",
}
# Statements that only PostgreSQL can run, with their replacement on Citus.
REPLACED = {"select_activity": "select_grouped_activity", "select_details": "select_grouped_details"}
GROUPED = {
    "select_grouped_activity": grouped_workload_queries.SELECT_GROUPED_ACTIVITY,
    "select_grouped_details": grouped_workload_queries.SELECT_GROUPED_DETAILS,
}
# Citus reads a temporary table first and sends its content with the statement.
LOCAL = {"store_records": frozenset({"incoming"})}
OTHERS = {"check_readiness": readiness.CHECK_READINESS, "store_records": record_writer.STORE_RECORDS}


def list_recorded(selection: Selection, *, is_citus: bool) -> dict[str, str]:
    """Return the statements of the query functions by name."""
    found = {}
    for ask in STATEMENTS.values():
        recorder = record(lambda to, ask=ask: ask(to, selection), is_citus=is_citus)
        match = NAME.search(recorder.statement)
        assert match
        found[match[1]] = recorder.statement
    return found


RUN_BY_CITUS = {**list_recorded(SELECTIONS[0], is_citus=True), **GROUPED, **OTHERS}
for name in REPLACED:
    del RUN_BY_CITUS[name]


@pytest.mark.parametrize("name", RUN_BY_CITUS)
def test_citus_can_run(name: str) -> None:
    assert list_violations(fill_in(RUN_BY_CITUS[name]), local=LOCAL.get(name, frozenset())) == []


def test_no_statement_is_left_out() -> None:
    """Each is checked, or replaced by one that is, or reads no records. The demo has its own server."""
    sources = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "demo"]
    written = {name for path in sources for name in NAME.findall(path.read_text("utf-8"))}
    assert written == {*RUN_BY_CITUS, *REPLACED} | OF_THE_SERVER
    assert set(REPLACED.values()) <= set(RUN_BY_CITUS)


def test_statements_that_only_postgresql_runs_are_recognised() -> None:
    refused = {
        name
        for name, statement in list_recorded(SELECTIONS[0], is_citus=False).items()
        if list_violations(fill_in(statement))
    }
    assert refused == {"select_snapshot", "select_witness", *REPLACED}


ONE = "SELECT id FROM training_performance WHERE workload_uid = 'a'"
RECURSIVE = f"""
WITH RECURSIVE found AS (
    {ONE}
    UNION ALL
    SELECT t.id FROM found JOIN training_performance t USING (id) WHERE t.workload_uid = 'a'
)
SELECT id FROM found
"""
LATERAL = """
SELECT asked.uid, record.id
FROM unnest('{a}'::text[]) AS asked (uid)
CROSS JOIN LATERAL (SELECT id FROM training_performance WHERE workload_uid = asked.uid) AS record
"""


@pytest.mark.parametrize(
    "statement",
    [
        ONE,
        f"{ONE} AND id > 3 UNION ALL {ONE}",
        RECURSIVE,
        f"COPY ({ONE}) TO STDOUT",
        "SELECT workload_uid, max(id) FROM training_performance GROUP BY workload_uid",
        "SELECT oid FROM pg_database",
        "DELETE FROM training_performance WHERE workload_uid = 'a' AND id = 3",
    ],
)
def test_the_rule_allows(statement: str) -> None:
    assert list_violations(statement) == []


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT max(id) FROM training_performance",
        "SELECT 1 FROM training_performance LIMIT 0",
        "SELECT id FROM training_performance WHERE workload_uid = 'a' OR id = 3",
        "SELECT id FROM training_performance WHERE workload_uid > 'a'",
        f"{ONE} UNION ALL SELECT id FROM training_performance WHERE workload_uid = 'b'",
        f"SELECT iteration FROM ({ONE}) AS chosen JOIN training_performance USING (id)",
        f"SELECT (SELECT oid FROM pg_database LIMIT 1), id FROM ({ONE}) AS record",
        "SELECT (SELECT max(id) FROM training_performance) FROM training_performance WHERE workload_uid = 'a'",
        "SELECT workload_uid, (SELECT 1) FROM training_performance GROUP BY workload_uid",
        "SELECT data_source, count(*) FROM training_performance GROUP BY data_source",
        RECURSIVE.replace(" WHERE t.workload_uid = 'a'", ""),
        LATERAL,
        "DELETE FROM training_performance WHERE id = 3",
        "INSERT INTO training_performance (iteration) SELECT 1",
    ],
)
def test_the_rule_refuses(statement: str) -> None:
    assert list_violations(statement)


@pytest.mark.parametrize("name", ["select_rewrites", "select_snapshot"])
def test_the_state_of_the_server_is_that_of_the_shard(name: str) -> None:
    assert "tableoid" in RUN_BY_CITUS[name]
    assert "regclass" not in RUN_BY_CITUS[name]
