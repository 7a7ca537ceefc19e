"""Debian's nginx with the shipped settings in front of two gunicorns: nothing is lost, and all errors are JSON."""

import gzip
import http.client
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
import requests
from flask import request

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at, running_app, strict_json, two_clusters
from tests.faults import wait_until
from tests.front.jail import need_jail
from tests.front.nginx import Nginx, check_shipped, run_nginx
from tests.front.programs import needs
from tests.test_serving import METRICS, free_port, gunicorn, on_one_version, serve

pytestmark = needs("nginx", "openssl")

BEHIND_ONE = "\n[http]\ntrusted_proxies = 1\n"


@dataclass(frozen=True)
class Front:
    """nginx, and the address of one of the gunicorns behind it."""

    nginx: Nginx
    direct: str


@pytest.fixture(scope="module")
def settings(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("behind_nginx") / "lens_perf.toml"
    path.write_text(two_clusters(postgres) + BEHIND_ONE, "utf-8")
    return path


@pytest.fixture(scope="module")
def front(settings: Path) -> Iterator[Front]:
    with (
        gunicorn(settings) as first,
        gunicorn(settings) as second,
        run_nginx([port_of(first), port_of(second)]) as nginx,
    ):
        yield Front(nginx, first)


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def port_of(address: str) -> int:
    return int(address.rpartition(":")[2])


def ask(
    nginx: Nginx, target: str, method: str = "GET", headers: dict[str, str] | None = None
) -> tuple[int, Any, bytes]:
    """Send a request with exactly this target; return status, headers and body."""
    context = ssl.create_default_context(cafile=nginx.authority)
    with closing(http.client.HTTPSConnection("127.0.0.1", nginx.port, context=context, timeout=20)) as connection:
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.headers, response.read()


def test_the_shipped_file_as_it_is() -> None:
    """Only root may open the files that it names."""
    if os.geteuid() == 0:
        need_jail()
    said = check_shipped()
    assert "syntax is ok" in said, said
    if os.geteuid() == 0:
        assert "test is successful" in said, said
        assert said.endswith("www-data:700\n")


def check_error(status: int, headers: Any, body: bytes, expected: int) -> str:
    """Check that an answer is an error in the service's own form and return its message."""
    assert status == expected
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-store"
    assert headers["Server"] == "nginx"
    assert headers["X-Request-Id"]
    parsed = strict_json(body.decode())
    assert list(parsed)[:3] == ["code", "status", "message"]
    assert parsed["code"] == expected
    return str(parsed["message"])


@on_one_version
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_the_same_answers_as_gunicorns(front: Front, store: Store, uid: str, method: str, session: Any) -> None:
    store(uid, [Row({f"m{name}": index / 7 for name in range(10)}, index, at(index)) for index in range(2000)])
    base = METRICS.format(uid=uid)
    targets = [
        f"{base}/{name}" for name in ("sources", "available", "data", "data?metrics=m1&start=5&end=9", "nowhere")
    ]
    targets += [
        "/lens/v1/workloads//metrics/sources",
        "/lens/v1/workloads/a%2Fb/metrics/sources",
        f"{base}/data?start=5",
    ]
    targets += ["/lens/v1/workloads/%ff%25%20x/metrics/sources", "/lens/docs", "/lens/openapi.json", "/lens//docs"]
    for target in targets:
        status, headers, body = ask(front.nginx, target, method)
        direct = session.request(method, front.direct + target)
        assert (status, body) == (direct.status_code, direct.content), target
        for name in ("Content-Type", "Content-Length", "Cache-Control", "Content-Security-Policy"):
            assert headers.get(name) == direct.headers.get(name), (target, name)


@on_one_version
def test_paths_are_passed_on_unchanged(front: Front) -> None:
    message = check_error(*ask(front.nginx, "/lens/v1/workloads//metrics/sources"), 400)
    assert message == "workload_uid is required"
    for uid in ("a/b", "a//b", "a%2Fb", "/a/", "a/../b", "é?#/;\ue000"):
        status, _, body = ask(front.nginx, f"/lens/v1/workloads/{quote(uid, safe='')}/metrics/sources")
        assert (status, strict_json(body.decode())["workload_uid"]) == (200, uid)
    check_error(*ask(front.nginx, "/lens/v1/workloads/a/b/metrics/sources"), 404)


@on_one_version
def test_json_is_compressed(front: Front, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": index / 7}, index, at(index)) for index in range(500)])
    target = METRICS.format(uid=uid) + "/data"
    _, headers, body = ask(front.nginx, target, headers={"Accept-Encoding": "gzip"})
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    _, plain_headers, plain = ask(front.nginx, target)
    assert "Content-Encoding" not in plain_headers
    assert len(body) < len(plain) / 4
    assert gzip.decompress(body) == plain
    assert (
        "Content-Encoding"
        not in ask(front.nginx, METRICS.format(uid=uid) + "/sources", headers={"Accept-Encoding": "gzip"})[1]
    )


@on_one_version
def test_the_longest_request_line(front: Front, uid: str) -> None:
    head = METRICS.format(uid=uid) + "/data?metrics="
    room = 8190 - len(f"GET {head} HTTP/1.1")
    assert ask(front.nginx, head + "a" * room)[0] == 200
    message = check_error(*ask(front.nginx, head + "a" * (room + 1)), 414)
    assert "8190 bytes" in message


PRIVATE = ("/healthz", "/readyz", "/metrics")
WAYS = (
    "{}",
    "/lens/..{}",
    "/lens/%2e%2e{}",
    "/lens/v1/../..{}",
    "/lens/..%2f{}",
    "/{}",
    "{}#/lens/",
    "/lens/%2e%2e%2f{}",
)


@on_one_version
@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("way", WAYS)
def test_only_the_api_is_published(front: Front, session: requests.Session, path: str, way: str) -> None:
    assert session.get(front.direct + path).status_code in {200, 503}
    status, headers, body = ask(front.nginx, way.format(path))
    check_error(status, headers, body, 404)


@on_one_version
def test_errors_of_nginx_itself(front: Front) -> None:
    target = METRICS.format(uid="w") + "/sources"
    check_error(*ask(front.nginx, "/"), 404)
    check_error(*ask(front.nginx, target, "TRACE"), 405)
    check_error(*ask(front.nginx, target, headers={"X-Long": "a" * 9000}), 431)
    check_error(*ask(front.nginx, target, headers={"Content-Length": "500000"}), 413)
    check_error(*ask(front.nginx, target, headers={"Content-Length": "x"}), 400)
    with closing(http.client.HTTPConnection("127.0.0.1", front.nginx.port, timeout=20)) as connection:
        connection.request("GET", target)
        response = connection.getresponse()
        check_error(response.status, response.headers, response.read(), 400)


def test_without_a_service() -> None:
    with run_nginx([free_port(), free_port()]) as nginx:
        for _ in range(5):
            status, headers, body = ask(nginx, "/lens/openapi.json")
            assert "cannot be reached" in check_error(status, headers, body, 502)
            assert headers["Retry-After"] == "1"


def test_a_service_that_does_not_respond() -> None:
    with ExitStack() as stack:
        silent = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)]
        ports = [each.getsockname()[1] for each in silent]
        nginx = stack.enter_context(run_nginx(ports, {"proxy_read_timeout 40s": "proxy_read_timeout 1s"}))
        status, headers, body = ask(nginx, "/lens/openapi.json")
        assert "in time" in check_error(status, headers, body, 504)


