"""Every statement is planned by every server the tests have, and with the indexes that clusters have."""

import re
from contextlib import closing, suppress
from typing import Any

import psycopg2
import pytest

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import (
    glance_queries,
    progress_queries,
    queries,
    sampled_points_queries,
    sampled_times_queries,
    survey_queries,
    workload_queries,
)
from lens_perf.performance.freshness import statements
from lens_perf.performance.notations import COLUMNS, CSV, JSON
from lens_perf.performance.sampled_points_queries import copy_sampled_points
from lens_perf.performance.sampled_times_queries import copy_sampled_times
from lens_perf.performance.sampling_sql import Sampling
from lens_perf.performance.selection import Selection

SELECTIONS = [
    Selection("w"),
    Selection("w", "wandb"),
    Selection("w", None, (0, 1000)),
    Selection("w", "log", (-(2**63), 2**63 - 1), (-(2**63), 2**63 - 1)),
]


class RecordedError(Exception):
    """There is no answer to go on with."""


class Recorder:
    """Keeps what a query function would have run."""

    def __init__(self) -> None:
        self.statement = ""
        self.parameters: dict[str, Any] = {}

    def fetch_all(self, statement: str, parameters: Any) -> list[tuple[Any, ...]]:
        self.statement, self.parameters = statement, parameters
        raise RecordedError

    def copy_out(self, statement: str, parameters: Any, _sink: Any) -> None:
        # What EXPLAIN takes is the query within the COPY.
        match = re.fullmatch(
            r"(\s*/\*.*?\*/\s*)(?:SET LOCAL [^;]*;\s*)?COPY \((.*)\) TO STDOUT WITH \(.*\)\s*", statement, re.DOTALL
        )
        assert match, statement
        self.statement, self.parameters = match.group(1) + match.group(2), parameters


def record(ask: Any) -> Recorder:
    recorder = Recorder()
    with suppress(RecordedError):
        ask(recorder)
    return recorder


STATEMENTS = {
    "sources": lambda to, selection: queries.select_sources(to, selection.workload_uid),
    "available": lambda to, selection: queries.select_available(to, selection.workload_uid, selection.data_source),
    "rewrites": lambda to, _selection: statements.select_rewrites(to),
    "snapshot": lambda to, _selection: statements.select_snapshot(to),
    "witness": lambda to, _selection: statements.select_witness(to, 9),
    "pair hashes": lambda to, _selection: statements.select_pair_hashes(to, [("log", 1), (None, None)]),
    "new records": lambda to, selection: statements.select_new_records(to, selection, settled_id=0, oldest_xid=9),
    "old records": lambda to, selection: statements.select_old_records(to, selection, 9),
    "count": statements.select_count,
    "ids": lambda to, selection: statements.select_ids(
        to, selection.workload_uid, selection.data_source or "log", [(1, 2)], none=True
    ),
    "survey": survey_queries.select_survey,
    "sampled points": lambda to, selection: copy_sampled_points(
        to, selection, ["loss", "step", "%s", "'"], Sampling(10, "time", True), notation=JSON, sink=None
    ),
    "glance": lambda to, selection: glance_queries.copy_glance(to, selection, 10, None),
    "sampled times": lambda to, selection: copy_sampled_times(to, selection, Sampling(10), CSV, None),
    "progress source": progress_queries.select_progress_source,
    "progress": progress_queries.select_progress,
    "target": progress_queries.select_target,
    "activity": lambda to, _selection: workload_queries.select_activity(to, 10**9),
    "details": lambda to, selection: workload_queries.select_details(to, [selection.workload_uid]),
    "objects": lambda to, selection: queries.copy_objects(to, selection, None, None),
    "objects named": lambda to, selection: queries.copy_objects(to, selection, ["a", "b"], None),
    "one point": lambda to, selection: queries.copy_named_points(to, selection, ["loss"], CSV, None),
    "points": lambda to, selection: queries.copy_named_points(to, selection, ["loss", "step", "%s", "'"], JSON, None),
    "iteration times": lambda to, selection: queries.copy_iteration_times(to, selection, COLUMNS, None),
}


MANY_WORKLOADS = """
INSERT INTO training_performance (workload_uid, iteration, created_at, performance, data_source)
SELECT 'planned-' || i % 300, i / 300, to_timestamp(i), '{"loss": 1}', (ARRAY['log', 'wandb'])[1 + i % 2]::%s
FROM generate_series(1, 3000) AS i
"""


@pytest.fixture(scope="module", autouse=True)
def _many_workloads(postgres: EmbeddedPostgres) -> None:
    """Fill the tables: of a handful of records, a planner may as well read by another index."""
    for name, kind in (("alpha", "training_data_source"), ("beta", "text")):
        with closing(psycopg2.connect(postgres.dsn(name))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(MANY_WORKLOADS.replace("%s", kind))
            cursor.execute("ANALYZE training_performance")


NO_WORKLOAD = {"rewrites", "snapshot", "witness", "pair hashes", "activity", "details"}


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
    assert "SubPlan" not in text or name in {"activity", "details", "progress", "snapshot"}
    assert "Seq Scan on training_performance" not in text
    if name not in NO_WORKLOAD:
        assert re.search(r"Index Cond: \(.*workload_uid.* = 'w'::text", text), text
    if name == "ids":
        return
    # What is not asked for is folded away, not evaluated for every row.
    assert (re.search(r"data_source\)?(?:::text)? = '", text) is not None) == (
        selection.data_source is not None and name not in {"sources", *NO_WORKLOAD}
    ), text


@pytest.mark.parametrize("name", ["one point", "objects", "iteration times"])
def test_records_of_a_delta_are_found_by_id(registry: ClusterRegistry, cluster: str, name: str) -> None:
    recorder = record(lambda to: STATEMENTS[name](to, Selection("w", ids=(3, 4))))
    with registry.read(cluster) as transaction:
        plan = transaction.fetch_all(
            f"SET LOCAL enable_seqscan = off; EXPLAIN {recorder.statement}", recorder.parameters
        )
    assert "= ANY ('{3,4}'" in "\n".join(line for (line,) in plan)


def test_every_statement_is_explained() -> None:
    modules = (
        queries,
        survey_queries,
        statements,
        glance_queries,
        sampled_points_queries,
        sampled_times_queries,
        workload_queries,
        progress_queries,
    )
    module = {name for each in modules for name in vars(each) if re.match("(SELECT|COPY)_", name)}
    module -= {"COPY_FORMAT", "SELECT_SERIES"}
    seen = set()
    for ask in STATEMENTS.values():
        recorder = record(lambda to, ask=ask: ask(to, SELECTIONS[0]))
        match = re.search(r"lens_perf: (\w+)", recorder.statement)
        assert match
        seen.add(match.group(1).upper())
    assert seen == module


def test_values_are_bound_never_spliced() -> None:
    hostile = "'); DROP TABLE training_performance; --"
    for ask in (
        lambda to: queries.copy_named_points(to, Selection(hostile, hostile), [hostile, "b"], JSON, None),
        lambda to: copy_sampled_points(
            to, Selection(hostile, hostile), [hostile], Sampling(9), notation=JSON, sink=None
        ),
        lambda to: queries.copy_objects(to, Selection(hostile, hostile), [hostile], None),
        lambda to: queries.select_available(to, hostile, hostile),
    ):
        assert hostile not in record(ask).statement
