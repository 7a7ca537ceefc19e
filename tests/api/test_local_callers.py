"""Without tokens, callers on other machines are refused, regardless of the server and of forwarded headers."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import running_app, two_clusters
from tests.test_serving import ROOT, free_port, wait_for


@pytest.fixture
def settings(postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Path:
    return write_settings(two_clusters(postgres18))


def own_address() -> str:
    """Return an address of this machine that is not loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host: str = probe.getsockname()[0]
        return host


@pytest.mark.parametrize("preload", [[], ["--preload"]], ids=["", "preload"])
def test_the_rule_holds_without_the_settings_of_gunicorn(settings: Path, preload: list[str]) -> None:
    """Without ``-c``, nothing checks the address at the start, so each request is checked."""
    port, elsewhere = free_port(), own_address()
    path = "/lens/v1/workloads/w/metrics/sources"
    command = [sys.executable, "-m", "gunicorn", *preload, "-b", f"0.0.0.0:{port}", "-b", "[::]:0", "wsgi:app"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "LENS_PERF_CONFIG": str(settings)}) as process:
        try:
            wait_for(port)
            for forged in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"Host": "127.0.0.1"}):
                answer = requests.get(f"http://{elsewhere}:{port}{path}", headers=forged, timeout=10)
                assert answer.status_code == 403
                assert "access.open_without_tokens" in answer.json()["message"]
                assert requests.get(f"http://{elsewhere}:{port}/lens/v1/clusters", timeout=10).status_code == 403
            assert requests.get(f"http://{elsewhere}:{port}/healthz", timeout=10).status_code == 200
            assert requests.get(f"http://127.0.0.1:{port}{path}", timeout=10).status_code == 200
        finally:
            process.terminate()


@pytest.mark.parametrize(
    ("peer", "served"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True), ("", True),
     ("<local>", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("0.0.0.0", False), ("localhost.evil", False),
     ("unknown", False)],
)  # fmt: skip
@pytest.mark.parametrize("proxies", [0, 1])
def test_callers_on_other_machines_need_tokens(
    write_settings: Callable[[str], Path], peer: str, served: bool, proxies: int
) -> None:
    text = f'[http]\ntrusted_proxies = {proxies}\n[clusters.alpha]\ndsn = "host=/nonexistent"'
    with running_app(write_settings(text)) as app:
        for path in ("/lens/v1/workloads/w/metrics/sources", "/lens/v1/clusters"):
            # X-Forwarded-For changes nothing: only the address of the connection counts.
            headers = {"X-Forwarded-For": "10.0.0.1" if served else "127.0.0.1"} if proxies else {}
            response = app.test_client().get(path, environ_base={"REMOTE_ADDR": peer}, headers=headers)
            assert (response.status_code != 403) is served
            assert response.status_code in {200, 403, 503}
            assert response.headers["Cache-Control"] in {"no-store", "private, no-cache"}
