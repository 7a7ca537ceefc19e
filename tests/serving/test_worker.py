"""Slow, silent and hostile clients of a real gunicorn: other clients are still served."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psutil
import psycopg2
import pytest
import requests

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.chaos.world import list_children
from tests.conftest import READER, strict_json
from tests.faults import wait_until
from tests.front.raw_http import converse
from tests.instrumentation.exposition import value_of
from tests.test_serving import gunicorn

DATA = "/lens/v1/workloads/w/metrics/data"
SOURCES = "/lens/v1/workloads/w/metrics/sources"
HEAD = b"GET /lens/v1/workloads/w/metrics/sources HTTP/1.1\r\nHost: x\r\n"
POST_HEAD = (
    b"POST /lens/v1/workloads/w/metrics/data HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
)
# Far more than threads, of which such clients occupy none.
SLOW_CLIENTS = 40
# Long enough for a busy machine, and far shorter than the time limits of incomplete requests.
TIMEOUT_SECONDS = 10


@pytest.fixture
def settings(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Path:
    return write_settings(f'[clusters.alpha]\ndsn = "{postgres18.dsn("alpha", READER)}"\n[http]\nrequest_seconds = 60')


def hurry(settings: Path, seconds: float) -> None:
    settings.write_text(settings.read_text("utf-8").replace("= 60", f"= {seconds}"), "utf-8")


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


@contextmanager
def connections(address: str, count: int, sent: bytes) -> Iterator[list[socket.socket]]:
    """Open connections that send some bytes and then nothing."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(
                closing(socket.create_connection(("127.0.0.1", port_of(address)), timeout=TIMEOUT_SECONDS))
            )
            for _ in range(count)
        ]
        for connection in opened:
            connection.sendall(sent)
        yield opened


def is_served(address: str, path: str = SOURCES) -> bool:
    return requests.get(address + path, timeout=TIMEOUT_SECONDS).status_code == 200


HALVES = {
    "nothing": b"",
    "half a request line": b"GET /lens/v1/wor",
    "half a head": HEAD + b"X-Half: ",
    "half a body": POST_HEAD + b"Content-Length: 1000\r\n\r\nmetrics=",
    "half a chunk": POST_HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nmetrics=",
    "a body nobody asked for": HEAD + b"Content-Length: 1000\r\n\r\nhalf",
    "a chunk nobody asked for": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf",
    "one and a half requests": HEAD + b"\r\n" + HEAD,
    "an expectation": POST_HEAD + b"Content-Length: 10\r\nExpect: 100-continue\r\n\r\n",
    "a closed connection that is held": HEAD + b"Connection: close\r\n\r\n",
    "a refused one that is held": b"GET /\x01 HTTP/1.1\r\n\r\n",
}


@pytest.mark.parametrize("half", HALVES)
def test_incomplete_requests_delay_nobody(settings: Path, half: str) -> None:
    with gunicorn(settings) as address, connections(address, SLOW_CLIENTS, HALVES[half]):
        for _ in range(3):
            assert is_served(address)
            assert is_served(address, "/healthz")


def test_an_incomplete_request_gets_408(settings: Path) -> None:
    hurry(settings, 0.5)
    with gunicorn(settings) as address:
        for half in ("half a request line", "half a head", "half a body"):
            with connections(address, 1, HALVES[half]) as (client,):
                answer = b"".join(iter(lambda client=client: client.recv(65536), b"")).decode()  # type: ignore[misc]
            head, _, body = answer.partition("\r\n\r\n")
            assert head.startswith("HTTP/1.1 408 Request Timeout\r\n")
            assert strict_json(body) == {
                "code": 408,
                "status": "Request Timeout",
                "message": "The request took too long to arrive",
            }
        with connections(address, 1, b"") as (client,):
            assert client.recv(100) == b""
        assert value_of(requests.get(f"{address}/metrics", timeout=TIMEOUT_SECONDS).text, "lens_perf_requests_total",
                        endpoint="other", cluster="other", status="408") == 3  # fmt: skip


def test_a_reload_keeps_the_settings(settings: Path) -> None:
    """Like the settings that the application has read."""
    hurry(settings, 0.5)
    with gunicorn(settings) as address:
        settings.write_text(settings.read_text("utf-8").replace("= 0.5", "= 60"), "utf-8")
        master = find_master(address)
        before = list_children(master.pid)
        master.send_signal(signal.SIGHUP)
        wait_until(lambda: len(list_children(master.pid)) == 2 and not set(list_children(master.pid)) & set(before))
        with connections(address, 1, HEAD) as (client,):
            assert client.recv(12) == b"HTTP/1.1 408"


