"""Progress: cases computed by hand, the rules of its numbers, and a real log with restarts."""

import time
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lens_perf.api.metrics_views import SERVICE
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance import progress_reader
from lens_perf.performance.columns.workload_copy import CopyPart
from lens_perf.performance.progress.record_blocks import RecordBlock
from lens_perf.performance.progress_reader import ProgressReader
from lens_perf.performance.selection import Selection
from lens_perf.performance.time_limit import TimeLimit
from tests.conftest import Row, Store, at, running_app
from tests.ingest.importing import Importer
from tests.real_data import REAL_DATA, needs_real_data

NUMBER = count()
# (iteration, seconds) of records; the iteration decreases at a restart.
Run = list[tuple[int | None, float | None]]


def straight(first: int, last: int, start: float, pace: float = 10) -> Run:
    return [(iteration, start + pace * (iteration - first)) for iteration in range(first, last + 1)]


def put(store: Store, uid: str, run: Run, *, target: Any = 100, source: str = "log") -> None:
    performance = {"loss": 1} if target is None else {"loss": 1, "target_iteration": target}
    store(
        uid, [Row(performance, iteration, time if time is None else at(time * 1000), source) for iteration, time in run]
    )


def read(app: Flask, uid: str, now: float, source: str | None = None) -> Any:
    return app.extensions[SERVICE]._readers.progress.read("alpha", Selection(uid, source), TimeLimit(30), now)


# The worked example of docs/progress.rst: 15 iterations, 5 of them twice, a restart, and a pause.
EXAMPLE = straight(1, 10, 0) + straight(6, 15, 150) + straight(16, 20, 340)


def test_the_worked_example(app: Flask, store: Store, uid: str) -> None:
    put(store, uid, EXAMPLE)
    assert read(app, uid, 400) == {
        "workload_uid": uid,
        "source": "log",
        "state": "running",
        "health": {"status": "ok", "reasons": []},
        "current_iteration": 20,
        "target_iteration": 100,
        "share_done": 0.2,
        "first_timestamp": 0,
        "last_timestamp": 380_000,
        "seconds_per_iteration": {
            "median": 10, "low": 10, "high": 10, "intervals": 22, "first_iteration": 1, "last_iteration": 20,
        },
        "eta": {
            "timestamp": 1_180_000, "earliest": 1_180_000, "latest": 1_180_000, "seconds": 780,
            "basis": "80 iterations at the median pace of 22 intervals, iterations 1 to 20, "
            "without restarts and pauses",
        },
        "restarts": 1,
        "attempts": [
            {
                "number": 1, "serial": None, "first_iteration": 1, "last_iteration": 10, "first_timestamp": 0,
                "last_timestamp": 90_000, "records": 10, "discarded_from": 6,
            },
            {
                "number": 2, "serial": None, "first_iteration": 6, "last_iteration": 20, "first_timestamp": 150_000,
                "last_timestamp": 380_000, "records": 15, "discarded_from": None,
            },
        ],
        "iterations_repeated": 5,
        "non_finite": [],
        "seconds_wall": 380,
        "seconds_lost_to_restarts": 100,
        "seconds_paused": 90,
        "seconds_productive": 190,
        "goodput": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("now", "state"), [(380, "running"), (530, "running"), (531, "stalled"), (86_780, "stalled"), (86_781, "ended")]
)
def test_a_pause_is_compared_with_the_longest_interval(
    app: Flask, store: Store, uid: str, now: float, state: str
) -> None:
    put(store, uid, EXAMPLE)
    found = read(app, uid, now)
    assert found["state"] == state
    assert (found["eta"] is None) == (state != "running")
    assert found["health"]["reasons"] == {"stalled": ["stalled"], "ended": ["ended_before_target"]}.get(state, [])


def summary(found: Any) -> tuple[Any, ...]:
    fields = (
        "restarts",
        "iterations_repeated",
        "seconds_wall",
        "seconds_lost_to_restarts",
        "seconds_paused",
        "goodput",
    )
    return tuple(found[field] for field in fields)


