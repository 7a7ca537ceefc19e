"""Tokens in the API: which requests need one, and what a limited token can read; also in gunicorn after a reload."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import expect

from lens_perf.access.current_tokens import SharedContent
from lens_perf.access.token_file import create_token, revoke_token
from lens_perf.app import REGISTRY
from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import running_app, two_clusters
from tests.faults import wait_until
from tests.front.programs import needs
from tests.test_serving import ROOT, gunicorn, try_out
from tests.web_browser import open_page

SOURCES = "/lens/v1/workloads/w/metrics/sources"
ENDPOINTS = ["sources", "available", "data", "iteration-times"]


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return tmp_path / "tokens.toml"


@pytest.fixture
def everything(tokens: Path) -> str:
    return create_token(tokens, "everything", [])


@pytest.fixture
def limited(tokens: Path) -> str:
    return create_token(tokens, "limited", ["beta"])


@pytest.fixture
def stale(tokens: Path) -> str:
    """A token for a cluster that the settings no longer have."""
    return create_token(tokens, "stale", ["beta", "removed"])


@pytest.fixture
def settings(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], everything: str, limited: str, stale: str
) -> Path:
    return write_settings(two_clusters(postgres18) + '\n[access]\ntoken_file = "tokens.toml"')


@pytest.fixture
def app(settings: Path) -> Iterator[Flask]:
    with running_app(settings) as app:
        yield app


def ask(client: FlaskClient, path: str, secret: str | None, scheme: str = "Bearer") -> tuple[int, str]:
    headers = {} if secret is None else {"Authorization": f"{scheme} {secret}"}
    response = client.get(path, headers=headers)
    return response.status_code, (response.json or {}).get("message", "")


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_token_is_needed(client: FlaskClient, everything: str, endpoint: str) -> None:
    path = f"/lens/v1/workloads/w/metrics/{endpoint}"
    assert ask(client, path, everything)[0] == 200
    assert ask(client, path, everything, "bearer")[0] == 200
    refused = client.get(path)
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.headers["Cache-Control"] == "no-store"
    for secret in ("", "lens_wrong", everything[:-1], everything + "x", "ü", "\udcff"):
        header = f"Bearer {secret}".encode("utf-8", "surrogatepass").decode("latin-1")
        refused = client.get(path, headers={"Authorization": header})
        assert refused.status_code == 401
        assert refused.headers["WWW-Authenticate"] == ('Bearer error="invalid_token"' if secret else "Bearer")
    assert ask(client, path, everything, "Basic")[0] == 401


@pytest.mark.parametrize(
    "path", ["/lens/v1//workloads/w/metrics/sources", "/lens/v1/workloads/w/metrics/sources/", "/lens/v1/workloads/"]
)
def test_paths_without_a_rule_need_no_token(client: FlaskClient, path: str) -> None:
    assert ask(client, path, None)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/lens/v1/workloads//metrics/sources", "/lens/v1/workloads/%2e%2e/metrics/sources",
        "/lens/v1/workloads/w/metrics/data?metrcs=x", "/lens/v1/workloads/w/metrics/sources?cluster=nix",
        "/%6cens/v1/workloads/w/metrics/sources",
    ],
)  # fmt: skip
def test_responses_without_a_token_say_nothing_about_the_request(client: FlaskClient, path: str) -> None:
    assert ask(client, path, None) == (401, "A token is required: send Authorization: Bearer TOKEN")
    assert client.head(path).status_code == 401


def test_pages_and_probes_need_no_token(client: FlaskClient) -> None:
    for path in ("/lens/docs", "/lens/openapi.json", "/healthz", "/metrics"):
        with client.get(path) as response:
            assert response.status_code == 200
    assert client.options(SOURCES).status_code == 200
    spec = client.get("/lens/openapi.json").json
    assert spec
    assert spec["components"]["securitySchemes"]["token"] == {"type": "http", "scheme": "bearer"}


def test_a_limited_token_reveals_nothing_about_other_clusters(client: FlaskClient, app: Flask, limited: str) -> None:
    assert ask(client, f"{SOURCES}?cluster=beta", limited)[0] == 200
    words = (403, "The token may not read this cluster")
    for query in ("", "?cluster=", "?cluster=alpha", "?cluster=nix", "?cluster=unreachable", "?cluster=beta%20"):
        assert ask(client, SOURCES + query, limited) == words
    # The first cluster is checked; then a repeated parameter is an error.
    assert ask(client, f"{SOURCES}?cluster=alpha&cluster=beta", limited) == words
    assert ask(client, f"{SOURCES}?cluster=beta&cluster=alpha", limited)[0] == 400
    assert app.extensions[REGISTRY]._clusters["alpha"].pool._pool.checkedin() == 0


def test_an_unknown_cluster_lists_those_of_the_token(client: FlaskClient, everything: str, stale: str) -> None:
    status, message = ask(client, f"{SOURCES}?cluster=removed", everything)
    assert (status, message.startswith('Unknown cluster "removed"; expected one of alpha, beta, ')) == (400, True)
    assert ask(client, f"{SOURCES}?cluster=removed", stale) == (400, 'Unknown cluster "removed"; expected one of beta')


def test_all_requests_are_refused_while_tokens_cannot_be_checked(
    settings: Path, tokens: Path, everything: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_app(settings) as app:
        tokens.write_text("[tokens")
        # The state after a process was killed while writing.
        monkeypatch.setattr(SharedContent, "read", lambda _: None)
        refused = app.test_client().get(SOURCES, headers={"Authorization": f"Bearer {everything}"})
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert "cannot read its token file" in (refused.json or {})["message"]
        assert str(tokens) not in refused.text
        assert app.test_client().get("/healthz").status_code == 200


def test_the_run_table_leaves_out_what_a_limited_token_may_not_read(client: FlaskClient, limited: str) -> None:
    path = "/lens/v1/workloads/summary?metrics=loss"
    assert ask(client, path, None)[0] == 401
    assert ask(client, f"{path}&cluster=alpha", limited) == (403, "The token may not read this cluster")
    answer = client.get(path, headers={"Authorization": f"Bearer {limited}"}).json or {}
    assert {each["cluster"] for each in [*answer["workloads"], *answer["warnings"]]} <= {"beta"}


def test_the_command(settings: Path, client: FlaskClient) -> None:
    def run(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["token", *arguments, "--config", str(settings)], catch_exceptions=False)
        return result.exit_code, result.stdout.strip()

    status, secret = run("create", "new", "--cluster", "alpha")
    assert status == 0
    assert run("list")[1].splitlines()[-1].startswith("new  20")
    assert run("list")[1].endswith("alpha")
    assert secret not in run("list")[1]
    assert run("create", "new")[0] == 2
    assert run("create", "other", "--cluster", "nix")[0] == 2
    assert run("revoke", "new") == (0, "")
    assert run("revoke", "new")[0] == 2


def test_without_a_token_file_there_is_nothing_to_manage(write_settings: Callable[[str], Path]) -> None:
    path = write_settings('[clusters.a]\ndsn = "host=x"')
    result = CliRunner().invoke(main, ["token", "list", "--config", str(path)])
    assert result.exit_code == 2
    assert "this service uses no tokens" in result.output


def test_a_reload_accepts_new_tokens_and_refuses_revoked_ones(settings: Path, tokens: Path, everything: str) -> None:
    def status(address: str, secret: str) -> int:
        try:
            return requests.get(
                address + SOURCES, headers={"Authorization": f"Bearer {secret}"}, timeout=10
            ).status_code
        except requests.ConnectionError:
            return 0

    with gunicorn(settings) as address:
        assert status(address, everything) == 200
        new = create_token(tokens, "new", [])
        revoke_token(tokens, "everything")
        port = int(address.rpartition(":")[2])
        (master,) = [process.pid for process in psutil.Process().children() if f"127.0.0.1:{port}" in process.cmdline()]
        psutil.Process(master).send_signal(signal.SIGHUP)
        wait_until(lambda: status(address, new) == 200)
        wait_until(lambda: status(address, everything) == 401)


@pytest.mark.parametrize(("access", "serves"), [("", False), ("\n[access]\nopen_without_tokens = true", True)])
def test_other_addresses_need_tokens(
    postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path], access: str, serves: bool
) -> None:
    settings = write_settings(two_clusters(postgres18) + access)
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", "0.0.0.0:0", "wsgi:app"]
    environment = {"LENS_PERF_CONFIG": str(settings), "WEB_CONCURRENCY": "1", "PATH": ""}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        if serves:
            assert any("Listening at" in line for line in process.stderr)
            process.terminate()
            return
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 3
    assert errors.splitlines()[-1].startswith("lens_perf: anyone who can reach this address could read every workload")
    assert "Traceback" not in errors


@needs("chromium")
def test_the_docs_page_sends_a_token(settings: Path, limited: str) -> None:
    with gunicorn(settings) as address, open_page() as page:
        page.goto(f"{address}/lens/docs")
        page.locator(".btn.authorize").click()
        page.locator(".auth-container input").fill(limited)
        page.locator(".auth-btn-wrapper .authorize").click()
        page.locator(".auth-btn-wrapper .btn-done").click()
        with page.expect_response("**/metrics/sources*") as answered:
            try_out(page, "/lens/v1/workloads/{uid}/metrics/sources", {"uid": "w", "cluster": "beta"})
        assert answered.value.status == 200
        # The page does not store it.
        page.goto(f"{address}/lens/docs")
        page.locator(".btn.authorize").click()
        expect(page.locator(".auth-container input")).to_have_value("")
