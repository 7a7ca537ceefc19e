"""Measures the cost of new records: polls with a cursor, and answers from a copy that has to be brought up to date."""

from collections.abc import Mapping
from functools import partial

from tests.benchmarks import seed
from tests.benchmarks.answer_reader import AnswerReader, WrongAnswerError, open_reader
from tests.benchmarks.measurements import Bench, Measurement, ask_progress, compare, timed
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.sampling import ask_sampled
from tests.benchmarks.seed import Growth, Workload

NEW_RECORDS = 10


class Poller:
    """A client that follows one metric of a workload."""

    def __init__(self, reader: AnswerReader, workload: Workload) -> None:
        self._reader = reader
        self._path = f"/lens/v1/workloads/{workload.uid}/metrics/data?metrics=lm_loss&after="
        self._cursor = ""
        self._ask()

    def poll(self, least: int) -> None:
        """Read the changes. Raises WrongAnswerError for fewer points than ``least``, or if all were sent again.

        Points may be sent again while an older transaction is open; see docs/polling.rst.
        """
        points = self._ask()
        if not least <= points < seed.SHORT.records:
            raise WrongAnswerError(f"{self._path}: a poll returned {points} points, expected {least}")

    def _ask(self) -> int:
        answer = self._reader.get(self._path + self._cursor)
        points = answer.read_number("total_count")
        self._cursor = answer.cursor
        return points


def measure_poll(bench: Bench, *, name: str, new_records: int) -> Outcome:
    """Measure a poll of the long workload that finds ``new_records`` against the same of the short one."""

    def follow(workload: Workload) -> float:
        if new_records:
            bench.growth.add(workload, new_records)
        return timed(partial(pollers[workload.uid].poll, new_records))()

    with open_reader(bench.service.port) as reader:
        pollers = {workload.uid: Poller(reader, workload) for workload in (seed.LARGE, seed.SHORT)}
        figures = compare(partial(follow, seed.LARGE), partial(follow, seed.SHORT), bench.rounds)
    return Outcome(name, "ms", *figures, 2)


def measure_refresh(bench: Bench, *, name: str) -> Outcome:
    """Measure a sampled chart after new records against the same without any."""

    def ask(new_records: int) -> float:
        if new_records:
            bench.growth.add(seed.LARGE, new_records)
        question = ask_sampled(seed.LARGE, bench.growth.count(seed.LARGE))
        return timed(partial(question.ask, reader))()

    with open_reader(bench.service.port) as reader:
        figures = compare(partial(ask, NEW_RECORDS), partial(ask, 0), bench.rounds)
    return Outcome(name, "ms", *figures, 1.5)


def measure_progress(bench: Bench, *, name: str) -> Outcome:
    """Measure the progress of a workload after a new record against the same without any."""

    def ask(growth: Growth, new_records: int) -> float:
        if new_records:
            growth.add(seed.LARGE, new_records)
        question = ask_progress(seed.LARGE, growth.count(seed.LARGE))
        return timed(partial(question.ask, reader))()

    with open_reader(bench.service.port) as reader:
        figures = compare(partial(ask, bench.growth, 1), partial(ask, bench.growth, 0), bench.rounds)
    return Outcome(name, "ms", *figures, None)


# They add records, so they run after the measurements that expect the seeded numbers.
POLLING: Mapping[str, Measurement] = {
    "poll-nothing": partial(measure_poll, new_records=0),
    "poll-ten": partial(measure_poll, new_records=NEW_RECORDS),
    "sampled-after-ten": measure_refresh,
    "progress-after-one": measure_progress,
}