@pytest.mark.parametrize(
    ("run", "expected"),
    [
        (straight(1, 11, 0), (0, 0, 100, 0, 0, 1)),
        # Every tenth iteration is logged; back to 21 from 40, 30 seconds after.
        ([(10, 0), (20, 100), (30, 200), (40, 300), (30, 430), (40, 530), (50, 630)], (1, 20, 630, 230, 0, 400 / 630)),
        # The restart's first record is beyond what was reached: its own iteration counts as work.
        ([*straight(1, 5, 0), (6, 100), (7, 110)], (0, 0, 110, 0, 50, 60 / 110)),
        # Several records of an iteration are neither restarts nor pauses.
        ([(1, 0), (1, 1), (2, 10), (2, 12), (3, 20)], (0, 0, 20, 0, 0, 1)),
        ([(5, 7)], (0, 0, None, None, None, None)),
        ([(5, 7), (6, 7)], (0, 0, 0, 0, 0, None)),
        ([*straight(1, 11, 0), (99, None), (None, 5000)], (0, 0, 100, 0, 0, 1)),
    ],
    ids=["straight", "each tenth", "pause", "repeated records", "one", "at once", "no time or iteration"],
)
def test_by_hand(app: Flask, store: Store, uid: str, run: Run, expected: tuple[Any, ...]) -> None:
    put(store, uid, run)
    assert summary(read(app, uid, 200)) == pytest.approx(expected)


def test_a_serial_shows_a_restart_at_the_next_iteration(
    app: Flask, store: Store, uid: str, postgres: EmbeddedPostgres
) -> None:
    put(store, uid, [*straight(1, 5, 0), (6, 100), (7, 110)])
    with psycopg2.connect(postgres.dsn("alpha")) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE training_performance SET serial = 1 WHERE workload_uid = %s AND iteration > 5", (uid,))
    connection.close()
    # 60 seconds, of which 10 are the work of iteration 6.
    assert summary(read(app, uid, 120)) == pytest.approx((1, 0, 110, 50, 0, 60 / 110))


EXTREMES = """
INSERT INTO training_performance (workload_uid, data_source, created_at, iteration, serial, performance) VALUES
    (%(uid)s, 'log', '4713-01-01 BC', -2147483648, 2147483647, '{"target_iteration": 4e18}'),
    (%(uid)s, 'log', '2026-01-01', 2147483646, -2147483648, '{"target_iteration": 1e400}'),
    (%(uid)s, 'log', '2026-01-01', 2147483647, NULL, '{"target_iteration": 4e18}'),
    (%(uid)s, 'log', '294276-12-31', 2147483647, NULL, '[]'),
    (%(uid)s, 'log', 'infinity', 5, 0, NULL),
    (%(uid)s, 'log', NULL, NULL, NULL, '"target_iteration"')
"""


def test_no_row_makes_a_request_fail(client: FlaskClient, uid: str, postgres: EmbeddedPostgres) -> None:
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(EXTREMES, {"uid": uid})
    answer = client.get(f"/lens/v1/workloads/{uid}/progress")
    assert answer.status_code == 200
    assert answer.json
    assert (answer.json["target_iteration"], answer.json["eta"]) == (4 * 10**18, None)
    assert (answer.json["restarts"], len(answer.json["attempts"])) == (1, 2), "NULL counts as 0"


@pytest.mark.parametrize("target", [None, "100", 0, -5, 1.5, "NaN", [100]])
def test_without_a_target(app: Flask, store: Store, uid: str, target: Any) -> None:
    put(store, uid, straight(1, 5, 0), target=target)
    found = read(app, uid, 50)
    assert (found["target_iteration"], found["share_done"], found["eta"], found["state"]) == (
        None,
        None,
        None,
        "running",
    )


def test_finished(app: Flask, store: Store, uid: str) -> None:
    put(store, uid, straight(1, 5, 0), target=5)
    found = read(app, uid, 10**6)
    assert (found["state"], found["share_done"], found["eta"]) == ("finished", 1, None)


