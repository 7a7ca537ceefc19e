"""The parts that measurements share, and the measurements of answers against a minimal alternative."""

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

from tests.benchmarks import seed
from tests.benchmarks.answer_reader import AnswerReader, WrongAnswerError, open_reader
from tests.benchmarks.bare_view import DSN_VARIABLE
from tests.benchmarks.gunicorn_process import ROOT, GunicornProcess, run_gunicorn
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.seed import Growth, Workload

# The length of a round, in which fast requests are repeated many times.
ROUND_SECONDS = 0.5
LOAD_SECONDS = 3.0
LOAD_CONNECTIONS = 8
MIB = 1024

Side = Callable[[], float]


@dataclass(frozen=True)
class Bench:
    """The context of measurements: the seeded database, and the service with and without copies.

    ``service`` keeps columnar copies; ``service_without_copies`` must not be used for requests that need
    one. ``write_settings`` writes the settings of another service, whose copies are in a separate directory, and
    returns its environment variables. ``files`` is the directory for the files of import measurements.
    """

    dsn: str
    service: GunicornProcess
    service_without_copies: GunicornProcess
    write_settings: Callable[[], Mapping[str, str]]
    growth: Growth
    rounds: int
    files: Path


@dataclass(frozen=True)
class Question:
    """A request about a workload, and the expected value of the number ``field`` in its answer."""

    workload: Workload
    endpoint: str
    expected: int
    field: str = "total_count"

    @property
    def path(self) -> str:
        """The path of the request."""
        return f"/lens/v1/workloads/{self.workload.uid}/{self.endpoint}"

    def ask(self, reader: AnswerReader) -> None:
        """Send the request. Raises WrongAnswerError."""
        number = reader.get(self.path).read_number(self.field)
        if number != self.expected:
            raise WrongAnswerError(f"{self.path}: expected {self.field} {self.expected}, not {number}")


def compare(ours: Side, baseline: Side, rounds: int) -> tuple[float, float]:
    """Return the medians of both sides, which alternate, so that changes of the machine affect both."""
    sides = (ours, baseline)
    figures: tuple[list[float], list[float]] = ([], [])
    for side in sides:
        side()  # fills caches and pools, and makes copies; does not count
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


class Drain:
    """Discards rows without running Python code."""

    write = staticmethod(deque[bytes](maxlen=0).append)


COPY_ONE_METRIC = """
COPY (
    SELECT iteration, created_at, data_source, performance->>'lm_loss'
    FROM training_performance
    WHERE workload_uid = '{uid}'
) TO STDOUT
"""
COPY_ALL_METRICS = "COPY (SELECT performance FROM training_performance WHERE workload_uid = '{uid}') TO STDOUT"
SOURCES_OF_TEN = Question(seed.SMALL, "metrics/sources", seed.SMALL.data_sources)


def ask_one_metric(workload: Workload) -> Question:
    """Return the request for all data points of one metric."""
    return Question(workload, "metrics/data?metrics=lm_loss", workload.records)


def ask_all_metrics(workload: Workload) -> Question:
    """Return the request for all data points of all metrics."""
    return Question(workload, "metrics/data", workload.points)


def measure_data(
    bench: Bench, *, name: str, question: Question, copy: str, target: float, has_copy: bool = True
) -> Outcome:
    """Measure ``data`` against a plain COPY of the same rows."""
    service = bench.service if has_copy else bench.service_without_copies
    with (
        open_reader(service.port) as reader,
        closing(psycopg2.connect(bench.dsn)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        if has_copy:
            Question(question.workload, "metrics/available", seed.METRIC_COUNT).ask(reader)  # needs the copy
        bare = partial(cursor.copy_expert, copy.format(uid=question.workload.uid), Drain())
        figures = compare(timed(partial(question.ask, reader)), timed(bare), bench.rounds)
    return Outcome(name, "ms", *figures, target)


def ask_progress(workload: Workload, records: int) -> Question:
    """Return the request for the progress of ``workload``, which has ``records`` records."""
    # Every fourth record, which may be the last one, belongs to wandb, the others to the log.
    return Question(workload, "progress", records if records % seed.WANDB_EVERY else records - 1, "current_iteration")


def ask_statistics(workload: Workload) -> Mapping[str, Question]:
    """Return the requests whose answers are short for every workload."""
    return {
        "available": Question(workload, "metrics/available", seed.METRIC_COUNT),
        "summary": Question(workload, "metrics/summary", seed.METRIC_COUNT * workload.data_sources),
        "sources": Question(workload, "metrics/sources", workload.data_sources),
        "progress": ask_progress(workload, workload.records),
    }


def measure_statistics(bench: Bench, *, name: str, question: str) -> Outcome:
    """Measure a short answer about the long workload against the same about the short one, from copies."""
    with open_reader(bench.service.port) as reader:
        for workload in (seed.LARGE, seed.SHORT):
            ask_statistics(workload)["available"].ask(reader)  # needs the copy
        sides = [
            timed(partial(ask_statistics(workload)[question].ask, reader)) for workload in (seed.LARGE, seed.SHORT)
        ]
        figures = compare(*sides, bench.rounds)
    return Outcome(name, "ms", *figures, 3, most=50)


def measure_throughput(bench: Bench, *, name: str) -> Outcome:
    """Measure the answers per second against a bare Flask view under the same gunicorn settings."""
    with run_gunicorn("tests.benchmarks.bare_view:app", {DSN_VARIABLE: bench.dsn}) as bare:
        ports = (bench.service_without_copies.port, bare.port)
        for port in ports:
            with open_reader(port) as reader:
                SOURCES_OF_TEN.ask(reader)
        figures = compare(partial(_load, ports[0]), partial(_load, ports[1]), bench.rounds)
    return Outcome(name, "/s", *figures, 0.85, at_least=True)


def _load(port: int) -> float:
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), SOURCES_OF_TEN.path]
    limits = [str(LOAD_CONNECTIONS), str(LOAD_SECONDS)]
    return float(subprocess.run([*command, *limits], cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)


Measurement = Callable[..., Outcome]

# The longest workload has more data points than an answer may have.
MEASUREMENTS: Mapping[str, Measurement] = {
    **{
        f"data-one-{label}": partial(measure_data, question=ask_one_metric(workload), copy=COPY_ONE_METRIC, target=0.5)
        for label, workload in (("150k", seed.MIDDLE), ("1m", seed.LARGE))
    },
    "data-all-150k": partial(measure_data, question=ask_all_metrics(seed.MIDDLE), copy=COPY_ALL_METRICS, target=1.0),
    **{
        f"data-named-{label}": partial(
            measure_data, question=ask_one_metric(workload), copy=COPY_ONE_METRIC, target=2.2, has_copy=False
        )
        for label, workload in (("150k", seed.MIDDLE), ("1m", seed.LARGE))
    },
    **{f"{question}-1m": partial(measure_statistics, question=question) for question in ask_statistics(seed.LARGE)},
    "throughput": measure_throughput,
}
