"""Measures sampled series against the minimum, maximum and count of each bucket in PostgreSQL."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial

import psycopg2

from tests.benchmarks import seed
from tests.benchmarks.answer_reader import WrongAnswerError, open_reader
from tests.benchmarks.measurements import Bench, Measurement, Question, compare, timed
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.seed import Workload

MAX_POINTS = 1000
# A bucket has up to four points: first, last, least, greatest.
BUCKETS = MAX_POINTS // 4
ONE_METRIC = ("lm_loss",)
ALL_METRICS = (*seed.METRICS, *seed.RARE_METRICS)
SELECT_BUCKETS = """
SELECT iteration / {width} AS bucket, {aggregates}
FROM training_performance
WHERE workload_uid = '{uid}'
GROUP BY bucket
"""
AGGREGATES = "min((performance->>'{0}')::float8), max((performance->>'{0}')::float8), count(performance->>'{0}')"


def ask_sampled(workload: Workload, records: int) -> Question:
    """Return the question for a sampled chart of one metric of ``workload``, which has so many records."""
    return Question(workload, f"metrics/data?metrics=lm_loss&max_points={MAX_POINTS}", records, "points_total")


def ask_all_sampled(workload: Workload) -> Question:
    """Return the question for sampled charts of all metrics."""
    return Question(workload, f"metrics/data?max_points={MAX_POINTS}", workload.points, "points_total")


def measure_sampling(bench: Bench, *, name: str, question: Question, metrics: tuple[str, ...]) -> Outcome:
    """Measure a sampled answer, from a copy, against the aggregate."""
    statement = SELECT_BUCKETS.format(
        width=question.workload.records // BUCKETS,
        aggregates=", ".join(map(AGGREGATES.format, metrics)),
        uid=question.workload.uid,
    )

    def aggregate() -> None:
        cursor.execute(statement)
        cursor.fetchall()

    with (
        open_reader(bench.service.port) as reader,
        closing(psycopg2.connect(bench.dsn)) as connection,
        connection.cursor() as cursor,
    ):
        connection.autocommit = True
        figures = compare(timed(partial(question.ask, reader)), timed(aggregate), bench.rounds)
    return Outcome(name, "ms", *figures, 0.04)


def measure_preview(bench: Bench, *, name: str) -> Outcome:
    """Measure a preview, which needs no copy."""
    path = f"/lens/v1/workloads/{seed.LARGE.uid}/metrics/data?metrics=lm_loss&max_points=150&method=stride"

    def preview() -> None:
        answer = reader.get(path)
        if not 0 < answer.read_number("points_returned") < MAX_POINTS:
            raise WrongAnswerError(f"no preview: {answer.tail!r}")

    with open_reader(bench.service_without_copies.port) as reader:
        figure, _ = compare(timed(preview), lambda: 0.0, bench.rounds)
    return Outcome(name, "ms", figure, None, None)


def _measure_both(label: str, workload: Workload) -> dict[str, Measurement]:
    one, every = ask_sampled(workload, workload.records), ask_all_sampled(workload)
    return {
        f"sampled-one-{label}": partial(measure_sampling, question=one, metrics=ONE_METRIC),
        f"sampled-all-{label}": partial(measure_sampling, question=every, metrics=ALL_METRICS),
    }


SAMPLING: Mapping[str, Measurement] = {
    **_measure_both("150k", seed.MIDDLE),
    **_measure_both("1m", seed.LARGE),
    "preview-1m": measure_preview,
}
