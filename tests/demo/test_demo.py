"""The whole demo as a newcomer uses it: started, queried, stopped."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import requests
from playwright.sync_api import expect

from lens_perf.demo.server import check_port, name_workloads
from lens_perf.errors import ImportInputError, LensError
from tests.faults import wait_until
from tests.front.programs import needs
from tests.web.pages import check_access, wait_for_charts
from tests.web_browser import open_page

START_SECONDS = 90
STOP_SECONDS = 30
READY = "Press Ctrl-C to stop"

StartDemo = Callable[..., "RunningDemo"]


class RunningDemo:
    """A demo in its own process group, as a terminal starts it, with its output in a file."""

    def __init__(self, directory: Path, *data: Path, port: int | None = None) -> None:
        self.port = port or find_free_port()
        self.directory = directory
        self.output_file = directory.parent / f"{directory.name}.out"
        command = [sys.executable, "-m", "lens_perf", "demo", "--port", str(self.port)]
        with self.output_file.open("wb") as output:
            self.process = subprocess.Popen(
                [*command, "--directory", str(directory), *map(str, data)],
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )

    @property
    def output(self) -> str:
        return self.output_file.read_text("utf-8")

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in self.output:
            assert self.process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def descendants(self) -> list[psutil.Process]:
        """Return the processes of the demo: its children, and those that use its directory."""
        children = psutil.Process(self.process.pid).children(recursive=True) if self.process.poll() is None else []
        servers = [each for each in psutil.process_iter() if str(self.directory) in " ".join(command_line(each))]
        return [each for each in {*children, *servers} if each.pid != self.process.pid and is_alive(each)]

    def wait_for_descendants(self) -> None:
        """Wait until there are none: the kernel may still be ending the last processes of a server that has ended."""
        wait_until(lambda: self.descendants() == [])

    def press_ctrl_c(self) -> int:
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(STOP_SECONDS)


def command_line(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return []
    return words


def is_alive(process: psutil.Process) -> bool:
    # A zombie, as in a container without an init process, has ended.
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def directory() -> Iterator[Path]:
    # Short, because the path of a Unix socket may have only 107 bytes.
    parent = Path(tempfile.mkdtemp(prefix="lens", dir="/tmp"))
    yield parent / "demo"
    shutil.rmtree(parent, ignore_errors=True)


@pytest.fixture
def start_demo(directory: Path) -> Iterator[StartDemo]:
    demos: list[RunningDemo] = []

    def start(*data: Path, **options: int) -> RunningDemo:
        demos.append(RunningDemo(directory, *data, **options))
        return demos[-1]

    yield start
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(STOP_SECONDS)


def read_points(url: str) -> int:
    answer = requests.get(url, timeout=10)
    assert answer.status_code == 200, answer.text
    count: int = answer.json()["total_count"]
    return count


def test_serves_live_data_until_ctrl_c(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for(READY)
    urls = re.findall(r'curl .*"(http[^"]+)"', demo.output)
    assert len(urls) >= 4
    for url in [*urls, f"http://127.0.0.1:{demo.port}/lens/docs"]:
        assert requests.get(url, timeout=10).status_code == 200, url

    assert list((demo.directory / "columns").glob("*/manifest")), "copies are in the directory of the demo"
    growing = [url for url in urls if "start=" in url]
    before = [read_points(url) for url in growing]
    time.sleep(3)
    after = [read_points(url) for url in growing]
    assert len(growing) == 2
    assert all(now > then for then, now in zip(before, after, strict=True))

    started = demo.descendants()
    assert started
    assert demo.press_ctrl_c() == 0
    assert "Traceback" not in demo.output
    assert [each for each in started if is_alive(each)] == []
    demo.wait_for_descendants()


@needs("chromium")
def test_the_dashboard_follows_the_live_workloads(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for(READY)
    with open_page() as page:
        page.goto(f"http://127.0.0.1:{demo.port}/lens/")
        expect(page.locator("#workload-count")).to_have_text("2 of 2")
        expect(page.locator("#workloads .running")).to_have_count(2)
        page.get_by_role("button", name="Select all 2").click()
        wait_for_charts(page)
        expect(page).to_have_title(re.compile("^2 running"))
        rows = page.locator("#runs tr.of-run")
        expect(rows.get_by_text("Running")).to_have_count(2)
        expect(page.locator("figure.chart canvas").first).to_be_visible()
        iterations = rows.first.locator("td").nth(1)
        before = iterations.inner_text()
        expect(iterations).not_to_have_text(before, timeout=30_000)
        check_access(page)


@pytest.mark.parametrize("moment", ["Starting PostgreSQL", "Trained spiral-adam"])
def test_ctrl_c_during_the_start_stops_everything(start_demo: StartDemo, moment: str) -> None:
    interrupted = start_demo()
    interrupted.wait_for(moment)
    time.sleep(0.3)
    assert interrupted.press_ctrl_c() == 0
    assert "Traceback" not in interrupted.output
    interrupted.wait_for_descendants()

    again = start_demo()
    again.wait_for(READY)
    assert again.press_ctrl_c() == 0


def test_ends_with_gunicorn(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for(READY)
    (gunicorn,) = [each for each in psutil.Process(demo.process.pid).children() if "gunicorn" in command_line(each)]
    gunicorn.kill()
    assert demo.process.wait(STOP_SECONDS) == 128 + signal.SIGKILL
    assert "gunicorn ended by itself" in demo.output
    assert "Traceback" not in demo.output
    # Workers notice the end of their master within a second.
    _, alive = psutil.wait_procs(demo.descendants(), timeout=5)
    assert alive == []


def test_ends_with_the_database(start_demo: StartDemo) -> None:
    demo = start_demo()
    demo.wait_for(READY)
    postmaster = int(next(demo.directory.glob("postgres-*/postmaster.pid")).read_text("utf-8").splitlines()[0])
    os.kill(postmaster, signal.SIGQUIT)
    assert demo.process.wait(STOP_SECONDS) == 1
    assert "PostgreSQL ended" in demo.output
    assert "Traceback" not in demo.output
    demo.wait_for_descendants()


def test_a_port_in_use_is_reported_before_anything_starts(start_demo: StartDemo) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(LensError, match=f"Port {port} .* PORT="):
            check_port(port)
        demo = start_demo(port=port)
        assert demo.process.wait(STOP_SECONDS) == 2
    assert f"Port {port}" in demo.output
    assert not demo.directory.exists()


def test_an_unreadable_file_is_reported_before_anything_starts(start_demo: StartDemo, tmp_path: Path) -> None:
    demo = start_demo(tmp_path / "missing.log")
    assert demo.process.wait(STOP_SECONDS) == 2
    assert "missing.log: cannot be read: No such file or directory" in demo.output
    assert not demo.directory.exists()


def test_two_demos_cannot_share_a_directory(start_demo: StartDemo) -> None:
    first = start_demo()
    first.wait_for(READY)
    output = first.output
    second = start_demo()
    assert second.process.wait(STOP_SECONDS) == 2
    assert "Another demo uses" in second.output
    assert READY in output
    assert first.process.poll() is None


@pytest.mark.parametrize(
    ("name", "uid"),
    [
        ("primus-megatron_50it.log", "primus-megatron_50it"),
        ("megatron.out.gz", "megatron"),
        ("a b/ä.log", "imported"),
        ("my run #7.log", "my-run-7"),
        ("train", "train"),
        ("..log", "imported"),
    ],
)
def test_names_a_workload_after_its_file(tmp_path: Path, name: str, uid: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.touch()
    assert name_workloads([path]) == {uid: path}


@pytest.mark.parametrize("names", [("a/x.log", "b/x.out"), ("spiral-adam.log",)])
def test_two_workloads_never_share_a_uid(tmp_path: Path, names: tuple[str, ...]) -> None:
    paths = [tmp_path / name for name in names]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    with pytest.raises(ImportInputError, match="rename the file"):
        name_workloads(paths)
