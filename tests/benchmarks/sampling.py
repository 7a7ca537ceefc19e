"""Measures thinned-out series against the bare statement, and against reading every point."""

from collections.abc import Mapping
from contextlib import closing
from functools import partial

import psycopg2
from lens_perf.performance.notations import JSON
from lens_perf.performance.sampled_points_queries import copy_sampled_points
from lens_perf.performance.sampling_sql import Sampling
from lens_perf.performance.survey_queries import Survey

from lens_perf.performance.selection import Selection
from tests.benchmarks import seed
from tests.benchmarks.answer_reader import WrongAnswerError, open_reader
from tests.benchmarks.measurements import Bench, Drain, Measurement, Question, compare, timed
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.psql_session import StatementRecorder, open_psql

MAX_POINTS = 1000
EVERY_POINT = Question(seed.LARGE, "data?metrics=lm_loss", seed.LARGE.records)
SAMPLED = Question(seed.LARGE, f"data?metrics=lm_loss&max_points={MAX_POINTS}", seed.LARGE.records)
GLANCE = Question(seed.LARGE, "data?metrics=lm_loss&max_points=150&method=stride", 0)
# A selection that suits the sampling to the workload as the service does, from a look at it.
SELECTION = Selection(seed.LARGE.uid)
SURVEY = Survey(seed.LARGE.records, 0, seed.LARGE.records - 1, "", 0)


def measure_sampling(bench: Bench, *, name: str) -> Outcome:
    """Measure a sampled answer against the very same aggregate in psql."""
    sampling = Sampling(MAX_POINTS).suit(SURVEY, SELECTION)
    with closing(psycopg2.connect(bench.dsn)) as connection:
        recorder = StatementRecorder(connection, bench.limits)
        copy_sampled_points(recorder, SELECTION, ["lm_loss"], sampling, notation=JSON, sink=Drain())
    # In the one message that the service sends, the settings hold for the statement only.
    script = recorder.script.replace(b"0.001;\n", b"0.001\\;\n")
    with open_reader(bench.service.port) as reader, open_psql(bench.postgres, bench.database) as psql:
        figures = compare(timed(partial(SAMPLED.ask, reader)), timed(partial(psql.run, script)), bench.rounds)
    return Outcome(name, "ms", *figures, 1.3)


def measure_against_all(bench: Bench, *, name: str) -> Outcome:
    """Measure a sampled answer against one with every point."""
    with open_reader(bench.service.port) as reader:
        figures = compare(timed(partial(SAMPLED.ask, reader)), timed(partial(EVERY_POINT.ask, reader)), bench.rounds)
    return Outcome(name, "ms", *figures, 0.5)


def measure_glance(bench: Bench, *, name: str) -> Outcome:
    """Measure a glance against a sampled answer."""

    def look() -> None:
        answer = reader.get(GLANCE.path)
        if b'"method":"stride"' not in answer.tail:
            raise WrongAnswerError(f"no glance: {answer.tail!r}")

    with open_reader(bench.service.port) as reader:
        figures = compare(timed(look), timed(partial(SAMPLED.ask, reader)), bench.rounds)
    return Outcome(name, "ms", *figures, None)


SAMPLING: Mapping[str, Measurement] = {
    "sampled-1m": measure_sampling,
    "sampled-of-all-1m": measure_against_all,
    "glance-1m": measure_glance,
}
