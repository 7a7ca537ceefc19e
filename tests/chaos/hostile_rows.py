"""Rows that are expensive by intent: long texts, very many keys, very many metrics; read by eight clients at once."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests

from tests.chaos.finding import Finding
from tests.chaos.world import METRICS, World

CALLERS = 8
UNIT = Path(__file__).parents[2] / "config" / "lens_perf@.service"
INSERT = """
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance)
VALUES (%s, 'log', %s, now(), %s)
"""
# 503 means that no heavy-read slot was free, or that the copy is not ready.
FORESEEN = {200, 503, 504}


def list_rows() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the metrics of the records of each hostile workload."""
    return {
        **{f"hostile-text-{number}": [{"text": "\n" * 12_000_000, "loss": 1}] for number in range(CALLERS)},
        "hostile-keys": [{f"key{index}": index for index in range(80_000)}],
        "hostile-metrics": [{f"m{row}_{index}": index for index in range(1_000)} for row in range(100)],
    }


def read_hostile_rows(world: World) -> Finding:
    """Read each workload with eight clients; a worker's peak memory must be below the limit of the unit."""
    finding = Finding("hostile rows", 12.0)
    workloads = list_rows()
    with world.superuser() as cursor:
        for uid, records in workloads.items():
            for iteration, record in enumerate(records):
                cursor.execute(INSERT, (uid, iteration, json.dumps(record)))

    def read(path: str) -> int:
        started = time.monotonic()
        status = requests.get(world.address + path, timeout=60).status_code
        finding.worst = max(finding.worst, time.monotonic() - started)
        finding.tried += 1
        return status

    world.service.reset_peaks()
    paths = [METRICS.format(uid) + query for uid in workloads for query in ("data", "data?max_points=10", "available")]
    with ThreadPoolExecutor(CALLERS) as callers:
        statuses = list(callers.map(read, paths * 2))
    finding.expect(set(statuses) <= FORESEEN, f"statuses {sorted(set(statuses) - FORESEEN)}")
    peak = max(world.service.peaks().values()) // 1024
    limit = _read_limit()
    finding.expect(peak < limit, f"a worker took {peak} MiB of {limit}")
    finding.notes = [f"a worker's peak was {peak} MiB; the unit allows {limit}"]
    return finding


def _read_limit() -> int:
    """Return the memory limit of the unit in MiB."""
    match = re.search(r"^MemoryMax=(\d+)G$", UNIT.read_text("utf-8"), re.MULTILINE)
    assert match
    return int(match[1]) * 1024
