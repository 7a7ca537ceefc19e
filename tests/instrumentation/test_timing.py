"""Timings: the time of each phase, and that the functions do nothing outside a request."""

import threading
import time
from collections.abc import Iterator

import pytest

from lens_perf.instrumentation.timing import (
    Timings,
    current_timings,
    end_timings,
    note_rows,
    note_token,
    phase,
    start_timings,
)


@pytest.fixture(autouse=True)
def no_request() -> Iterator[None]:
    end_timings()
    yield
    end_timings()


def test_phases_add_up() -> None:
    timings = start_timings()
    for _ in range(3):
        with phase("query"):
            time.sleep(0.01)
    assert timings.phases["query"] >= 0.03
    assert timings.phases["auth"] == timings.phases["pool"] == 0
    assert timings.elapsed() >= timings.phases["query"]


def test_a_phase_that_fails_counts_and_raises() -> None:
    timings = start_timings()
    with pytest.raises(KeyError, match="lost"), phase("pool"):
        raise KeyError("lost")
    assert timings.phases["pool"] > 0


def test_the_rest_is_render() -> None:
    timings = Timings()
    timings.phases |= {"auth": 0.001, "pool": 0.002, "query": 0.03}
    assert timings.split(0.05) == {"auth": 1, "pool": 2, "query": 30, "render": 17}
    assert timings.split(0.01)["render"] == 0


def test_outside_a_request() -> None:
    with phase("query"):
        note_rows(5)
        note_token("grafana")
    assert current_timings() is None


def test_notes() -> None:
    timings = start_timings()
    note_rows(2)
    note_rows(3)
    note_token("grafana")
    assert (timings.rows, timings.token) == (5, "grafana")


def test_each_request_has_new_timings() -> None:
    start_timings().rows = 5
    assert start_timings().rows == 0


def test_threads_do_not_share() -> None:
    mine = start_timings()
    theirs: list[Timings | None] = []

    def work() -> None:
        theirs.append(current_timings())
        theirs.append(start_timings())
        with phase("query"):
            time.sleep(0.001)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert theirs[0] is None
    assert theirs[1] is not None
    assert theirs[1].phases["query"] > 0
    assert mine.phases["query"] == 0
    assert current_timings() is mine
