"""Measures the first build of a copy, in time and, with all that is answered from it, in memory."""

from collections.abc import Mapping, Sequence
from contextlib import closing
from functools import partial
from statistics import median

import psycopg2

from tests.benchmarks import seed
from tests.benchmarks.answer_reader import open_reader
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.benchmarks.measurements import (
    COPY_ALL_METRICS,
    MIB,
    SOURCES_OF_TEN,
    Bench,
    Drain,
    Measurement,
    Question,
    ask_all_metrics,
    ask_one_metric,
    ask_statistics,
    timed,
)
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.sampling import ask_all_sampled, ask_sampled
from tests.benchmarks.seed import Workload


def measure_build(bench: Bench, *, name: str, workload: Workload) -> Outcome:
    """Measure the first answer that needs a copy, in a fresh service each time, against the bare COPY of the rows."""
    builds, copies = [], []
    with closing(psycopg2.connect(bench.dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        bare = timed(partial(cursor.copy_expert, COPY_ALL_METRICS.format(uid=workload.uid), Drain()))
        bare()  # fills PostgreSQL's cache; does not count
        for _ in range(bench.rounds):
            copies.append(bare())
            with (
                run_gunicorn("wsgi:app", bench.write_settings()) as service,
                open_reader(service.port) as reader,
            ):
                SOURCES_OF_TEN.ask(reader)  # opens the pool
                builds.append(timed(partial(ask_statistics(workload)["available"].ask, reader))())
    return Outcome(name, "ms", median(builds), median(copies), 2.0)


def ask_points(workload: Workload) -> Sequence[Question]:
    """Return the questions for points, but for all of them."""
    return ask_one_metric(workload), ask_sampled(workload, workload.records), ask_all_sampled(workload)


def measure_memory(bench: Bench, *, name: str) -> Outcome:
    """Measure by how much all answers and the builds before them lift the peak memory of a worker, at worst."""
    questions = [
        *ask_statistics(seed.LARGE).values(),
        *ask_points(seed.LARGE),
        ask_all_metrics(seed.MIDDLE),
    ]
    growths = []
    with run_gunicorn("wsgi:app", bench.write_settings()) as service, open_reader(service.port) as reader:
        # Opens the pool, and has the libraries' code read into memory, which is the same memory in all processes. Up to
        # 2,000 points would be written by other code.
        warm = seed.HUNDRED
        for question in (ask_statistics(warm)["available"], *ask_points(warm), ask_all_metrics(warm)):
            question.ask(reader)
        before = service.reset_peaks()
        for _ in range(bench.rounds):
            for question in questions:
                question.ask(reader)
            after = service.peaks()
            growths += [after[worker] - held for worker, held in before.items()]
    return Outcome(name, "MiB", max(growths) / MIB, None, 128)


BUILDING: Mapping[str, Measurement] = {
    "first-build-150k": partial(measure_build, workload=seed.MIDDLE),
    "first-build-1m": partial(measure_build, workload=seed.LARGE),
    "memory": measure_memory,
}