def find_master(address: str) -> psutil.Process:
    """Return the arbiter of the gunicorn that serves ``address``."""
    (master,) = [
        process for process in psutil.Process().children() if f"127.0.0.1:{port_of(address)}" in process.cmdline()
    ]
    return master


def test_single_bytes_do_not_extend_the_time(settings: Path) -> None:
    hurry(settings, 1)
    with gunicorn(settings) as address, connections(address, 1, b"GET /") as (client,):
        client.settimeout(0.05)
        for _ in range(int(TIMEOUT_SECONDS / 0.05)):
            try:
                if client.recv(12) == b"HTTP/1.1 408":
                    break
            except TimeoutError:
                client.sendall(b"x")
        else:
            raise AssertionError("it goes on for ever")


def test_more_connections_than_a_worker_accepts(settings: Path) -> None:
    """The oldest connections that send nothing are closed."""
    with gunicorn(settings, "--worker-connections", "30") as address:
        with connections(address, 200, b"") as silent:
            assert is_served(address)
            assert silent[0].recv(1) == b""
        with ExitStack() as stack:
            for _ in range(200):
                stack.enter_context(connections(address, 1, HALVES["half a head"]))
            assert is_served(address)
        with ExitStack() as stack:  # kept alive, and idle
            for _ in range(100):
                session = stack.enter_context(requests.Session())
                assert session.get(address + "/healthz", timeout=TIMEOUT_SECONDS).status_code == 200
            assert is_served(address)


def test_a_connection_that_is_closed_while_its_event_is_pending(settings: Path) -> None:
    """The poller returns new connections, which replace old ones, together with events of the old ones."""
    variables = {"LENS_PERF_CONFIG": str(settings), "GUNICORN_CMD_ARGS": "--worker-connections 30 --workers 1"}
    with run_gunicorn("wsgi:app", variables) as service:
        address = f"http://127.0.0.1:{service.port}"
        assert is_served(address)
        (worker,) = list_children(service.pid)
        for half in ("nothing", "half a head"):
            with connections(address, 29, HALVES[half]) as held:
                time.sleep(0.3)
                os.kill(worker, signal.SIGSTOP)
                with connections(address, 10, b""):
                    for client in held:
                        client.sendall(b"G")
                    os.kill(worker, signal.SIGCONT)
                    assert is_served(address)
            assert list_children(service.pid) == [worker]


def test_if_no_thread_can_be_started_requests_wait_for_existing_ones(settings: Path) -> None:
    variables = {"LENS_PERF_CONFIG": str(settings), "GUNICORN_CMD_ARGS": "--workers 1"}
    with run_gunicorn("tests.serving.crowded_app:app", variables) as service, ThreadPoolExecutor(6) as callers:
        address = f"http://127.0.0.1:{service.port}"
        assert is_served(address, "/crowded")
        (worker,) = list_children(service.pid)
        assert all(callers.map(lambda _: is_served(address, "/"), range(6)))
        assert list_children(service.pid) == [worker]


def test_clients_that_read_nothing_delay_nobody_for_long(settings: Path) -> None:
    variables = {"LENS_PERF_CONFIG": str(settings), "GUNICORN_CMD_ARGS": "--workers 1 --threads 2"}
    with run_gunicorn("tests.serving.large_app:app", variables) as service:
        address = f"http://127.0.0.1:{service.port}"
        for path in ("memory", "file"):
            with connections(address, 4, f"GET /{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()):
                assert is_served(address, "/small")
        assert len(requests.get(f"{address}/file", timeout=TIMEOUT_SECONDS).content) == 64 * 2**20


def test_probes_are_answered_while_every_thread_waits(settings: Path, postgres18: EmbeddedPostgres) -> None:
    with gunicorn(settings) as address, closing(psycopg2.connect(postgres18.dsn("alpha"))) as connection:
        cursor = connection.cursor()
        cursor.execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")
        with connections(address, 16, HEAD + b"\r\n"):

            def waiting() -> int:
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND wait_event_type = 'Lock'",
                               (READER,))  # fmt: skip
                ((found,),) = cursor.fetchall()
                return int(found)

            wait_until(lambda: waiting() == 8)
            for _ in range(5):
                for path in ("/healthz", "/metrics", "/healthz?x=1"):
                    assert requests.get(address + path, timeout=TIMEOUT_SECONDS).status_code == 200
                # The cluster is busy, and the probe reports it.
                assert requests.get(f"{address}/readyz", timeout=TIMEOUT_SECONDS).status_code in {200, 503}
            assert waiting() == 8
        connection.rollback()
        wait_until(lambda: is_served(address))


