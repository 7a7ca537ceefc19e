"""Random schedules of writers and polling clients, drawn by Hypothesis, and the comparison at their end."""

import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from lens_perf.performance.freshness import checkpoint
from tests.faults import wait_until
from tests.polling.clients import QUERIES, PollingClient, check_copy, load_rule
from tests.polling.writers import Writers

Schedule = list[tuple[str, int, int]]
INSERTS = ["insert", "insert", "insert", "late", "correct", "correct"]
TRANSACTIONS = ["savepoint", "release", "undo", "commit", "commit", "rollback", "prepare", "elsewhere"]
SERVER = ["jump", "jump", "vacuum"]
REWRITES = ["update", "remove"]
POLLS = ["poll", "poll", "poll", "poll", "validate"]
# Everything that may happen to a workload whose records are compared at each poll.
ALL_STEPS = (*INSERTS, *TRANSACTIONS, *SERVER, *REWRITES, *POLLS)
# Without updates in place and deletions, every change is reported at once, even without comparisons.
TRACED_STEPS = (*INSERTS, *TRANSACTIONS, *SERVER, *POLLS)


def steps(*names: str) -> st.SearchStrategy[Schedule]:
    """Draw schedules of the steps ``names``."""
    step = st.tuples(st.sampled_from(names), st.integers(0, 7), st.integers(0, 41))
    return st.lists(step, min_size=25, max_size=50)


def run_schedule(app: Flask, dsn: str, schedule: Schedule, *, flush: bool = False, late: bool = False) -> None:
    """Let writers and three clients take the steps; compare their copies and the service's in the end.

    With ``late``, only the polls at the end search for updates and deletions.
    """
    uid = f"schedule-{uuid.uuid4().hex[:12]}"
    update = load_rule()
    first = sum(a for _, a, _ in schedule)
    queries = [QUERIES[(first + index) % len(QUERIES)] for index in (0, 3, 6)]
    clients = [PollingClient(app.test_client(), uid, query, update) for query in queries]
    with closing(Writers(dsn, uid)) as writers:
        for step, a, b in schedule:
            if step not in {"poll", "validate"}:
                writers.run(step, a, b)
                continue
            if flush:
                writers.flush_statistics()
            with late_comparison() if late else nullcontext():
                for client in clients if step == "poll" else clients[:1]:
                    getattr(client, step)()
                if late:
                    app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/available")
    for client in clients:
        if flush:
            # Sessions report their updates and deletions when they end, which takes a moment.
            wait_until(client.is_up_to_date)
        client.poll()
        client.check()
        client.validate()
    check_copy(app, uid)


def schedules(count: int) -> settings:
    """Return the settings for so many schedules."""
    return settings(max_examples=count, suppress_health_check=list(HealthCheck),
                    phases=[Phase.explicit, Phase.generate, Phase.shrink])  # fmt: skip


@contextmanager
def late_comparison() -> Iterator[None]:
    """Search for updates and deletions late, and settle ids as soon as their transactions have ended."""
    with large_workloads(3600), pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "UNSETTLED_IDS", 0)
        yield


@contextmanager
def large_workloads(seconds: int) -> Iterator[None]:
    """Treat every workload as a large one, which is searched for updates and removals every ``seconds``."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint, "SMALL_WORKLOAD", -1)
        patch.setattr(checkpoint, "COMPARE_SECONDS", seconds)
        yield
