"""Storing records: new, corrected and unchanged ones, in both kinds of table, also concurrently."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2.extensions import connection as Connection  # noqa: N812

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.ingest import record_writer
from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.record_writer import WriteSummary, batch_records, write_batch
from lens_perf.ingest.records import MetricValue, Observation, Record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(postgres: EmbeddedPostgres, cluster: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(postgres.dsn(cluster))) as connection:
        yield connection


def write_records(connection: Connection, uid: str, data_source: str, records: Iterable[Record | None]) -> WriteSummary:
    summary = WriteSummary()
    for batch in batch_records(records):
        write_batch(connection, uid, data_source, batch, summary)
    return summary


def record(iteration: int, loss: MetricValue, serial: int = 0, created_at: datetime | None = NOON) -> Record:
    return Record(iteration, created_at, serial, {"loss": loss})


def stored(connection: Connection, uid: str) -> list[tuple[object, ...]]:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, serial, iteration, performance, created_at FROM training_performance"
            " WHERE workload_uid = %s AND data_source = 'log' ORDER BY id",
            (uid,),
        )
        return cursor.fetchall()


def test_writing_twice_changes_nothing(connection: Connection, uid: str) -> None:
    records = [record(1, 0.5), record(2, "NaN"), record(1, 7, serial=1), record(3, 10**25, created_at=None)]
    assert write_records(connection, uid, "log", records) == WriteSummary(4, 0, 0)
    before = stored(connection, uid)
    assert [row[1:4] for row in before] == [
        (0, 1, {"loss": 0.5}), (0, 2, {"loss": "NaN"}), (1, 1, {"loss": 7}), (0, 3, {"loss": 10**25})
    ]  # fmt: skip
    assert write_records(connection, uid, "log", records) == WriteSummary(0, 0, 4)
    assert stored(connection, uid) == before


def test_a_longer_source_adds_new_records(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "log", [record(1, 1)])
    assert write_records(connection, uid, "log", [record(1, 1), record(2, 2)]) == WriteSummary(1, 0, 1)
    assert [row[2] for row in stored(connection, uid)] == [1, 2]


def test_a_correction_gets_a_new_id_and_keeps_its_time(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "log", [record(1, 1), record(2, 2)])
    first, second = stored(connection, uid)
    later = NOON.replace(hour=13)
    assert write_records(connection, uid, "log", [record(1, 5, created_at=later)]) == WriteSummary(0, 1, 0)
    unchanged, corrected = stored(connection, uid)
    assert unchanged == second
    assert corrected[1:] == (0, 1, {"loss": 5}, NOON)
    assert corrected[0] not in {first[0], second[0]}


def test_other_workloads_and_sources_are_not_changed(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "wandb", [record(1, 1)])
    write_records(connection, f"{uid}-other", "log", [record(1, 1)])
    assert write_records(connection, uid, "log", [record(1, 2)]) == WriteSummary(1, 0, 0)


def test_records_of_writers_without_serials(connection: Connection, uid: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO training_performance (workload_uid, data_source, iteration, performance)"
            " VALUES (%s, 'log', 1, '{\"loss\": 1}')",
            (uid,),
        )
    assert write_records(connection, uid, "log", [record(1, 1, created_at=None)]) == WriteSummary(0, 0, 1)


def test_strange_texts(connection: Connection, uid: str) -> None:
    performance = {'a"b\\c,d\n\te': 'xy"\\', "": "é🚀", "NULL": None, "\\N": "\\.", "\\u0000": "\\\\u0000"}
    write_records(connection, uid, "log", [Record(1, None, 0, performance)])
    assert stored(connection, uid)[0][3] == performance


def test_metrics_are_added_to_stored_records(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "log", [Record(1, None, 0, {"loss": 1, "lr": 2})])
    assert write_records(connection, uid, "log", [Record(1, None, 0, {"loss": 1})]) == WriteSummary(0, 0, 1)
    parts = [Record(1, None, 0, {"eval": 3}), Record(1, NOON, 0, {"eval_time": 4})]
    assert write_records(connection, uid, "log", parts) == WriteSummary(0, 1, 0)
    ((_, *row),) = stored(connection, uid)
    assert row == [0, 1, {"loss": 1, "lr": 2, "eval": 3, "eval_time": 4}, NOON]


def test_a_time_that_was_missing_is_filled_in(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "log", [record(1, 1, created_at=None)])
    assert write_records(connection, uid, "log", [record(1, 1)]) == WriteSummary(0, 1, 0)
    assert stored(connection, uid)[0][4] == NOON
    assert write_records(connection, uid, "log", [record(1, 1, created_at=None)]) == WriteSummary(0, 0, 1)


@pytest.mark.parametrize("iteration", [7, None])
def test_several_records_of_one_iteration(connection: Connection, uid: str, iteration: int | None) -> None:
    records = [Record(iteration, NOON, 0, {"loss": value}, ordinal) for ordinal, value in enumerate([5, 5, 3, 9])]
    assert write_records(connection, uid, "log", records) == WriteSummary(4, 0, 0)
    assert write_records(connection, uid, "log", records) == WriteSummary(0, 0, 4)
    # The second record is corrected. The later ones are replaced, too, because the order of ids identifies them.
    corrected = Record(iteration, NOON, 0, {"loss": 4}, 1)
    assert write_records(connection, uid, "log", [corrected]) == WriteSummary(0, 1, 0)
    assert [row[3]["loss"] for row in stored(connection, uid)] == [5, 4, 3, 9]  # type: ignore[index]
    records[1] = corrected
    assert write_records(connection, uid, "log", records) == WriteSummary(0, 0, 4)
    another = [*records, Record(iteration, NOON, 0, {"loss": 1}, 4), Record(8, NOON, 0, {"loss": 2})]
    assert write_records(connection, uid, "log", another) == WriteSummary(2, 0, 4)


@pytest.mark.parametrize("there", [None, "null", "[1]", '"text"'])
def test_records_without_an_object_are_replaced(connection: Connection, uid: str, there: str | None) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO training_performance (workload_uid, data_source, iteration, performance, pod_uuid)"
            " VALUES (%s, 'log', 1, %s, 'pod')",
            (uid, there),
        )
    assert write_records(connection, uid, "log", [record(1, 1)]) == WriteSummary(0, 1, 0)
    assert write_records(connection, uid, "log", [record(1, 1, created_at=None)]) == WriteSummary(0, 0, 1)


@given(
    st.lists(
        st.tuples(st.integers(0, 1), st.sampled_from([None, 1, 2]), st.sampled_from("ab"), st.integers(0, 2)),
        max_size=12,
    )
)
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_every_record_is_stored_once(connection: Connection, rows: list[tuple[int, int | None, str, int]]) -> None:
    uid = uuid4().hex
    summary = ReadSummary()
    items = [Observation(f"{name}{serial}", iteration, NOON, {name: value}) for serial, iteration, name, value in rows]
    records = list(assemble(items, summary, repetition=Repetition.ANOTHER_RECORD))
    assert write_records(connection, uid, "log", records).inserted == len(records)
    before = stored(connection, uid)
    assert [(row[1], row[2], row[3]) for row in before] == [
        (each.serial, each.iteration, each.performance) for each in records if each
    ]
    assert write_records(connection, uid, "log", records) == WriteSummary(0, 0, len(records))
    assert stored(connection, uid) == before


def test_none_ends_a_batch() -> None:
    first, second = record(1, 1), record(2, 2)
    assert list(batch_records([None, first, None, None, second])) == [[first], [second]]


def test_batches(connection: Connection, uid: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_writer, "BATCH_SIZE", 7)
    records = [record(index, index) for index in range(50)]

    def fail_after(count: int) -> Iterator[Record]:
        yield from records[:count]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(connection, uid, "log", fail_after(30))
    assert [row[2] for row in stored(connection, uid)] == list(range(28))
    assert write_records(connection, uid, "log", records) == WriteSummary(22, 0, 28)
    assert [row[2] for row in stored(connection, uid)] == list(range(50))


def test_concurrent_imports_store_every_record_once(postgres: EmbeddedPostgres, cluster: str, uid: str) -> None:
    records = [record(index, index) for index in range(6000)]
    summaries: list[WriteSummary] = []

    def write() -> None:
        with closing(psycopg2.connect(postgres.dsn(cluster))) as connection:
            summaries.append(write_records(connection, uid, "log", records))

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(summary.inserted for summary in summaries) == 6000
    assert sum(summary.unchanged for summary in summaries) == 12000
