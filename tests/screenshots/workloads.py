"""The workloads in the screenshots."""

import json
import math
import random
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import psycopg2
import psycopg2.extras

from lens_perf.performance.schema import create_schema

INSERT = (
    "INSERT INTO training_performance (workload_uid, performance, iteration, created_at, serial, data_source) VALUES %s"
)
Values = tuple[Any, ...]
PACE_SECONDS = 2.2


def store_workloads(dsn: str) -> None:
    """Create the table and store the workloads."""
    now = time.time()
    with closing(psycopg2.connect(dsn)) as connection:
        create_schema(connection)
        with connection, connection.cursor() as cursor:
            for rows in _make_all(now):
                psycopg2.extras.execute_values(cursor, INSERT, list(rows))


def _make_all(now: float) -> Iterator[Iterable[Values]]:
    for seed, uid in enumerate(("llama3-8b-pretrain", "llama3-8b-lr-3e-4")):
        yield _make_rows(uid, seed, now, [range(1, 4000), range(3600, 6000)], 10_000)
    yield _make_rows("deepseek-v2-lite", 2, now - 7200, [range(1, 3000)], 10_000)
    yield _make_rows("qwen3-30b-restarts", 3, now - 600, [range(1, 900), range(700, 1500), range(1300, 2000)], 4000)
    yield _make_rows("olmo2-7b-diverged", 4, now, [range(1, 1500)], 3000, not_finite_from=1300)
    for number in range(20):
        yield _make_rows(f"sweep-{number:02}-wd-0.{number}", number, now - 86_400 * (3 + number), [range(1, 300)], 300)
    yield [("no-times", json.dumps({"lm_loss": 2 / index}), index, None, 0, "log") for index in range(1, 500)]


def _make_rows(
    uid: str, seed: int, end: float, attempts: list[range], target: int, *, not_finite_from: int | None = None
) -> Iterator[Values]:
    """Return the records of a workload with noise and a spike, whose attempts train ranges of iterations."""
    chance = random.Random(seed)
    numbered = [(serial, index) for serial, indices in enumerate(attempts) for index in indices]
    for place, (serial, index) in enumerate(numbered):
        when = end - PACE_SECONDS * (len(numbered) - 1 - place)
        loss: float | str = (
            1.8 + seed % 5 * 0.1 + 8 * math.exp(-index / (500 + 100 * (seed % 7))) + chance.gauss(0, 0.05)
        )
        if index == 2500:
            loss = 6.5
        if not_finite_from is not None and index >= not_finite_from:
            loss = "NaN"
        performance = {
            "lm_loss": loss,
            "grad_norm": abs(chance.gauss(1, 0.3)) + 5 / index,
            "learning_rate": 3e-4 * min(1, index / 400) * (0.5 + 0.5 * math.cos(math.pi * index / 10_000)),
            "tflops": chance.gauss(410, 8),
            "target_iteration": target,
        }
        yield uid, json.dumps(performance), index, datetime.fromtimestamp(when, UTC), serial, "log"