def test_the_newest_target_counts(app: Flask, store: Store, uid: str) -> None:
    put(store, uid, straight(1, 5, 0), target=50)
    put(store, uid, straight(6, 8, 50), target=80)
    put(store, uid, straight(9, 10, 80), target=None)
    assert read(app, uid, 100)["target_iteration"] == 80


def test_the_pace_is_recent(app: Flask, store: Store, uid: str) -> None:
    put(store, uid, straight(1, 150, 0, 30) + straight(151, 260, 150 * 30, 1), target=1000)
    pace = read(app, uid, 4700)["seconds_per_iteration"]
    assert (pace["median"], pace["intervals"], pace["last_iteration"]) == (1, 100, 260)


def test_the_numbers_are_those_of_one_data_source(app: Flask, store: Store, uid: str) -> None:
    put(store, uid, straight(1, 5, 0), source="wandb")
    put(store, uid, straight(1, 8, 1000), source="log")
    assert read(app, uid, 1100)["source"] == "log"
    found = read(app, uid, 1100, "wandb")
    assert (found["source"], found["data_source"], found["current_iteration"]) == ("wandb", "wandb", 5)


def test_unknown_values_are_null(client: FlaskClient, store: Store, uid: str) -> None:
    for name in (uid, f"{uid}-text"):
        answer = client.get(f"/lens/v1/workloads/{name}/progress")
        assert answer.status_code == 200
        found = answer.json
        assert found
        assert (found.pop("workload_uid"), found.pop("health")) == (name, {"status": "ok", "reasons": []})
        assert (found.pop("attempts"), found.pop("non_finite")) == ([], [])
        assert set(found.values()) == {None}
        store(f"{uid}-text", [Row('"text"', None, None), Row("[1]", None, at(1))])


def test_progress_includes_new_records(client: FlaskClient, store: Store, uid: str) -> None:
    for first, last in ((1, 5), (6, 8)):
        put(store, uid, straight(first, last, first * 10))
        for _ in range(2):
            answer = client.get(f"/lens/v1/workloads/{uid}/progress").json
            assert answer
            assert answer["current_iteration"] == last


PACES = st.lists(st.integers(1, 30), min_size=3, max_size=25)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(
    paces=PACES, cut=st.integers(1, 20), back=st.integers(0, 8), standstill=st.integers(0, 500), every=st.integers(1, 4)
)
def test_rules_of_the_numbers(
    app: Flask, store: Store, *, paces: list[int], cut: int, back: int, standstill: int, every: int
) -> None:
    """Shares are between 0 and 1, parts add up, and a restart never improves a number."""
    time, whole, broken = 0, [], []
    for index, pace in enumerate(paces):
        time += pace * every
        whole.append(((index + 1) * every, float(time)))
    cut = min(cut, len(whole) - 1)
    again = max(0, cut - back)
    shift = whole[cut - 1][1] + standstill - (whole[again - 1][1] if again else 0)
    broken = whole[:cut] + [(iteration, time + shift) for iteration, time in whole[again:]]
    found = []
    for run in (whole, broken):
        uid = f"progress-{next(NUMBER)}"
        put(store, uid, [*run], target=10**6)
        found.append(read(app, uid, run[-1][1] + 1))
    for each in found:
        parts = each["seconds_lost_to_restarts"] + each["seconds_paused"] + each["seconds_productive"]
        assert parts == pytest.approx(each["seconds_wall"])
        assert min(each["seconds_lost_to_restarts"], each["seconds_paused"], each["seconds_productive"]) >= 0
        assert 0 <= each["goodput"] <= 1
        assert 0 <= each["share_done"] <= 1
        assert each["seconds_per_iteration"]["low"] <= each["seconds_per_iteration"]["high"]
    # Beginning with the last iteration again does not show a restart.
    if cut - again > 1:
        assert (found[1]["restarts"], found[1]["iterations_repeated"]) == (1, (cut - again) * every)


