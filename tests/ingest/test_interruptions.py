"""An import that is interrupted at any moment: its status, its message, and the stored records."""

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.faults import wait_until
from tests.ingest.importing import Importer
from tests.ingest.interrupting import ADVICE, LINES, SENTENCE, Interrupter, wait_for_handler, write_log

pytestmark = pytest.mark.parametrize("postgres", [18], indirect=True)
SIGNALS = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])

Count = Callable[[str], int]


@pytest.fixture
def count(app: Flask) -> Count:
    """Return how many records a workload has."""

    def count(uid: str) -> int:
        answer = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/sources")
        return sum(source["count"] for source in answer.json["data_sources"])

    return count


def start(importer: Importer, path: Path, **options: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "lens_perf", "import", "log", str(path), *importer.arguments]
    return subprocess.Popen(command, **{"stderr": subprocess.PIPE, **options})  # type: ignore[call-overload,no-any-return]


def test_at_random_instants(importer: Importer, tmp_path: Path, uid: str, count: Count) -> None:
    """``make chaos`` does it 200 times."""
    settings = Path(importer.arguments[-1])
    interrupter = Interrupter(write_log(tmp_path), settings, uid, count)
    ended = list(interrupter.interrupt_often(12))
    assert [(each, faults) for each in ended if (faults := list(each.list_faults()))] == []
    assert any(each.number for each in ended)


@SIGNALS
def test_while_a_statement_waits(
    importer: Importer, tmp_path: Path, uid: str, postgres: EmbeddedPostgres, number: signal.Signals
) -> None:
    """Python itself would handle the signal only after the statement."""
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as other, other.cursor() as cursor:
        cursor.execute("LOCK training_performance IN SHARE MODE")

        def is_waiting() -> bool:
            cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'relation'")
            return cursor.fetchone() is not None

        with start(importer, write_log(tmp_path)) as process:
            wait_until(is_waiting)
            process.send_signal(number)
            _, errors = process.communicate(timeout=20)
        cursor.execute("SELECT count(*) FROM training_performance WHERE workload_uid = %s", (uid,))
        assert cursor.fetchone() == (0,)
    assert (process.returncode, errors.decode()) == (128 + number, f"{SENTENCE}; {ADVICE}\n")


@SIGNALS
def test_while_the_summary_is_not_read(
    importer: Importer, tmp_path: Path, uid: str, count: Count, number: signal.Signals
) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while os.write(writing, b" " * 4096):
            pass
    os.set_blocking(writing, True)
    with start(importer, write_log(tmp_path), stdout=writing) as process:
        wait_until(lambda: count(uid) == LINES)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    os.close(reading)
    os.close(writing)
    assert process.returncode == 128 + number
    assert errors.decode().startswith(SENTENCE)
    assert errors.count(b"\n") == 1


def test_the_terminal_has_its_cursor_again(importer: Importer, tmp_path: Path) -> None:
    """The progress bar hides it."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    main, terminal = pty.openpty()
    shown = b""
    with start(importer, pipe, stderr=terminal) as process, pipe.open("w"):
        while b"\033[?25l" not in shown:
            shown += os.read(main, 4096)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    os.close(terminal)
    shown = shown.rpartition(b"\033[?25l")[2]
    while b"add the rest" not in shown:
        shown += os.read(main, 4096)
    os.close(main)
    assert b"\033[?25h" in shown


def test_a_signal_that_was_to_be_ignored_is(importer: Importer, tmp_path: Path, uid: str, count: Count) -> None:
    """As under nohup, or in a job that a script starts with &."""
    command = [sys.executable, "-m", "lens_perf", "import", "log", str(write_log(tmp_path)), *importer.arguments]
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        wait_for_handler(process)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, b"")
    assert count(uid) == LINES
