"""Runs an application under gunicorn with the project's own settings, and reads the memory of its workers."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 30
STOP_SECONDS = 15
# proc(5): writing 5 to clear_refs sets VmHWM, the peak of the resident memory, back to what is resident now.
RESET_PEAK = "5"


@dataclass(frozen=True)
class GunicornProcess:
    """A running gunicorn: its port, and the process id of its arbiter."""

    port: int
    pid: int

    def reset_peaks(self) -> dict[int, int]:
        """Reset the workers' peak memory and return their current memory in KiB by process id."""
        for worker in self._workers():
            Path(f"/proc/{worker}/clear_refs").write_text(RESET_PEAK, "ascii")
        return self.peaks()

    def peaks(self) -> dict[int, int]:
        """Return each worker's peak memory since the last reset, in KiB by process id."""
        return {worker: read_peak(worker) for worker in self._workers()}

    def _workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text("ascii")
        return [int(child) for child in children.split()]


@contextmanager
def run_gunicorn(
    application: str, variables: Mapping[str, str], port: int | None = None, errors: Path = Path(os.devnull)
) -> Iterator[GunicornProcess]:
    """Run ``application``, a ``module:name``, on a port of 127.0.0.1, or a free one, until the block ends.

    Its error log is written to the file ``errors``.
    Raises RuntimeError if it does not start.
    """
    port = port or _find_port()
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", f"127.0.0.1:{port}"]
    with errors.open("wb") as stderr:
        process = subprocess.Popen(
            [*command, application],
            cwd=ROOT,
            env={**_clean_environment(), **variables},
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            # Ctrl-C reaches only this program, which then stops gunicorn.
            start_new_session=True,
        )
    try:
        _await_start(process, port)
        yield GunicornProcess(port, process.pid)
    finally:
        _stop(process)


def _clean_environment() -> dict[str, str]:
    """Return the environment without settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LENS_PERF_")}


def _find_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await_start(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"gunicorn did not start: {' '.join(map(str, process.args))}")  # type: ignore[arg-type]  # a list


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        # The workers notice that their parent is gone, and end.
        process.kill()
        process.wait()


def read_peak(pid: int) -> int:
    """Return the peak of a process's resident memory in KiB."""
    status = Path(f"/proc/{pid}/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1])
