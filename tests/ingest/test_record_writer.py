"""Writing records: what is new, corrected or there already, in both kinds of table, also twice at once."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.ingest import record_writer
from lens_perf.ingest.record_writer import WriteSummary, write_records
from lens_perf.ingest.records import MetricValue, Record

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def connection(postgres: EmbeddedPostgres, cluster: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(postgres.dsn(cluster))) as connection:
        yield connection


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


def test_a_grown_source_adds_what_is_new(connection: Connection, uid: str) -> None:
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


def test_other_workloads_and_sources_are_left_alone(connection: Connection, uid: str) -> None:
    write_records(connection, uid, "wandb", [record(1, 1)])
    write_records(connection, f"{uid}-other", "log", [record(1, 1)])
    assert write_records(connection, uid, "log", [record(1, 2)]) == WriteSummary(1, 0, 0)


def test_records_of_writers_that_count_no_restarts(connection: Connection, uid: str) -> None:
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO training_performance (workload_uid, data_source, iteration, performance)"
            " VALUES (%s, 'log', 1, '{\"loss\": 1}')",
            (uid,),
        )
    assert write_records(connection, uid, "log", [record(1, 1)]) == WriteSummary(0, 0, 1)


def test_strange_texts(connection: Connection, uid: str) -> None:
    performance = {'a"b\\c,d\n\te': 'x\0y"\\', "": "é🚀", "NULL": None, "\\N": "\\."}
    write_records(connection, uid, "log", [Record(1, None, 0, performance)])
    assert stored(connection, uid)[0][3] == {**performance, 'a"b\\c,d\n\te': 'xy"\\'}


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


def test_two_imports_at_once_double_nothing(postgres: EmbeddedPostgres, cluster: str, uid: str) -> None:
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
