"""``--follow`` in a separate process: growing and rotated files, a restarted program, an unavailable database."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Ask
from tests.ingest.event_files.written import frame, scalar
from tests.ingest.importing import Importer

pytestmark = pytest.mark.parametrize("postgres", [18], indirect=True)


def line(iteration: int) -> str:
    return f" iteration {iteration:8d}/     100 | lm loss: {iteration}.5 |\n"


@contextmanager
def following(
    importer: Importer, *arguments: str, end: signal.Signals = signal.SIGTERM, status: int = 0
) -> Iterator[dict[str, object]]:
    """Run an import that follows, and end it by a signal; the yielded dictionary has its report after the block."""
    command = [sys.executable, "-m", "lens_perf", "import", *arguments, *importer.arguments, "--follow", "--json"]
    report: dict[str, object] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            yield report
            process.send_signal(end)
            output, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == status, errors
    report.update(json.loads(output), errors=errors.decode())


@pytest.fixture
def iterations(ask: Ask, app: Flask) -> Callable[[], list[int]]:
    """A function that returns the stored iterations according to the API."""

    def read() -> list[int]:
        return [point["iteration"] for point in ask("data", metrics="lm_loss")["data"]]

    return read


def wait_for(read: Callable[[], list[int]], expected: list[int], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while read() != expected:
        assert time.monotonic() < end, f"{read()} is not {expected}"
        time.sleep(0.05)


def test_event_files_of_a_program_that_is_restarted(importer: Importer, tmp_path: Path, ask: Ask, app: Flask) -> None:
    def write(name: str, *steps: int) -> None:
        with (tmp_path / name).open("ab") as file:
            file.write(frame((scalar("loss", step, step / 2) for step in steps), version=file.tell() == 0))

    def read() -> list[int]:
        return [point["iteration"] for point in ask("data", data_source="tensorflow")["data"]]

    write("events.out.tfevents.1.host", 1)
    with following(importer, "tensorboard", str(tmp_path)) as report:
        wait_for(read, [1])
        write("events.out.tfevents.1.host", 2)
        wait_for(read, [1, 2])
        write("events.out.tfevents.2.host", 2, 3)
        wait_for(read, [1, 2, 2, 3])
        write("events.out.tfevents.2.host", 4)
        wait_for(read, [1, 2, 2, 3, 4])
    assert report["written"] == {"inserted": 5, "replaced": 0, "unchanged": 0}
    again = importer.run("tensorboard", tmp_path).report
    assert (again["written"], again["read"]["restarts"]) == ({"inserted": 0, "replaced": 0, "unchanged": 5}, 1)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_growing_log(
    importer: Importer, tmp_path: Path, iterations: Callable[[], list[int]], end: signal.Signals
) -> None:
    path = tmp_path / "training.log"
    path.write_text(line(1))
    with following(importer, "log", str(path), end=end) as report:
        wait_for(iterations, [1])
        with path.open("a") as file:
            for iteration in range(2, 6):
                # An incomplete line is not read yet.
                file.write(line(iteration)[:30])
                file.flush()
                time.sleep(0.3)
                file.write(line(iteration)[30:])
                file.flush()
                wait_for(iterations, list(range(1, iteration + 1)))
            file.write(line(6)[:40])
    assert iterations() == [1, 2, 3, 4, 5]
    assert report["written"] == {"inserted": 5, "replaced": 0, "unchanged": 0}


def test_a_rotated_log(importer: Importer, tmp_path: Path, iterations: Callable[[], list[int]]) -> None:
    path = tmp_path / "training.log"
    path.write_text(line(1))
    with following(importer, "log", str(path)):
        wait_for(iterations, [1])
        path.rename(tmp_path / "training.log.1")
        path.write_text(line(2))
        wait_for(iterations, [1, 2])
        # Truncated, as by logrotate's copytruncate.
        path.write_text("")
        time.sleep(0.5)
        with path.open("a") as file:
            file.write(line(3))
        wait_for(iterations, [1, 2, 3])


def test_a_later_metric_is_added(importer: Importer, tmp_path: Path, ask: Ask, app: Flask) -> None:
    path = tmp_path / "training.log"
    path.write_text(line(1))

    def names() -> list[int]:
        return sorted(metric["name"] for metric in ask("available")["metrics"])

    with following(importer, "log", str(path)) as report:
        wait_for(names, ["lm_loss", "target_iteration"])  # type: ignore[list-item]
        with path.open("a") as file:
            file.write(" validation loss at iteration 1 | lm loss value: 2.5 |\n")
        wait_for(names, ["lm_loss", "target_iteration", "validation_lm_loss"])  # type: ignore[list-item]
    assert report["written"] == {"inserted": 1, "replaced": 1, "unchanged": 0}


def test_an_import_waits_for_an_unavailable_database(
    importer: Importer, tmp_path: Path, iterations: Callable[[], list[int]], postgres: EmbeddedPostgres
) -> None:
    path = tmp_path / "training.log"
    path.write_text(line(1))

    def allow(connections: bool) -> None:
        with psycopg2.connect(postgres.dsn("postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE alpha ALLOW_CONNECTIONS {connections}")

    with following(importer, "log", str(path)) as report:
        wait_for(iterations, [1])
        allow(False)
        try:
            with path.open("a") as file:
                file.write(line(2) + line(3))
            time.sleep(1.5)
        finally:
            allow(True)
        wait_for(iterations, [1, 2, 3])
    assert "records wait, next try in" in str(report["errors"])
