"""Faults by exhaustion: full memory file systems and temporary directories, connections that never send a request."""

import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import requests

from tests.benchmarks.gunicorn_process import GunicornProcess, run_gunicorn
from tests.chaos.finding import Finding
from tests.chaos.world import MIDDLE, SMALL, World, list_children
from tests.faults import wait_until

PROMPT = 2.0
LARGE_ANSWER = 60.0
FILLER = "filler"


@contextmanager
def small_file_system(mib: int) -> Iterator[Path]:
    """Mount a memory file system of ``mib`` MiB. Raises OSError if that is not allowed."""
    with tempfile.TemporaryDirectory(prefix="lens") as directory:
        command = ["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=1777", "tmpfs", directory]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            raise OSError("a memory file system cannot be mounted: this takes root")
        try:
            yield Path(directory)
        finally:
            subprocess.run(["umount", "--lazy", directory], check=True)


def fill_up(directory: Path) -> None:
    """Fill the file system completely."""
    with (directory / FILLER).open("wb", buffering=0) as filler:
        for size in (2**20, 4096):
            try:
                while filler.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


def fill_shared_memory(world: World) -> Finding:
    """Fill /dev/shm, where the metrics of several processes are often kept, and replace workers under load."""
    finding = Finding("full /dev/shm", PROMPT)
    try:
        with small_file_system(1) as directory:
            fill_up(directory)
            variables = {"PROMETHEUS_MULTIPROC_DIR": str(directory), "LENS_PERF_CONFIG": str(world.settings)}
            with run_gunicorn("wsgi:app", variables) as service:
                _replace_workers(_beside(world, service), service, finding)
            left = sorted(path.name for path in directory.iterdir())
            finding.expect(left == [FILLER], f"files left: {left[:3]}")
    except OSError as obstacle:
        finding.skipped = str(obstacle)
    return finding


def _beside(world: World, service: GunicornProcess) -> World:
    return replace(world, address=f"http://127.0.0.1:{service.port}", service=service)


def _replace_workers(world: World, service: GunicornProcess, finding: Finding) -> None:
    with world.load(4, SMALL, "alpha") as answers:
        for _ in range(5):
            before = set(list_children(service.pid))
            os.kill(service.pid, signal.SIGHUP)
            wait_until(lambda before=before: len(set(list_children(service.pid)) - before) >= 2)  # type: ignore[misc]
            finding.tried += 1
    world.judge(finding, answers)
    # A worker that stops may close a kept-alive connection at the moment of its next use.
    failed = [answer.status for answer in answers if answer.status not in {0, 200}]
    finding.expect(not failed, f"failed: {failed[:5]}")
    finding.notes = [f"{len(answers)} requests"]
    counted = requests.get(f"{world.address}/metrics", timeout=PROMPT).text
    finding.expect("lens_perf_requests_total" in counted, "no metrics")
    world.recover(finding, "alpha")


def fill_temporary_directory(world: World) -> Finding:
    """Fill the temporary directory: large answers fail, small ones succeed, and all do once there is space."""
    finding = Finding("full temporary directory", LARGE_ANSWER)
    try:
        with small_file_system(64) as directory:
            variables = {"TMPDIR": str(directory), "LENS_PERF_CONFIG": str(world.settings)}
            with run_gunicorn("wsgi:app", variables) as service:
                _meet_no_room(_beside(world, service), directory, finding)
    except OSError as obstacle:
        finding.skipped = str(obstacle)
    return finding


def _meet_no_room(world: World, directory: Path, finding: Finding) -> None:
    world.ask_at_once(4, SMALL, "alpha")
    fill_up(directory)
    for _ in range(3):
        large = world.ask_at_once(4, MIDDLE, "alpha")
        small = world.ask_at_once(8, SMALL, "alpha")
        world.judge(finding, [*large, *small])
        finding.tried += len(large)
        finding.expect(all(answer.status == 503 for answer in large), "a large answer that was not 503")
        finding.expect(all(answer.status == 200 for answer in small), "a small answer that was not 200")
    held = [name for pid in list_children(world.service.pid) for name in _deleted_files(pid) if str(directory) in name]
    # gunicorn's own, one for each worker.
    finding.expect(len([name for name in held if "wgunicorn" not in name]) == 0, f"files held open: {held[:3]}")
    (directory / FILLER).unlink()
    answers = [world.ask(MIDDLE, "alpha")]
    world.judge(finding, answers)
    finding.expect(answers[0].status == 200, "no large answer with room again")
    world.recover(finding, "alpha")


def _deleted_files(pid: int) -> Iterator[str]:
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = str(link.readlink())
        if target.endswith("(deleted)"):
            yield target


HEAD = f"GET {SMALL} HTTP/1.1\r\nHost: x\r\n".encode()
HALVES: Mapping[str, bytes] = {
    "silent": b"",
    "half a line": HEAD[:20],
    "half a head": HEAD,
    "half a body": HEAD.replace(b"GET", b"POST") + b"Content-Length: 1000\r\n\r\nmetrics=",
    "half a chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nff\r\nhalf",
    "closed and held": HEAD + b"Connection: close\r\n\r\n",
}


def send_halves(world: World) -> Finding:
    """Hold 100 incomplete requests of each kind, and measure complete requests and probes meanwhile."""
    finding = Finding("half-sent requests", PROMPT)
    url = urlsplit(world.address)
    for sent in HALVES.values():
        with ExitStack() as held:
            for _ in range(100):
                client = held.enter_context(closing(socket.create_connection((url.hostname, url.port), timeout=PROMPT)))
                client.sendall(sent)
                finding.tried += 1
            answers = world.ask_at_once(8, SMALL, "alpha") + world.ask_at_once(8, SMALL, "alpha")
            world.judge(finding, answers)
            finding.expect(all(answer.status == 200 for answer in answers), "whole requests that were not answered")
            for path in ("/healthz", "/metrics"):
                probe = requests.get(world.address + path, timeout=30)
                finding.worst = max(finding.worst, probe.elapsed.total_seconds())
                finding.expect(probe.status_code == 200, f"{path} was not answered")
        world.recover(finding, "alpha")
    return finding


EXHAUSTION: Mapping[str, Callable[[World], Finding]] = {
    "full-shared-memory": fill_shared_memory,
    "full-temporary-directory": fill_temporary_directory,
    "half-sent-requests": send_halves,
}
