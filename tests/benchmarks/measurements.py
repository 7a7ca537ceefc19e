"""The measurements: each pits the service, under real gunicorn, against the least that PostgreSQL could do it with."""

import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import psycopg2
from lens_perf.performance.notations import JSON

from lens_perf.config import LimitSettings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import queries
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction
from tests.benchmarks import seed
from tests.benchmarks.answer_reader import AnswerReader, open_reader
from tests.benchmarks.bare_view import DSN_VARIABLE
from tests.benchmarks.gunicorn_process import ROOT, GunicornProcess, run_gunicorn
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.psql_session import StatementRecorder, open_psql
from tests.benchmarks.seed import Workload

# A round goes on for this long, so that quick answers are asked for many times.
ROUND_SECONDS = 0.5
LOAD_SECONDS = 3.0
LOAD_CONNECTIONS = 8
MIB = 1024

Side = Callable[[], float]


@dataclass(frozen=True)
class Bench:
    """What a measurement works with: the seeded database and the service over it."""

    postgres: EmbeddedPostgres
    database: str
    service: GunicornProcess
    service_variables: Mapping[str, str]
    limits: LimitSettings
    rounds: int
    files: Path
    """Where measurements of imports keep the files they write."""

    @property
    def dsn(self) -> str:
        """The way into the seeded database."""
        return self.postgres.dsn(self.database)


@dataclass(frozen=True)
class Question:
    """A question to the service: its path and the ``total_count`` of a right answer."""

    workload: Workload
    endpoint: str
    total_count: int

    @property
    def path(self) -> str:
        """Where to ask it."""
        return f"/lens/v1/workloads/{self.workload.uid}/metrics/{self.endpoint}"

    def ask(self, reader: AnswerReader) -> None:
        """Ask it. Raises WrongAnswerError."""
        reader.get(self.path).check(self.total_count)


def compare(ours: Side, baseline: Side, rounds: int) -> tuple[float, float]:
    """Return the medians of both sides, which take turns, so that a drift of the machine hits both."""
    sides = (ours, baseline)
    figures: tuple[list[float], list[float]] = ([], [])
    for side in sides:
        side()  # fills caches and pools; does not count
    for _ in range(rounds):
        end = time.monotonic() + ROUND_SECONDS
        while True:
            first = len(figures[0]) % 2
            for index in (first, 1 - first):
                figures[index].append(sides[index]())
            if time.monotonic() >= end:
                break
    return median(figures[0]), median(figures[1])


def timed(action: Callable[[], object]) -> Side:
    """Return a side whose figure is the milliseconds that ``action`` takes."""

    def measure() -> float:
        start = time.perf_counter()
        action()
        return (time.perf_counter() - start) * 1000

    return measure


ONE_METRIC = Question(seed.MIDDLE, "data?metrics=lm_loss", seed.MIDDLE.records)
ALL_METRICS = Question(seed.MIDDLE, "data", seed.MIDDLE.points)
SOURCES_OF_TEN = Question(seed.SMALL, "sources", seed.SMALL.data_sources)
COPY_ONE_METRIC = """
COPY (
    SELECT iteration, created_at, data_source, performance->>'lm_loss'
    FROM training_performance
    WHERE workload_uid = 'bench-150k'
) TO STDOUT
"""
COPY_ALL_METRICS = """
COPY (SELECT performance FROM training_performance WHERE workload_uid = 'bench-150k') TO STDOUT
"""


class Drain:
    """Takes rows and drops them, at no cost of Python's."""

    write = staticmethod(deque[bytes](maxlen=0).append)


def measure_data(bench: Bench, *, name: str, question: Question, copy: str, target: float) -> Outcome:
    """Measure ``data`` against the bare COPY of the same rows."""
    with (
        open_reader(bench.service.port) as reader,
        closing(psycopg2.connect(bench.dsn)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        figures = compare(
            timed(partial(question.ask, reader)), timed(partial(cursor.copy_expert, copy, Drain())), bench.rounds
        )
    return Outcome(name, "ms", *figures, target)


Query = Callable[[Transaction, Workload], object]
QUERIES: Mapping[str, Query] = {
    "sources": lambda transaction, workload: queries.select_sources(transaction, workload.uid),
    "available": lambda transaction, workload: queries.select_available(transaction, workload.uid, None),
    "iteration-times": lambda transaction, workload: queries.copy_iteration_times(
        transaction, Selection(workload.uid), JSON, Drain()
    ),
}


def measure_aggregate(bench: Bench, *, name: str, question: Question) -> Outcome:
    """Measure an endpoint that is one aggregate against the very same statement in psql."""
    with closing(psycopg2.connect(bench.dsn)) as connection:
        recorder = StatementRecorder(connection, bench.limits)
        QUERIES[question.endpoint](recorder, question.workload)
    with open_reader(bench.service.port) as reader, open_psql(bench.postgres, bench.database) as psql:
        figures = compare(timed(partial(question.ask, reader)), timed(partial(psql.run, recorder.script)), bench.rounds)
    return Outcome(name, "ms", *figures, 1.3)


def measure_memory(bench: Bench, *, name: str) -> Outcome:
    """Measure by how much the largest answer lifts the peak memory of a worker, at worst, in fresh workers."""
    growths = []
    with run_gunicorn("wsgi:app", bench.service_variables) as service, open_reader(service.port) as reader:
        SOURCES_OF_TEN.ask(reader)  # opens the pool
        for _ in range(bench.rounds):
            before = service.reset_peaks()
            ALL_METRICS.ask(reader)
            after = service.peaks()
            growths += [after[worker] - held for worker, held in before.items()]
    return Outcome(name, "MiB", max(growths) / MIB, None, 64)


def measure_throughput(bench: Bench, *, name: str) -> Outcome:
    """Measure the answers per second against a bare Flask view under the same gunicorn settings."""
    with run_gunicorn("tests.benchmarks.bare_view:app", {DSN_VARIABLE: bench.dsn}) as bare:
        for port in (bench.service.port, bare.port):
            with open_reader(port) as reader:
                SOURCES_OF_TEN.ask(reader)
        figures = compare(partial(_load, bench.service.port), partial(_load, bare.port), bench.rounds)
    return Outcome(name, "/s", *figures, 0.7, at_least=True)


def _load(port: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), SOURCES_OF_TEN.path]
    limits = [str(LOAD_CONNECTIONS), str(LOAD_SECONDS)]
    return float(subprocess.run([*command, *limits], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


Measurement = Callable[..., Outcome]


def _aggregates(label: str, workload: Workload) -> dict[str, Measurement]:
    counts = {
        "sources": workload.data_sources,
        "available": seed.METRIC_COUNT,
        "iteration-times": 2 * workload.records,
    }
    return {
        f"{endpoint}-{label}": partial(measure_aggregate, question=Question(workload, endpoint, count))
        for endpoint, count in counts.items()
    }


MEASUREMENTS: Mapping[str, Measurement] = {
    "data-one": partial(measure_data, question=ONE_METRIC, copy=COPY_ONE_METRIC, target=2.0),
    "data-all": partial(measure_data, question=ALL_METRICS, copy=COPY_ALL_METRICS, target=2.5),
    **_aggregates("150k", seed.MIDDLE),
    **_aggregates("1m", seed.LARGE),
    "memory": measure_memory,
    "throughput": measure_throughput,
}