def test_too_many_requests_of_one_address(session: requests.Session) -> None:
    with run_nginx([free_port(), free_port()]) as nginx:
        session.verify = str(nginx.authority)
        answers = [session.get(f"{nginx.address}/lens/openapi.json") for _ in range(600)]
    assert [each.status_code for each in answers[:200]] == [502] * 200
    refused = [each for each in answers if each.status_code == 429]
    check_error(429, refused[0].headers, refused[0].content, 429)
    assert refused[0].headers["Retry-After"] == "1"


@on_one_version
def test_request_ids_and_the_log(front: Front, uid: str) -> None:
    target = METRICS.format(uid=uid) + "/sources?cluster=alpha"
    given = ask(front.nginx, target, headers={"X-Request-Id": "mine.1", "Authorization": "Bearer hunter2"})[1]
    assert given.get_all("X-Request-Id") == ["mine.1"]
    made = ask(front.nginx, target, headers={"X-Request-Id": 'no"id\\', "User-Agent": 'a"\\\xe9'})[1]["X-Request-Id"]
    assert made not in {"", 'no"id\\'}
    check_error(*ask(front.nginx, "/elsewhere", headers={"X-Request-Id": "mine.2"}), 404)
    wait_until(lambda: "mine.2" in front.nginx.access_log.read_text("utf-8"))
    text = front.nginx.access_log.read_text("utf-8")
    assert "hunter2" not in text
    assert "cluster=" not in text
    lines = {line["request_id"]: line for line in map(json.loads, text.splitlines())}
    assert lines["mine.1"]["path"] == lines[made]["path"] == target.partition("?")[0]
    assert (lines["mine.2"]["path"], lines["mine.2"]["status"]) == ("/elsewhere", 404)
    assert lines["mine.1"]["upstream_status"] == "200"


