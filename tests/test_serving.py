"""Tests that need a real server: gunicorn with the shipped settings, and the docs page in a real browser."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from playwright.sync_api import Page, expect
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.serving import make_server

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Row, Store, at, running_app, two_clusters
from tests.front.programs import needs
from tests.web_browser import open_page

ROOT = Path(__file__).parent.parent
METRICS = "/lens/v1/workloads/{uid}/metrics"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


@contextmanager
def gunicorn(settings: Path, *arguments: str) -> Iterator[str]:
    """Serve wsgi:app as the README says, and return the address."""
    port = free_port()
    environment = {**os.environ, "LENS_PERF_CONFIG": str(settings), "WEB_CONCURRENCY": "1"}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", f"127.0.0.1:{port}", *arguments]
    with subprocess.Popen([*command, "wsgi:app"], cwd=ROOT, env=environment, stderr=subprocess.PIPE) as process:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=20)


def wait_for(port: int) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("gunicorn does not listen")


CLIENTS = 8
# The version of the server makes no difference here.
on_one_version = pytest.mark.parametrize("postgres", [18], indirect=True)


@pytest.fixture
def settings(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Path:
    return write_settings(two_clusters(postgres) + "\n[limits]\nmemory_mib = 1")


@on_one_version
@pytest.mark.parametrize("arguments", [(), ("--no-sendfile",)], ids=["sendfile", "no sendfile"])
def test_gunicorn_serves_small_and_large(settings: Path, store: Store, uid: str, arguments: tuple[str, ...]) -> None:
    store(uid, [Row({f"m{name}": index / 7 for name in range(10)}, index, at(index)) for index in range(4000)])
    with gunicorn(settings, *arguments) as address:
        base = address + METRICS.format(uid=uid)
        with requests.Session() as session:
            session.headers["Accept-Encoding"] = "identity"
            for query, points in (("", 40000), ("?metrics=m1", 4000), ("?metrics=m1&start=5&end=6", 2)):
                response = session.get(f"{base}/data{query}")
                assert int(response.headers["Content-Length"]) == len(response.content)
                assert response.json()["total_count"] == len(response.json()["data"]) == points
            assert session.get(f"{base}/sources").json()["data_sources"] == [{"name": "log", "count": 4000}]
            head = session.head(f"{base}/data")
            assert (head.status_code, head.content) == (200, b"")
            assert session.get(f"{address}/lens/v1/workloads//metrics/data").status_code == 400


@on_one_version
def test_hundreds_of_metric_names_fit_the_request_line(settings: Path, store: Store, uid: str) -> None:
    names = [f"metric_number_{number}" for number in range(400)]
    store(uid, [Row(dict.fromkeys(names, 1))])
    with gunicorn(settings) as address:
        response = requests.get(f"{address}{METRICS.format(uid=uid)}/data?metrics={','.join(names)}", timeout=10)
        assert response.json()["total_count"] == 400


@on_one_version
def test_a_client_that_reads_slowly_holds_no_connection(settings: Path, store: Store, uid: str) -> None:
    store(uid, [Row({f"m{name}": index / 7 for name in range(50)}, index) for index in range(4000)])
    with gunicorn(settings) as address:
        host, port = address.removeprefix("http://").split(":")
        slow = [http.client.HTTPConnection(host, int(port)) for _ in range(4)]
        for connection in slow:
            connection.request("GET", METRICS.format(uid=uid) + "/data")
            assert connection.getresponse().read(1000)
        with requests.Session() as session:
            for _ in range(20):
                assert session.get(f"{address}{METRICS.format(uid=uid)}/sources").status_code == 200
        for connection in slow:
            connection.close()


@on_one_version
def test_concurrent_requests(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str
) -> None:
    # With two clusters, each of them may have half of the threads; a busy machine then refuses none of the requests.
    settings = write_settings(two_clusters(postgres) + f"\n[http]\nthreads = {2 * CLIENTS}")
    store(uid, [Row({"loss": index}, index) for index in range(500)])
    wrong: list[str] = []

    def ask(address: str) -> None:
        with requests.Session() as session:
            for _ in range(30):
                response = session.get(f"{address}{METRICS.format(uid=uid)}/data?metrics=loss")
                if response.status_code != 200 or response.json()["total_count"] != 500:
                    wrong.append(response.text)

    with gunicorn(settings) as address:
        threads = [threading.Thread(target=ask, args=(address,)) for _ in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_invalid_settings_are_reported_in_one_line(write_settings: Callable[[str], Path]) -> None:
    path = write_settings('[clusters.alpha]\ndsn = "host=db hunter2"')
    environment = {**os.environ, "LENS_PERF_CONFIG": str(path)}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", "127.0.0.1:0", "wsgi:app"]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 3
    assert f"lens_perf: {path}: clusters.alpha.dsn: expected a libpq connection string" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


def print_config(settings: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Let gunicorn print its configuration for ``settings``."""
    environment = {**os.environ, "LENS_PERF_CONFIG": str(settings), **variables}
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "--print-config", "wsgi:app"]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize(
    ("text", "variables", "threads"),
    [("", {}, 8), ("[http]\nthreads = 3\n", {}, 3), ("[http]\nthreads = 3\n", {"LENS_PERF_HTTP_THREADS": "5"}, 5)],
)
def test_the_settings_determine_the_threads_of_gunicorn(
    write_settings: Callable[[str], Path], text: str, variables: dict[str, str], threads: int
) -> None:
    printed = print_config(write_settings(f'[clusters.alpha]\ndsn = ""\n{text}'), **variables)
    assert re.findall(r"^threads +=? *(\d+)$", printed.stdout, re.MULTILINE) == [str(threads)]


