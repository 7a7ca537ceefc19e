"""Real gunicorn with a damaged token file while its workers are replaced: a revoked token remains revoked."""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from lens_perf.access.token_file import create_token, revoke_token
from tests.access.damages import DAMAGES, fill_with_noise, remove
from tests.benchmarks.gunicorn_process import GunicornProcess, run_gunicorn
from tests.chaos.world import list_children
from tests.conftest import strict_json
from tests.faults import wait_until
from tests.instrumentation.exposition import value_of

# Lists the configured clusters, and connects to none.
GUARDED = "/lens/v1/clusters"
SETTINGS = '[clusters.alpha]\ndsn = "host=/nonexistent"\n[access]\ntoken_file = "tokens.toml"\n'


@dataclass(frozen=True)
class Served:
    """A running gunicorn, its token file, and its error log."""

    service: GunicornProcess
    tokens: Path
    errors: Path

    def get(self, path: str, secret: str | None = None) -> requests.Response:
        headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
        return requests.get(f"http://127.0.0.1:{self.service.port}{path}", headers=headers, timeout=10)

    def workers(self) -> set[int]:
        return set(list_children(self.service.pid))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("damaged")
    settings, tokens, errors = (directory / name for name in ("lens_perf.toml", "tokens.toml", "errors"))
    settings.write_text(SETTINGS)
    create_token(tokens, "of-the-start", [])
    with run_gunicorn("wsgi:app", {"LENS_PERF_CONFIG": str(settings)}, errors=errors) as service:
        yield Served(service, tokens, errors)


@pytest.fixture
def path(served: Served) -> Iterator[Path]:
    """The service's token file, valid at first."""
    yield served.tokens
    remove(served.tokens)
    create_token(served.tokens, "after", [])


def status(served: Served, secret: str) -> int:
    """Return the status of a request that needs a token, 0 if the worker dropped the connection."""
    try:
        return served.get(GUARDED, secret).status_code
    except requests.ConnectionError:
        return 0


def statuses(served: Served, secret: str) -> set[int]:
    """Return the statuses of enough requests for each worker to answer some."""
    return {status(served, secret) for _ in range(20)}


def kill_workers(served: Served) -> None:
    for worker in served.workers():
        os.kill(worker, signal.SIGKILL)


def reload(served: Served) -> None:
    os.kill(served.service.pid, signal.SIGHUP)


def replace_workers(served: Served, replace: Callable[[Served], None]) -> None:
    before = served.workers()
    replace(served)
    wait_until(lambda: len(served.workers()) == 2 and not served.workers() & before)
    wait_until(lambda: status(served, "none") == 401)


@pytest.mark.parametrize(("how", "replace"), [*((how, kill_workers) for how in DAMAGES), ("cut off", reload)])
def test_no_replaced_worker_accepts_a_revoked_token(
    served: Served, path: Path, how: str, replace: Callable[[Served], None]
) -> None:
    name = f"{how}-{replace.__name__}".replace(" ", "-")
    revoked, kept = create_token(path, f"{name}-revoked", []), create_token(path, f"{name}-kept", [])
    wait_until(lambda: statuses(served, revoked) == {200})
    revoke_token(path, f"{name}-revoked")
    wait_until(lambda: status(served, revoked) == 401)
    DAMAGES[how](path)
    replace_workers(served, replace)
    assert statuses(served, revoked) == {401}
    assert statuses(served, kept) == {200}


def test_a_new_file_is_used_as_soon_as_it_is_valid(served: Served, path: Path) -> None:
    fill_with_noise(path)
    replace_workers(served, kill_workers)
    path.unlink()
    secret = create_token(path, "new", [])
    wait_until(lambda: statuses(served, secret) == {200})


def test_metric_and_log_report_an_invalid_file(served: Served, path: Path) -> None:
    secret = create_token(path, "for-each-worker", [])
    wait_until(lambda: statuses(served, secret) == {200})
    assert value_of(served.get("/metrics").text, "lens_perf_token_file_unreadable") == 0
    already = len(served.errors.read_text("ascii").splitlines())
    fill_with_noise(path)
    # No request but the scrape is needed to notice.
    wait_until(lambda: value_of(served.get("/metrics").text, "lens_perf_token_file_unreadable") == 1)
    lines = [strict_json(line) for line in served.errors.read_text("ascii").splitlines()[already:]]
    logged = [(line["level"], line["message"]) for line in lines if line["logger"] == "lens_perf.access.current_tokens"]
    assert (
        "ERROR",
        f"{path}: is not valid TOML; its last valid content is used until it can be read",
    ) in logged
