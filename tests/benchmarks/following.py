"""Measures the requests of a dashboard that follows a long workload: during a build, and after new records."""

import re
import time
from collections.abc import Mapping
from functools import partial

from tests.benchmarks import seed
from tests.benchmarks.answer_reader import AnswerReader, WrongAnswerError, open_reader
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.benchmarks.measurements import Bench, Measurement, ask_progress, ask_statistics, timed
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.polling import Poller
from tests.benchmarks.sampling import ask_sampled

UPDATES = 20
# The maximum time of a request.
TARGET_MS = 100
DEADLINE_SECONDS = "1"
BUILD_SECONDS = 600
SHARE = re.compile(rb"([0-9]+)% done")


def measure_following(bench: Bench, *, name: str) -> Outcome:
    """Measure the slowest of the requests that follow each new record of the long workload, from its copy."""
    slowest: dict[str, float] = {}
    with open_reader(bench.service.port) as reader:
        ask_sampled(seed.LARGE, bench.growth.count(seed.LARGE)).ask(reader)  # needs the copy
        poller = Poller(reader, seed.LARGE)
        for _ in range(bench.rounds * UPDATES):
            bench.growth.add(seed.LARGE, 1)
            for question, milliseconds in _update(bench, reader, poller).items():
                slowest[question] = max(slowest.get(question, 0.0), milliseconds)
    print("   " + ", ".join(f"{question} {each:.0f} ms" for question, each in slowest.items()), flush=True)
    return Outcome(name, "ms", max(slowest.values()), None, TARGET_MS)


def _update(bench: Bench, reader: AnswerReader, poller: Poller) -> Mapping[str, float]:
    """Return the time of each request of an update, in order."""
    records = bench.growth.count(seed.LARGE)
    requests = {
        "poll": partial(poller.poll, 1),
        "chart": partial(ask_sampled(seed.LARGE, records).ask, reader),
        "progress": partial(ask_progress(seed.LARGE, records).ask, reader),
        "summary": partial(ask_statistics(seed.LARGE)["summary"].ask, reader),
    }
    return {question: timed(request)() for question, request in requests.items()}


def measure_shares(bench: Bench, *, name: str) -> Outcome:
    """Count the answers with an increasing share of the first build; each request waits for a second."""
    variables = {**bench.write_settings(), "LENS_PERF_LIMITS_DEADLINE_SECONDS": DEADLINE_SECONDS}
    path = ask_statistics(seed.LARGE)["available"].path
    shares: list[int] = []
    with run_gunicorn("wsgi:app", variables) as service, open_reader(service.port) as reader:
        end = time.monotonic() + BUILD_SECONDS
        while not (answer := reader.get(path)).head.startswith(b"HTTP/1.1 200 "):
            if not answer.head.startswith(b"HTTP/1.1 503 ") or time.monotonic() > end:
                raise WrongAnswerError(f"{answer.head!r} {answer.tail!r}")
            # The share is unknown before the first block of records.
            shares += [int(share) for share in SHARE.findall(answer.tail)]
    if shares != sorted(shares):
        raise WrongAnswerError(f"the share of the build fell: {shares}")
    return Outcome(name, "", len(set(shares)), None, 3, at_least=True)


FOLLOWING: Mapping[str, Measurement] = {
    "shares-1m": measure_shares,
    "following-1m": measure_following,
}
