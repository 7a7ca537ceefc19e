"""Trains a model and records every iteration in a cluster, as a log reader, W&B and TensorBoard would."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.extras import Json, execute_values

from lens_perf.demo.spiral_model import SpiralModel

WANDB_EVERY = 10
TENSORFLOW_EVERY = 50
# The demo has no restarts: each start deletes the workloads of the last one.
SERIAL = 0
Performance = Mapping[str, float | str]

DELETE_WORKLOAD = """
/* lens_perf: delete_workload */
DELETE FROM training_performance
WHERE workload_uid = %(workload_uid)s
"""


@dataclass(frozen=True)
class LiveRecord:
    """One row to be inserted, without the columns that are equal in all rows of the workload."""

    data_source: str
    iteration: int
    created_at: datetime
    performance: Performance


class LiveWorkload:
    """A workload that trains while its metrics are served.

    ``connection``, which it sets to autocommit, must not be shared: a psycopg2 connection is for one thread.
    Every method that writes raises psycopg2.Error.
    """

    def __init__(self, connection: Connection, workload_uid: str, model: SpiralModel) -> None:
        connection.autocommit = True
        self._connection = connection
        self._workload_uid = workload_uid
        self._model = model

    def delete_records(self) -> None:
        """Delete the records of the workload from an earlier demo."""
        with self._connection.cursor() as cursor:
            cursor.execute(DELETE_WORKLOAD, {"workload_uid": self._workload_uid})

    def train_at_once(self, count: int) -> dict[str, float]:
        """Train ``count`` iterations as fast as the model can; return the last one's metrics."""
        records: list[LiveRecord] = []
        metrics: dict[str, float] = {}
        for _ in range(count):
            metrics = self._model.train_iteration()
            records += self._make_records(metrics)
        insert_records(self._connection, self._workload_uid, records)
        return metrics

    def train_on(self, stop: Event, iterations_per_second: float = 4.0) -> None:
        """Train a few iterations per second and insert each at once, until ``stop`` is set."""
        while not stop.wait(1 / iterations_per_second):
            records = list(self._make_records(self._model.train_iteration()))
            insert_records(self._connection, self._workload_uid, records)

    def _make_records(self, metrics: Performance) -> Iterator[LiveRecord]:
        """Yield the records of each data source for an iteration with ``metrics``."""
        iteration, now = self._model.iteration, datetime.now(UTC)
        yield LiveRecord("log", iteration, now, metrics)
        if iteration % WANDB_EVERY == 0:
            yield LiveRecord("wandb", iteration, now, self._report_to_wandb(metrics, now))
        if iteration % TENSORFLOW_EVERY == 0:
            yield LiveRecord("tensorflow", iteration, now, self._model.measure_layers())

    def _report_to_wandb(self, metrics: Performance, now: datetime) -> Performance:
        """Return a record as W&B's integration stores it: the metrics and fields about the report itself."""
        validation = self._model.validate()
        seconds = now.timestamp()
        return {
            "step": self._model.iteration,
            "run_id": f"{self._workload_uid}-{SERIAL}",
            "source": "wandb.log",
            "history": self._model.iteration // WANDB_EVERY,
            "created_at": seconds,
            "updated_at": seconds,
            "learning_rate": metrics["learning_rate"],
            "train/loss": metrics["loss"],
            "train/accuracy": metrics["accuracy"],
            "val/loss": validation["validation_loss"],
            "val/accuracy": validation["validation_accuracy"],
        }


INSERT_RECORDS = """
/* lens_perf: insert_records */
INSERT INTO training_performance
    (workload_uid, pod_uuid, serial, data_source, iteration, created_at, performance)
VALUES %s
"""


def insert_records(connection: Connection, workload_uid: str, records: list[LiveRecord]) -> None:
    """Insert ``records`` of a workload, a thousand per statement. Raises psycopg2.Error."""
    shared = (workload_uid, f"{workload_uid}-master-0", SERIAL)
    rows = [(*shared, each.data_source, each.iteration, each.created_at, Json(each.performance)) for each in records]
    with connection.cursor() as cursor:
        execute_values(cursor, INSERT_RECORDS, rows, page_size=1000)


def train_on_in_threads(stack: ExitStack, workloads: Sequence[LiveWorkload]) -> list[Future[None]]:
    """Train each workload in its own thread until ``stack`` unwinds; a future ends earlier only with an error."""
    stop = Event()
    executor = stack.enter_context(ThreadPoolExecutor(len(workloads)))
    stack.callback(stop.set)
    return [executor.submit(workload.train_on, stop) for workload in workloads]