@pytest.mark.parametrize(
    ("variable", "value"),
    [("LENS_PERF_HTTP_THREADS", "abc"), ("LENS_PERF_HTTP_THREADS", "0"), ("WEB_CONCURRENCY", "0")],
)
def test_an_invalid_number_of_threads_or_workers_is_reported_in_one_line(
    write_settings: Callable[[str], Path], variable: str, value: str
) -> None:
    ended = print_config(write_settings('[clusters.alpha]\ndsn = ""'), **{variable: value})
    assert ended.returncode == 3
    assert ended.stderr.startswith(f"lens_perf: {variable}: expected a whole number of at least 1: ")
    assert ended.stderr.count("\n") == 1


@contextmanager
def serve(app: Callable[..., Any]) -> Iterator[str]:
    """Serve a WSGI application from a thread of the test's process, and yield the address."""
    with make_server("127.0.0.1", 0, app, threaded=True) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def behind_a_prefix(settings: Path, prefix: str) -> Iterator[str]:
    """Serve the application under a path prefix, as a proxy would."""
    with running_app(settings) as app:
        app.wsgi_app = DispatcherMiddleware(lambda *_: [], {prefix: app.wsgi_app}) if prefix else app.wsgi_app  # type: ignore[method-assign]
        with serve(app) as address:
            yield f"{address}{prefix}"


@needs("chromium")
@on_one_version
@pytest.mark.parametrize("prefix", ["", "/behind/a/proxy"])
def test_docs_page_in_chromium(settings: Path, store: Store, uid: str, prefix: str) -> None:
    store(uid, [Row({"loss": 0.4321}, 7, at(1701734400000), "wandb")])
    with behind_a_prefix(settings, prefix) as address, open_page() as page:
        page.goto(f"{address}/lens/docs")
        expect(page.get_by_role("heading", name=re.compile("Training Performance API"))).to_be_visible()
        expect(page.locator(".info code").filter(has_text="curl")).to_contain_text(f"{address}/lens/v1/workloads/")
        try_out(page, "/lens/v1/workloads/{uid}/metrics/data", {"uid": uid, "metrics": "loss"})
        block = page.locator(".opblock.is-open")
        expect(block.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
        expect(block.locator(".live-responses-table .highlight-code").first).to_contain_text("0.4321")
        expect(block.locator(".request-url")).to_contain_text(f"{address}/lens/v1/workloads/{uid}/metrics/data")
        assert page.locator("img[alt='Online validator badge']").count() == 0


def try_out(page: Page, path: str, parameters: dict[str, str]) -> None:
    """Expand the endpoint, fill in its parameters, and send the request."""
    page.locator(f'.opblock-get .opblock-summary-path[data-path="{path}"]').click()
    block = page.locator(".opblock.is-open")
    block.get_by_role("button", name="Try it out").click()
    for row in block.locator("tr[data-param-name]").all():
        field = row.locator("input[type=text], select").first
        name = row.get_attribute("data-param-name") or ""
        if field.count() and field.evaluate("field => field.tagName") == "INPUT":
            field.fill(parameters.get(name, ""))
    block.get_by_role("button", name="Execute").click()


@on_one_version
def test_docs_page_loads_nothing_inline(settings: Path) -> None:
    with running_app(settings) as app, app.test_client().get("/lens/docs") as response:
        text = response.text
    assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", text)


def test_the_reader_role_may_not_write(postgres18: EmbeddedPostgres) -> None:
    psql = [str(postgres18.bin_dir / "psql"), "-X", postgres18.dsn("alpha", READER), "-c"]
    ended = subprocess.run(
        [*psql, "INSERT INTO training_performance DEFAULT VALUES"], capture_output=True, text=True, check=False
    )
    assert "permission denied" in ended.stderr
