"""Metrics and log lines of gunicorn with two workers: sums outlive a worker, and every line is JSON."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, strict_json
from tests.faults import frozen
from tests.instrumentation.exposition import Samples, read_samples, value_of
from tests.test_serving import ROOT, free_port, wait_for

HEALTH = {"endpoint": "health.get_healthz", "cluster": "other", "status": "200"}


@dataclass(frozen=True)
class Served:
    """A running gunicorn."""

    process: subprocess.Popen[bytes]
    port: int
    output: Path
    errors: Path

    def get(self, path: str, **headers: str) -> requests.Response:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=10)

    def samples(self) -> Samples:
        return read_samples(self.get("/metrics").text)

    def workers(self) -> set[int]:
        return {child.pid for child in psutil.Process(self.process.pid).children()}

    def ask_each(self, path: str) -> int:
        """Send a request to every worker; return their number."""
        workers = self.workers()
        for worker in workers:
            with frozen(*workers - {worker}):
                assert self.get(path).status_code == 200
        return len(workers)


@contextmanager
def serve(settings: Path, tmp_path: Path, **variables: str) -> Iterator[Served]:
    port = free_port()
    output, errors = tmp_path / "stdout", tmp_path / "stderr"
    environment = {**os.environ, "LENS_PERF_CONFIG": str(settings), "WEB_CONCURRENCY": "2", **variables}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", f"127.0.0.1:{port}", "wsgi:app"]
    with output.open("wb") as stdout, errors.open("wb") as stderr:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=stdout, stderr=stderr)
    try:
        wait_for(port)
        served = Served(process, port, output, errors)
        # The master listens before it has forked both workers.
        wait_until(lambda: len(served.workers()) == 2)
        yield served
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


@pytest.fixture
def served(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path) -> Iterator[Served]:
    text = f'[clusters.alpha]\ndsn = "{postgres18.dsn("alpha", READER)}"'
    with serve(write_settings(text), tmp_path) as served:
        yield served


def wait_until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("in vain")


def counted(served: Served) -> float:
    return served.samples().get(("lens_perf_requests_total", frozenset(HEALTH.items())), 0.0)


def idle_connections(served: Served) -> float:
    return served.samples()["lens_perf_pool_connections", frozenset({("cluster", "alpha"), ("state", "idle")})]


# Makes each worker connect.
READY = "/readyz"


FORK = """
import gc, runpy, types
runpy.run_path("config/gunicorn.conf.py")["pre_fork"](None, types.SimpleNamespace())
print(gc.get_freeze_count(), len(gc.get_objects()))
"""


def test_workers_do_not_examine_the_objects_that_they_share() -> None:
    """A collection would copy them."""
    command = [sys.executable, "-c", FORK]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    shared, examined = map(int, ended.stdout.split())
    assert shared > 10 * examined


def test_sums_of_workers_outlive_a_killed_worker(served: Served) -> None:
    asked = served.ask_each("/healthz")
    served.ask_each(READY)
    # Every worker shows the sum of all.
    assert {counted(served) for _ in range(10)} == {asked}
    assert {idle_connections(served) for _ in range(10)} == {2}
    for _ in range(3):
        killed = served.workers().pop()
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda killed=killed: killed not in served.workers() and len(served.workers()) == 2)  # type: ignore[misc]
        wait_until(lambda: served.samples()["lens_perf_guards_running", frozenset({("guard", "watchdog")})] <= 1)
        assert counted(served) == asked
        asked += served.ask_each("/healthz")
        served.ask_each(READY)
        assert {counted(served) for _ in range(10)} == {asked}
        assert {idle_connections(served) for _ in range(10)} == {2}


def memory_used(served: Served) -> float:
    return served.samples()["lens_perf_metrics_memory_bytes", frozenset({("state", "used")})]


def test_reloads_keep_sums_and_need_no_more_memory(served: Served) -> None:
    asked = served.ask_each("/healthz")
    served.ask_each(READY)
    used: list[float] = []
    for _ in range(4):
        before = served.workers()
        served.process.send_signal(signal.SIGHUP)
        wait_until(lambda before=before: len(served.workers()) == 2 and not served.workers() & before)  # type: ignore[misc]
        asked += served.ask_each("/healthz")
        served.ask_each(READY)
        assert counted(served) == asked
        used.append(memory_used(served))
    assert 0 < used[0] == used[-1]


def test_metrics_of_the_master_occur_once(served: Served) -> None:
    served.ask_each("/healthz")
    samples = served.samples()
    assert samples["lens_perf_breaker_open", frozenset({("cluster", "alpha")})] == 0
    assert len([name for name, _ in samples if name == "lens_perf_build_info"]) == 1


def test_no_file_holds_metrics(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path
) -> None:
    """Not even if the client library is configured for files, which could fill a disk."""
    directory = tmp_path / "metrics"
    directory.mkdir()
    text = f'[clusters.alpha]\ndsn = "{postgres18.dsn("alpha", READER)}"'
    with serve(write_settings(text), tmp_path, PROMETHEUS_MULTIPROC_DIR=str(directory)) as served:
        asked = served.ask_each("/healthz")
        assert counted(served) == asked
        opened = [file.path for worker in served.workers() for file in psutil.Process(worker).open_files()]
        assert not [path for path in opened if path.startswith(("/dev/shm", str(directory)))]
        assert list(directory.iterdir()) == []


def send_raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer


FORGED = b'{"status": 200, "path": "/forged"}'
BREAKS_IN = [
    b"GET /healthz%0d%0a" + FORGED.replace(b" ", b"") + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\n" + FORGED + b"\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Request-Id: \x1b[31m" + FORGED + b"\r\n\r\n",
    b"GET /\x1b[2J\x7f\x9b\xff HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /healthz HTTP/1.1\r\nHost: x\r\nUser-Agent: \x1b]0;owned\x07\r\nAuthorization: Bearer hunter2\r\n\r\n",
    b"\x1b[31mGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://user:hunter2@x/healthz?token=hunter2 HTTP/1.1\r\nHost: x\r\n\r\n",
]


def json_lines(path: Path) -> list[Any]:
    raw = path.read_bytes()
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in raw), raw
    return [strict_json(line) for line in raw.decode().splitlines()]


def test_every_line_is_json(served: Served) -> None:
    for request in BREAKS_IN:
        send_raw(served.port, request)
    assert served.get("/healthz", **{"X-Request-Id": "the-last"}).headers["X-Request-Id"] == "the-last"
    wait_until(lambda: "the-last" in served.output.read_text("ascii"))
    lines = json_lines(served.output)
    assert {line["logger"] for line in lines} == {"lens_perf.requests"}
    assert not [line for line in lines if line["path"] == "/forged"]
    events = json_lines(served.errors)
    assert "gunicorn.error" in {line["logger"] for line in events}
    assert b"hunter2" not in served.output.read_bytes() + served.errors.read_bytes()


def test_a_worker_shows_the_counts_of_many_threads_of_others(served: Served) -> None:
    with requests.Session() as session:
        for _ in range(50):
            session.get(f"http://127.0.0.1:{served.port}/lens/v1/workloads/u/metrics/sources", timeout=10)
    text = served.get("/metrics").text
    labels = {"endpoint": "metrics.get_sources", "cluster": "alpha"}
    assert value_of(text, "lens_perf_requests_total", status="200", **labels) == 50
    assert value_of(text, "lens_perf_request_seconds_count", **labels) == 50
