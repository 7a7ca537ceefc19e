"""The demo's gunicorn: a child process that ends with the block that started it."""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from lens_perf.config import CONFIG_VARIABLE, VARIABLE_PREFIX
from lens_perf.errors import LensError

HOST = "127.0.0.1"
ANSWER_SECONDS = 30.0
STOP_SECONDS = 10.0


@contextmanager
def run_gunicorn(port: int, settings: Path, config: Path | None, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve ``settings`` on 127.0.0.1:``port`` until the block ends, in its own session, which Ctrl-C does not reach.

    ``config`` is gunicorn's settings file; its output goes to ``log``.
    """
    options = ["-c", str(config)] if config else []
    command = [sys.executable, "-m", "gunicorn", *options, "-b", f"{HOST}:{port}", "lens_perf.wsgi:app"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(VARIABLE_PREFIX)}
    environment[CONFIG_VARIABLE] = str(settings)
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - the arguments are the user's own
            command, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        yield process
    finally:
        _stop_session(process)


def await_answer(gunicorn: subprocess.Popen[bytes], port: int, path: str) -> bool:
    """Wait until ``path`` is answered with 200; return False if gunicorn ends before that.

    Raises LensError after ``ANSWER_SECONDS`` without an answer.
    """
    deadline = time.monotonic() + ANSWER_SECONDS
    while gunicorn.poll() is None:
        if _answers(port, path):
            return True
        if time.monotonic() > deadline:
            raise LensError(f"The service did not answer in {ANSWER_SECONDS:g} s; see the log of gunicorn")
        time.sleep(0.1)
    return False


def _answers(port: int, path: str) -> bool:
    with closing(http.client.HTTPConnection(HOST, port, timeout=2)) as connection:
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _stop_session(process: subprocess.Popen[bytes]) -> None:
    """Stop gunicorn; if that takes too long, kill it and its workers."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
