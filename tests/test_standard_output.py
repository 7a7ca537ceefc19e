"""Standard output that cannot be written: one line on standard error, a status, and no token without an owner."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lens_perf.access.token_file import create_token, load_tokens
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, at, insert_rows

FULL, CLOSED = ">/dev/full", ">&-"
REASONS = {FULL: "No space left on device", CLOSED: "it is closed"}
redirections = pytest.mark.parametrize("redirection", REASONS, ids=["full", "closed"])


@pytest.fixture
def config(write_settings: Callable[[str], Path]) -> Path:
    cluster = "[clusters.alpha]\ndsn = '''host=/nowhere'''\n"
    return write_settings(f"{cluster}[access]\ntoken_file = 'tokens.toml'\n[columns]\ndirectory = 'copies'\n")


@pytest.fixture
def workload(postgres18: EmbeddedPostgres, config: Path, uid: str) -> str:
    """A workload whose data points take more than the buffers of a stream."""
    dsn = postgres18.dsn("alpha")
    config.write_text(config.read_text("utf-8").replace("host=/nowhere", dsn), "utf-8")
    insert_rows(dsn, uid, [Row({"loss": number}, number, at(number)) for number in range(2000)])
    return uid


@pytest.fixture
def run(config: Path) -> Callable[..., tuple[int, str]]:
    """Run a command with a redirection in a shell; return the exit status and standard error."""

    def start(words: str, redirection: str, variables: Mapping[str, str] | None = None) -> tuple[int, str]:
        environment = {**os.environ, "LENS_PERF_CONFIG": str(config), "PYTHONUNBUFFERED": "", **(variables or {})}
        command = f"{shlex.quote(sys.executable)} -m lens_perf {words} {redirection}"
        ended = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command], env=environment, stderr=subprocess.PIPE, text=True, check=False
        )
        return ended.returncode, ended.stderr

    return start


@redirections
def test_output_that_cannot_be_written(workload: str, run: Callable[..., tuple[int, str]], redirection: str) -> None:
    failure = (1, f"lens-perf: standard output: {REASONS[redirection]}\n")
    for words in ("--help", "workloads", f"export {workload}", f"export {workload} --format parquet"):
        assert run(words, redirection) == failure, words
    assert run("columns list", redirection, {"PYTHONUNBUFFERED": "1"}) == failure


@redirections
def test_output_before_an_error(run: Callable[..., tuple[int, str]], config: Path, redirection: str) -> None:
    """Of a command that prints something, and then cannot read the token file."""
    status, lines = run("check-config", redirection)
    reason, failure = lines.splitlines()
    assert reason.startswith(f"lens-perf: {config.parent / 'tokens.toml'}: cannot be read")
    assert (status, failure) == (1, f"lens-perf: standard output: {REASONS[redirection]}")


@pytest.mark.parametrize("redirection", [FULL, CLOSED, "| true"])
def test_a_token_whose_secret_cannot_be_printed(
    run: Callable[..., tuple[int, str]], config: Path, redirection: str
) -> None:
    path = config.parent / "tokens.toml"
    create_token(path, "kept", [])
    failure = (1, "lens-perf: standard output cannot be written, so no token was created\n")
    assert run("token create lost", redirection) == failure
    assert [token.name for token in load_tokens(path)] == ["kept"]
    assert run("token create lost", ">/dev/null")[0] == 0


def test_a_reader_that_ends_early_is_no_failure(workload: str, run: Callable[..., tuple[int, str]]) -> None:
    assert run(f"export {workload}", "| head -n 1 >/dev/null") == (0, "")


@pytest.mark.parametrize("words", ["workloads", "show", "export"])
def test_characters_that_the_encoding_lacks(
    config: Path, workload: str, postgres18: EmbeddedPostgres, words: str
) -> None:
    uid = f"{workload}→"
    insert_rows(postgres18.dsn("alpha"), uid, [Row({"loss→": 1.5}, 1, at(1))])
    environment = {**os.environ, "LENS_PERF_CONFIG": str(config), "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "lens_perf", words, *([uid] if words != "workloads" else ["--search", workload])]
    ended = subprocess.run(command, env=environment, capture_output=True, check=True)
    if words == "export":
        assert "loss→" in ended.stdout.decode("utf-8"), "data points are always UTF-8"
    else:
        assert rf"{workload}\u2192" in ended.stdout.decode("ascii")
