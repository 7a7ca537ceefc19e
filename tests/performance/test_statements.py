"""Every server version can plan every statement, with the indexes that clusters have."""

import ast
import inspect
import re
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import lens_perf
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import grouped_workload_queries, readiness, source_statement, workload_queries
from lens_perf.performance.columns import statements as record_statements
from lens_perf.performance.freshness import statements
from lens_perf.performance.freshness.checkpoint import read_position
from lens_perf.performance.freshness.statements import Rewrites
from lens_perf.performance.points import preview_statement, table_statements
from lens_perf.performance.selection import Selection
from lens_perf.performance.table_source import TableSnapshot

SELECTIONS = [
    Selection("w"),
    Selection("w", "wandb"),
    Selection("w", None, (0, 1000)),
    Selection("w", "log", (-(2**63), 2**63 - 1), (-(2**63), 2**63 - 1)),
]


class RecordedError(Exception):
    """The recorder has no rows to return."""


class Recorder:
    """Records the statement of a query function instead of running it."""

    def __init__(self, *, is_citus: bool = False) -> None:
        self.is_citus = is_citus
        self.statement = ""
        self.parameters: dict[str, Any] = {}

    def fetch_all(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        self.statement, self.parameters = statement, parameters
        raise RecordedError

    def copy_out(self, statement: str, parameters: Any, _sink: Any) -> None:
        # EXPLAIN accepts only the query within the COPY.
        match = re.fullmatch(
            r"(\s*/\*.*?\*/\s*)(?:SET LOCAL [^;]*;\s*)*COPY \((.*)\) TO STDOUT WITH \(.*\)\s*", statement, re.DOTALL
        )
        assert match, statement
        self.statement, self.parameters = match.group(1) + match.group(2), parameters


def record(ask: Any, *, is_citus: bool = False) -> Recorder:
    recorder = Recorder(is_citus=is_citus)
    with suppress(RecordedError):
        ask(recorder)
    return recorder


STATEMENTS = {
    "sources": lambda to, selection: source_statement.select_sources(to, selection.workload_uid),
    "rewrites": lambda to, selection: statements.select_rewrites(to, selection.workload_uid),
    "snapshot": lambda to, selection: statements.select_snapshot(to, selection.workload_uid),
    "witness": lambda to, selection: statements.select_witness(to, selection.workload_uid, 9),
    "pair hashes": lambda to, _selection: statements.select_pair_hashes(to, [("log", 1), (None, None)]),
    "new records": lambda to, selection: statements.select_new_records(to, selection, settled_id=0, oldest_xid=9),
    "old records": lambda to, selection: statements.select_old_records(to, selection, 9),
    "count": statements.select_count,
    "ids of pairs": lambda to, selection: statements.select_ids(
        to, selection.workload_uid, selection.data_source or "log", [(1, 2)], include_null=True
    ),
    "ids": lambda to, selection: record_statements.copy_ids(to, selection, None),
    "records": lambda to, selection: record_statements.copy_records(to, selection, None),
    "stored records": lambda to, selection: record_statements.copy_stored_records(to, selection, None),
    "preview": lambda to, selection: preview_statement.copy_preview(to, selection, 10, None),
    "activity": lambda to, _selection: workload_queries.select_activity(to, 10**9),
    "details": lambda to, selection: workload_queries.select_details(to, [selection.workload_uid]),
    "grouped activity": lambda to, _selection: grouped_workload_queries.select_grouped_activity(to, 10**9),
    "grouped details": lambda to, selection: grouped_workload_queries.select_grouped_details(
        to, [selection.workload_uid]
    ),
    "readiness": lambda to, _selection: to.fetch_all(readiness.CHECK_READINESS, {}),
    "one metric": lambda to, selection: table_statements.copy_named_values(to, selection, ["loss"], None),
    "metrics": lambda to, selection: table_statements.copy_named_values(
        to, selection, ["loss", "step", "%s", "'"], None, serials=[1], with_serial=True
    ),
    "iteration times": lambda to, selection: table_statements.copy_iteration_times(to, selection, None, serials=[1]),
    "iteration times by attempt": lambda to, selection: table_statements.copy_iteration_times(
        to, selection, None, with_serial=True, by_serial=True
    ),
}


MANY_WORKLOADS = """
INSERT INTO training_performance (workload_uid, iteration, created_at, performance, data_source)
SELECT 'planned-' || i % 300, i / 300, to_timestamp(i), '{"loss": 1}', (ARRAY['log', 'wandb'])[1 + i % 2]::%s
FROM generate_series(1, 3000) AS i
"""


@pytest.fixture(scope="module", autouse=True)
def _many_workloads(postgres: EmbeddedPostgres) -> None:
    """Fill the tables: with a few records, the planner may use another index."""
    for name, kind in (("alpha", "training_data_source"), ("beta", "text")):
        with closing(psycopg2.connect(postgres.dsn(name))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(MANY_WORKLOADS.replace("%s", kind))
            cursor.execute("ANALYZE training_performance")


NO_WORKLOAD = {
    "rewrites",
    "snapshot",
    "witness",
    "pair hashes",
    "activity",
    "details",
    "grouped activity",
    "grouped details",
    "readiness",
}
OF_SHARD = {"rewrites", "snapshot", "witness"}


@pytest.mark.parametrize("name", sorted(OF_SHARD))
def test_statements_about_a_shard_use_an_index(registry: ClusterRegistry, cluster: str, name: str) -> None:
    recorder = record(lambda to: STATEMENTS[name](to, SELECTIONS[0]), is_citus=True)
    with registry.read(cluster) as transaction:
        plan = transaction.fetch_all(
            f"SET LOCAL enable_seqscan = off; EXPLAIN {recorder.statement}", recorder.parameters
        )
    assert "Seq Scan on training_performance" not in "\n".join(line for (line,) in plan)


@pytest.mark.parametrize("selection", SELECTIONS, ids=["all", "source", "range", "both"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_explain(registry: ClusterRegistry, cluster: str, name: str, selection: Selection) -> None:
    recorder = record(lambda to: STATEMENTS[name](to, selection))
    assert re.match(r"\s*/\* lens_perf: [a-z_]+ \*/", recorder.statement)
    with registry.read(cluster) as transaction:
        plan = transaction.fetch_all(
            f"SET LOCAL enable_seqscan = off; EXPLAIN {recorder.statement}", recorder.parameters
        )
    text = "\n".join(line for (line,) in plan)
    assert "SubPlan" not in text or name in {"activity", "details", "snapshot"}
    assert "Seq Scan on training_performance" not in text
    if name not in NO_WORKLOAD:
        assert re.search(r"Index Cond: \(.*workload_uid.* = 'w'::text", text), text
    if name == "ids of pairs":
        return
    # The planner removes conditions that are not requested.
    assert (re.search(r"data_source\)?(?:::text)? = '", text) is not None) == (
        selection.data_source is not None and name not in {"sources", *NO_WORKLOAD}
    ), text


@pytest.mark.parametrize("name", ["one metric", "records"])
def test_changed_records_are_found_by_id(registry: ClusterRegistry, cluster: str, name: str) -> None:
    recorder = record(lambda to: STATEMENTS[name](to, Selection("w", ids=(3, 4))))
    with registry.read(cluster) as transaction:
        plan = transaction.fetch_all(
            f"SET LOCAL enable_seqscan = off; EXPLAIN {recorder.statement}", recorder.parameters
        )
    assert "= ANY ('{3,4}'" in "\n".join(line for (line,) in plan)


NEW_TABLE = """
CREATE TEMPORARY TABLE training_performance (LIKE training_performance INCLUDING ALL);
CREATE INDEX ON training_performance (workload_uid, created_at, id);
INSERT INTO training_performance (workload_uid, iteration, created_at, performance, data_source)
SELECT 'planned-' || i % 3000, i, to_timestamp(i), '{"loss": 1}', 'log' FROM generate_series(1, 3000) AS i;
ANALYZE training_performance;
INSERT INTO training_performance (workload_uid, iteration, created_at, performance, data_source)
SELECT 'w', i, to_timestamp(i), '{"loss": 1}', 'log' FROM generate_series(1, 20000) AS i
"""


def test_the_preview_reads_few_records_of_a_new_workload(postgres: EmbeddedPostgres, cluster: str) -> None:
    """The statistics of the table do not know of a run that has just been imported."""
    recorder = record(lambda to: preview_statement.copy_preview(to, Selection("w"), 100, None))
    with closing(psycopg2.connect(postgres.dsn(cluster))) as connection, connection.cursor() as cursor:
        cursor.execute(NEW_TABLE)
        cursor.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) {recorder.statement}", recorder.parameters)
        (((plan,),),) = cursor.fetchall()
    assert 0 < count_read(plan["Plan"]) < 1_000


def count_read(node: Mapping[str, Any]) -> int:
    """Return how many records the nodes of a plan read from the table."""
    read = node["Actual Rows"] + node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
    own = read * node["Actual Loops"] if node.get("Relation Name") == "training_performance" else 0
    return int(own) + sum(map(count_read, node.get("Plans", ())))


def test_stored_records_are_not_read_in_the_order_of_an_index(registry: ClusterRegistry, cluster: str) -> None:
    recorder = record(lambda to: STATEMENTS["stored records"](to, Selection("planned-7")))
    cheap_index = "SET LOCAL enable_seqscan = off; SET LOCAL random_page_cost = 0.01;"
    settings = "".join(re.findall(r"SET LOCAL [^;]*;", record_statements.COPY_STORED_RECORDS))
    plans = []
    with registry.read(cluster) as transaction:
        for prefix in (cheap_index, cheap_index + settings):
            rows = transaction.fetch_all(f"{prefix} EXPLAIN {recorder.statement}", recorder.parameters)
            plans.append("\n".join(line for (line,) in rows))
    assert re.search(r"Index Scan\b.* using", plans[0])
    assert "Bitmap Heap Scan" in plans[1]


@pytest.mark.parametrize(("is_citus", "name"), [(False, "copy_stored_records"), (True, "copy_records")])
def test_records_are_sorted_where_settings_do_not_reach_the_table(
    registry: ClusterRegistry, is_citus: bool, name: str
) -> None:
    with registry.read("alpha") as transaction:
        snapshot = TableSnapshot(transaction, Selection("w"), read_position(transaction, "w", Rewrites("", None)))
    recorder = record(lambda to: replace(snapshot, transaction=to).copy_stored_records(None), is_citus=is_citus)
    assert f"/* lens_perf: {name} */" in recorder.statement


def test_every_statement_is_explained() -> None:
    modules = (
        source_statement,
        statements,
        record_statements,
        preview_statement,
        table_statements,
        workload_queries,
        grouped_workload_queries,
        readiness,
    )
    written = {name for each in modules for name in re.findall(r"/\* lens_perf: (\w+)", inspect.getsource(each))}
    seen = set()
    for ask in STATEMENTS.values():
        recorder = record(lambda to, ask=ask: ask(to, SELECTIONS[0]))
        match = re.search(r"lens_perf: (\w+)", recorder.statement)
        assert match
        seen.add(match.group(1))
    assert seen == written


def test_values_are_bound_never_spliced() -> None:
    hostile = "'); DROP TABLE training_performance; --"
    for ask in (
        lambda to: table_statements.copy_named_values(to, Selection(hostile, hostile), [hostile, "b"], None),
        lambda to: table_statements.copy_iteration_times(to, Selection(hostile, hostile), None),
        lambda to: record_statements.copy_records(to, Selection(hostile, hostile), None),
        lambda to: preview_statement.copy_preview(to, Selection(hostile, hostile), 9, None),
        lambda to: statements.select_new_records(to, Selection(hostile, hostile), settled_id=0, oldest_xid=0),
        lambda to: statements.select_ids(to, hostile, hostile, [(1, 2)], include_null=True),
    ):
        assert hostile not in record(ask).statement


PACKAGE = Path(lens_perf.__file__).parent
STATEMENT_MODULES = [
    *sorted(PACKAGE.glob("**/*statement*.py")), *sorted(PACKAGE.glob("**/*queries.py")),
    PACKAGE / "performance/schema.py", PACKAGE / "ingest/record_writer.py", PACKAGE / "clusters/transaction.py",
]  # fmt: skip
# The same statement runs on PostgreSQL and on a shard of Citus; a part of it is chosen for each connection.
CHOSEN_PER_CONNECTION = {PACKAGE / "performance/freshness/statements.py"}


@pytest.mark.parametrize("module", STATEMENT_MODULES, ids=lambda module: str(module.relative_to(PACKAGE)))
def test_statements_run_as_written(module: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(module.read_text("utf-8"))) if isinstance(node, ast.Call)]
    used = {call.attr for call in calls if isinstance(call, ast.Attribute)} & {"format", "format_map", "replace"}
    assert not used or module in CHOSEN_PER_CONNECTION