REFUSED = {
    "a long request line": (b"GET /lens/v1/workloads/w/metrics/data?metrics=" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414,
                            "The request line is longer than 8190 bytes; request fewer metrics or workloads"),
    "a line without end": (b"A" * 70_000, 414, "The request line is longer"),
    "a large header": (HEAD + b"X: " + b"a" * 9000 + b"\r\n\r\n", 431, "The headers are too large"),
    "headers without end": (HEAD + b"X: yyyyyyyyyyyyyy\r\n" * 5000, 431, "The headers are too large"),
    "rubbish": (b"RUBBISH\r\n\r\n", 400, "The request is not well-formed"),
    "a TLS hello": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "The request is not well-formed"),
    "an unknown coding": (HEAD + b"Transfer-Encoding: x\r\n\r\n", 501, "The transfer coding is not supported"),
    "an unknown expectation": (HEAD + b"Expect: wonders\r\n\r\n", 417, "The only expectation"),
}  # fmt: skip


def test_refusals_of_gunicorn_have_the_format_of_the_service(settings: Path) -> None:
    with gunicorn(settings) as address:
        for sent, status, message in REFUSED.values():
            answers = converse(port_of(address), sent)
            head, _, body = answers.text.partition("\r\n\r\n")
            assert list(answers.statuses) == [status]
            answer = strict_json(body)
            assert answer["code"] == status
            assert answer["message"].startswith(message)
            assert "Content-Type: application/json" in head
            assert "Cache-Control: no-store" in head
            assert is_served(address)
        metrics = requests.get(f"{address}/metrics", timeout=TIMEOUT_SECONDS).text
        for status in {status for _, status, _ in REFUSED.values()}:
            assert value_of(metrics, "lens_perf_requests_total", endpoint="other", cluster="other", status=str(status))


def test_no_refused_request_is_quoted(settings: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with gunicorn(settings, "--error-logfile", str(log)) as address:
        for sent in (b"GET /hunter2\x01 HTTP/1.1\r\n\r\n", b"hunter2 / HTTP/1.1\r\n\r\n", HEAD + b"hunter2\r\n\r\n"):
            assert "hunter2" not in converse(port_of(address), sent).text
    assert not log.exists() or "hunter2" not in log.read_text("utf-8")


def test_complete_requests_in_every_form(settings: Path) -> None:
    body = b"metrics=loss"
    posted = POST_HEAD + b"Content-Length: %d\r\n" % len(body)
    with gunicorn(settings) as address, closing(socket.create_connection(("127.0.0.1", port_of(address)))) as client:
        client.settimeout(TIMEOUT_SECONDS)
        reader = client.makefile("rb")

        def read() -> tuple[int, bytes]:
            status = int(reader.readline().split()[1])
            size = 0
            while (line := reader.readline()) != b"\r\n":
                if line.lower().startswith(b"content-length:"):
                    size = int(line.split(b":")[1])
            return status, reader.read(size)

        for sent in (HEAD + b"\r\n", posted + b"\r\n" + body):
            for piece in sent.splitlines(keepends=True):  # all on one connection, a line at a time
                client.sendall(piece)
                time.sleep(0.02)
            assert read()[0] == 200
        client.sendall((HEAD + b"\r\n") * 3 + posted + b"\r\n" + body + HEAD + b"\r\n")
        assert [read()[0] for _ in range(5)] == [200] * 5
        client.sendall(posted + b"Expect: 100-continue\r\n\r\n")
        assert read() == (100, b"")
        client.sendall(body)
        status, answer = read()
        assert (status, json.loads(answer)["total_count"]) == (200, 0)


def test_a_stopping_worker_does_not_wait_for_silent_clients(settings: Path) -> None:
    with gunicorn(settings) as address:
        master = find_master(address)
        with connections(address, 5, b"") as silent:
            assert is_served(address)
            master.send_signal(signal.SIGTERM)
            # Far below http.request_seconds, which is 60 here, and graceful_timeout.
            assert silent[0].recv(1) == b""
            wait_until(lambda: not master.is_running() or master.status() == psutil.STATUS_ZOMBIE, TIMEOUT_SECONDS)


def test_tls_is_left_to_the_proxy(settings: Path) -> None:
    command = ["-b", "127.0.0.1:0", "--certfile", str(settings), "--keyfile", str(settings)]
    ended = subprocess.run(
        [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", *command, "wsgi:app"],
        cwd=Path(__file__).parents[2], env={"LENS_PERF_CONFIG": str(settings)},
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.returncode == 3
    assert "terminate TLS in a proxy in front of it" in ended.stderr
