"""Stores the batches of an import: over one connection, or each over its own, with retries."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from threading import Event

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

from lens_perf.errors import ClusterSaturatedError, ClusterUnreachableError
from lens_perf.ingest.record_writer import WriteSummary, write_batch
from lens_perf.ingest.records import Record

Connect = Callable[[], AbstractContextManager[Connection]]
Store = Callable[[Sequence[Record]], None]
Warn = Callable[[str], None]

FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0


@dataclass(frozen=True)
class Destination:
    """The workload and data source that records are stored for, and how to reach its cluster."""

    connect: Connect
    workload_uid: str
    data_source: str


@contextmanager
def open_store(destination: Destination, summary: WriteSummary) -> Iterator[Store]:
    """Store all batches over one connection. Raises ClusterError if the cluster cannot be written to."""
    with destination.connect() as connection:
        yield lambda batch: write_batch(connection, destination.workload_uid, destination.data_source, batch, summary)


@contextmanager
def open_patient_store(destination: Destination, summary: WriteSummary, stopped: Event, warn: Warn) -> Iterator[Store]:
    """Store each batch over its own connection, and wait until ``stopped`` for a cluster that cannot be reached.

    No connection is held between batches, which may be far apart. Raises ClusterError if the cluster answers but cannot
    be written to, or cannot be reached at the last attempt.
    """

    def store(batch: Sequence[Record]) -> None:
        wait = FIRST_WAIT_SECONDS
        while True:
            last_try = stopped.is_set()
            try:
                with destination.connect() as connection:
                    return write_batch(connection, destination.workload_uid, destination.data_source, batch, summary)
            except (ClusterUnreachableError, ClusterSaturatedError) as error:
                if last_try:
                    raise
                warn(f"{error.message}; {len(batch)} records wait, next try in {wait:g} s")
            stopped.wait(wait)
            wait = min(2 * wait, LONGEST_WAIT_SECONDS)

    yield store


@contextmanager
def open_no_store() -> Iterator[Store]:
    """Store nothing: a dry run."""
    yield lambda _: None
