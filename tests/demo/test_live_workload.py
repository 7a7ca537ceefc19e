"""The demo's workload stores each iteration of its model like a log reader, W&B and TensorBoard."""

import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from threading import Event
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.demo.live_workload import LiveWorkload
from lens_perf.demo.spiral_model import SpiralModel

WANDB_METADATA = {"step", "run_id", "source", "history", "created_at", "updated_at"}
SELECT_RECORDS = """
SELECT iteration, created_at, serial, pod_uuid, performance
FROM training_performance
WHERE workload_uid = %s
AND data_source = %s
ORDER BY id
"""


@pytest.fixture
def connection(cluster_dsn: str) -> Iterator[Connection]:
    with closing(psycopg2.connect(cluster_dsn)) as connection:
        yield connection


@pytest.fixture
def workload_uid(connection: Connection) -> Iterator[str]:
    workload_uid = f"live-{uuid.uuid4().hex[:12]}"
    yield workload_uid
    LiveWorkload(connection, workload_uid, SpiralModel()).delete_records()


@pytest.fixture
def workload(connection: Connection, workload_uid: str) -> LiveWorkload:
    return LiveWorkload(connection, workload_uid, SpiralModel("sgd", seed=3))


def read(connection: Connection, workload_uid: str, data_source: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_RECORDS, (workload_uid, data_source))
        return cursor.fetchall()


def test_writes_every_iteration_as_the_log(workload: LiveWorkload, connection: Connection, workload_uid: str) -> None:
    started = datetime.now(UTC)
    last = workload.train_at_once(1500)
    rows = read(connection, workload_uid, "log")

    assert [iteration for iteration, *_ in rows] == list(range(1, 1501))
    times = [created_at for _, created_at, *_ in rows]
    assert started <= times[0]
    assert times == sorted(times)
    assert times[-1] <= datetime.now(UTC)
    assert {(serial, pod_uuid) for _, _, serial, pod_uuid, _ in rows} == {(0, f"{workload_uid}-master-0")}
    assert rows[-1][-1] == last
    model = SpiralModel("sgd", seed=3)
    assert [row[-1]["loss"] for row in rows[:20]] == [model.train_iteration()["loss"] for _ in range(20)]


def test_writes_every_tenth_to_wandb_with_its_metadata(
    workload: LiveWorkload, connection: Connection, workload_uid: str
) -> None:
    workload.train_at_once(100)
    rows = read(connection, workload_uid, "wandb")
    assert [iteration for iteration, *_ in rows] == list(range(10, 101, 10))
    for iteration, created_at, *_, performance in rows:
        metrics = {"learning_rate", "train/loss", "train/accuracy", "val/loss", "val/accuracy"}
        assert set(performance) == WANDB_METADATA | metrics
        assert performance["step"] == iteration
        assert performance["created_at"] == pytest.approx(created_at.timestamp(), abs=0.001)


def test_writes_every_fiftieth_to_tensorflow(workload: LiveWorkload, connection: Connection, workload_uid: str) -> None:
    workload.train_at_once(120)
    rows = read(connection, workload_uid, "tensorflow")
    assert [iteration for iteration, *_ in rows] == [50, 100]
    assert "weights/layer1_norm" in rows[0][-1]


def test_trains_until_it_is_stopped(workload: LiveWorkload, connection: Connection, workload_uid: str) -> None:
    workload.train_at_once(5)
    stop = Event()
    with ThreadPoolExecutor(1) as executor:
        training = executor.submit(workload.train_on, stop, iterations_per_second=50)
        time.sleep(1)
        stop.set()
        training.result(timeout=2)
    iterations = [iteration for iteration, *_ in read(connection, workload_uid, "log")]
    assert iterations == list(range(1, len(iterations) + 1))
    assert 10 < len(iterations) <= 60


def test_a_lost_database_ends_the_training(cluster_dsn: str) -> None:
    connection = psycopg2.connect(cluster_dsn)
    workload = LiveWorkload(connection, "lost", SpiralModel())
    connection.close()
    with pytest.raises(psycopg2.Error):
        workload.train_on(Event(), iterations_per_second=100)


def test_starts_again_without_changing_other_workloads(
    workload: LiveWorkload, connection: Connection, workload_uid: str
) -> None:
    workload.train_at_once(10)
    LiveWorkload(connection, f"{workload_uid}-other", SpiralModel()).delete_records()
    assert len(read(connection, workload_uid, "log")) == 10
    workload.delete_records()
    assert not read(connection, workload_uid, "log")