@on_one_version
def test_slow_clients_hold_no_thread(front: Front, store: Store, uid: str, session: requests.Session) -> None:
    """More clients than the two gunicorns have threads, each with more data than the kernel buffers."""
    store(
        uid, [Row({f"metric_{name}".ljust(250, "_"): index / 7 for name in range(20)}, index) for index in range(2400)]
    )
    session.verify = str(front.nginx.authority)
    base = METRICS.format(uid=uid)
    plain = session.get(f"{front.nginx.address}{base}/data", headers={"Accept-Encoding": "identity"})
    whole = len(plain.content)
    assert whole > 16_000_000
    with ExitStack() as stack:
        slow = []
        for _ in range(17):
            client = stack.enter_context(closing(open_slowly(front.nginx, f"{base}/data")))
            slow.append(stack.enter_context(closing(http.client.HTTPResponse(client))))
            slow[-1].begin()
        for _ in range(40):
            assert session.get(f"{front.nginx.address}{base}/sources", timeout=10).status_code == 200
        assert [(each.status, len(each.read())) for each in slow] == [(200, whole)] * 17


def open_slowly(nginx: Nginx, target: str) -> ssl.SSLSocket:
    """Send a request and read nothing, with a small window, so that the kernel buffers little."""
    with ExitStack() as opened:
        plain = opened.enter_context(socket.socket())
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(60)
        plain.connect(("127.0.0.1", nginx.port))
        context = ssl.create_default_context(cafile=nginx.authority)
        secure = opened.enter_context(context.wrap_socket(plain, server_hostname="127.0.0.1"))
        secure.sendall(f"GET {target} HTTP/1.1\r\nHost: lens\r\nConnection: close\r\n\r\n".encode())
        opened.pop_all()
    return secure


RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND query LIKE '%%select_sources%%' AND query LIKE %s AND pid <> pg_backend_pid()
"""


@on_one_version
def test_a_client_that_disconnects_ends_its_query(front: Front, postgres: EmbeddedPostgres, uid: str) -> None:
    with (
        closing(psycopg2.connect(postgres.dsn("alpha"))) as locking,
        closing(psycopg2.connect(postgres.dsn("alpha"))) as seeing,
    ):
        seeing.autocommit = True
        with locking.cursor() as lock, seeing.cursor() as see:
            lock.execute("LOCK training_performance IN ACCESS EXCLUSIVE MODE")

            def running() -> int:
                see.execute(RUNNING, (f"%{uid}%",))
                return int(see.fetchone()[0])  # type: ignore[index]  # a count is always there

            client = open_slowly(front.nginx, METRICS.format(uid=uid) + "/sources")
            wait_until(running)
            client.close()
            wait_until(lambda: not running(), 10)


FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Proto": "gopher",
    "X-Forwarded-Host": "evil.org",
    "X-Forwarded-Prefix": "/evil",
    "X-Forwarded-Port": "666",
    "Forwarded": "for=6.6.6.6",
}


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, ["127.0.0.1", "http://127.0.0.1/lens/seen"]),
        (1, ["127.0.0.1", "https://127.0.0.1/lens/seen"]),
        # One proxy more than exists: the headers of the client are trusted, so the number must be right.
        (2, ["6.6.6.6", "http://127.0.0.1/lens/seen"]),
    ],
)
def test_forwarded_headers(write_settings: Callable[[str], Path], count: int, expected: list[str]) -> None:
    path = write_settings(f'[clusters.alpha]\ndsn = "host=/nonexistent"\n[http]\ntrusted_proxies = {count}')
    with running_app(path) as app:
        app.add_url_rule("/lens/seen", "seen", lambda: [request.remote_addr, request.url, dict(request.headers)])
        with serve(app) as address, run_nginx([port_of(address), free_port()]) as nginx:
            *seen, headers = json.loads(ask(nginx, "/lens/seen", headers=FORGED)[2])
    assert seen == expected
    assert not {"Forwarded", "X-Forwarded-Port", "X-Forwarded-Prefix"} & set(headers)


@on_one_version
def test_a_rolling_restart_fails_no_request(settings: Path, uid: str) -> None:
    ports = [free_port(), free_port()]
    statuses: list[int] = []
    over = threading.Event()

    def load(nginx: Nginx) -> None:
        with requests.Session() as session:
            session.trust_env, session.verify = False, str(nginx.authority)
            while not over.is_set():
                statuses.append(session.get(f"{nginx.address}{METRICS.format(uid=uid)}/data").status_code)
                # Below the limit of requests from one address.
                time.sleep(0.1)

    with ExitStack() as last, run_nginx(ports) as nginx:
        running = []
        for port in ports:
            running.append(stack := ExitStack())
            stack.enter_context(gunicorn(settings, "-b", f"127.0.0.1:{port}"))
        callers = [threading.Thread(target=load, args=(nginx,)) for _ in range(4)]
        for each in callers:
            each.start()
        for port, stack in zip(ports, running, strict=True):
            wait_until(lambda: len(statuses) > 20)
            stack.close()
            last.enter_context(gunicorn(settings, "-b", f"127.0.0.1:{port}"))
        over.set()
        for each in callers:
            each.join()
    assert set(statuses) == {200}