def test_a_metric_that_is_not_finite_any_more(client: FlaskClient, store: Store, uid: str) -> None:
    now = round(time.time())
    for source in ("log", "wandb"):
        store(
            uid,
            [
                Row(
                    {"lm_loss": "NaN" if number > 350 else 1.5, "lr": 0.1},
                    number,
                    at((now - 400 + number) * 1000),
                    source,
                )
                for number in range(1, 401 if source == "log" else 11)
            ],
        )
    found = client.get(f"/lens/v1/workloads/{uid}/progress").json
    assert found
    assert (found["state"], found["health"]) == ("running", {"status": "critical", "reasons": ["non_finite_loss"]})
    assert found["non_finite"] == [
        {
            "metric_name": "lm_loss",
            "data_source": "log",
            "since_iteration": 351,
            "since_timestamp": (now - 49) * 1000,
        }
    ]
    other = client.get(f"/lens/v1/workloads/{uid}/progress?data_source=wandb").json
    assert other
    assert (other["non_finite"], other["health"]["status"]) == ([], "critical" if other["state"] == "stalled" else "ok")


@needs_real_data
def test_a_real_log_with_restarts(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str
) -> None:
    """Four runs of 300 iterations, one after another, in one file: 900 iterations of 1,200 are repeats."""
    path = write_settings(f'[clusters.alpha]\ndsn = "{postgres18.dsn("alpha")}"')
    assert Importer(path, uid).run("log", REAL_DATA / "log/megatron-core_4-runs-in-one-file.out.gz").status == 0
    with running_app(path) as app:
        found = read(app, uid, 4_000_000_000)
        points = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/data?metrics=lm_loss").json
    assert points
    assert (found["state"], found["current_iteration"], found["target_iteration"]) == ("finished", 300, 300)
    assert (found["restarts"], found["iterations_repeated"]) == (3, 900)
    times = [point["timestamp"] for point in points["data"]]
    assert found["seconds_wall"] == pytest.approx((max(times) - min(times)) / 1000, abs=0.01)
    # All time after the first run is lost, except for pauses.
    first_run = points["data"][:300]
    first_wall = (first_run[-1]["timestamp"] - first_run[0]["timestamp"]) / 1000
    assert found["seconds_productive"] <= first_wall + 0.01
    assert found["seconds_lost_to_restarts"] + found["seconds_paused"] >= found["seconds_wall"] - first_wall - 0.01


INSERT_LONG = """
INSERT INTO training_performance (workload_uid, iteration, created_at, data_source, performance)
SELECT %s, i, to_timestamp(2 * i), (CASE i %% 7 WHEN 0 THEN 'wandb' ELSE 'log' END)::training_data_source, '{}'
FROM generate_series(0, 299999) i
"""


def test_a_long_workload_that_grows(
    app: Flask, postgres: EmbeddedPostgres, store: Store, uid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only its latest parts are read again, and the progress is that of reading all of them."""
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection, connection.cursor() as cursor:
        cursor.execute(INSERT_LONG, (uid,))
    readers = app.extensions[SERVICE]._readers
    parts_read = []

    def note_part(part: CopyPart, source: str | None) -> RecordBlock:
        parts_read.append(part.records)
        return read_part(part, source)

    read_part = progress_reader._read_part
    monkeypatch.setattr(progress_reader, "_read_part", note_part)
    monkeypatch.setattr(readers, "progress", ProgressReader(readers.copies))
    assert read(app, uid, 600_000)["current_iteration"] == 299_998
    assert sum(parts_read) == 300_000
    for run in ([(300_000, 600_100)], [(299_000, 600_200), (299_001, 600_210)]):
        put(store, uid, run)
        parts_read.clear()
        found = read(app, uid, 600_300)
        assert 65_536 < sum(parts_read) < 200_000
        with monkeypatch.context() as patch:
            patch.setattr(readers, "progress", ProgressReader(readers.copies))
            assert read(app, uid, 600_300) == found
    assert (found["restarts"], found["iterations_repeated"]) == (1, 2)
