"""``lens-perf import`` for its users: kinds, options, summaries, exit statuses, interruptions."""

import gzip
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import Ask
from tests.faults import closed
from tests.ingest.importing import Importer

pytestmark = pytest.mark.parametrize("postgres", [18], indirect=True)


def line(iteration: int, loss: str = "1.5", elapsed: int = 1000) -> str:
    fields = f"elapsed time per iteration (ms): {elapsed} | lm loss: {loss} |"
    return f" iteration {iteration:8d}/     100 | {fields}\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "training.log"
    path.write_text("starting\n" + "".join(line(iteration) for iteration in range(1, 11)))
    return path


def test_a_summary_for_people(importer: Importer, log: Path) -> None:
    log.write_text(log.read_text() + line(11, "nan") + line(3) + line(4, "what?"))
    outcome = importer.run("log", log, options=())
    assert outcome.status == 3
    assert outcome.output.splitlines() == [
        "read       14 lines",
        "records    13, iterations 1 to 11, 1 restart, 13 without a time",
        "metrics    3: elapsed_time_per_iteration_ms 13, lm_loss 12, target_iteration 13",
        "not finite 1 value, stored as text",
        "note       read as log, in the dialect of Megatron-LM",
        "left out   lines that report no iteration: 1",
        "             starting",
        "LOST       values that are not numbers, of metrics that have numbers elsewhere: 1",
        "             lm loss: what?",
        "wrote 13 new records, replaced 0, left 0 unchanged",
    ]
    assert outcome.errors == ""


def test_no_file_content_controls_the_terminal(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("noise\x1b]0;title\x07 \x9b31m\n" + line(1, "what\x1b[2J\x08?"))
    for options in ((), ("--json",)):
        output = importer.run("log", path, options=options).output
        assert "title" in output
        assert not set(output) & {chr(code) for code in (*range(10), *range(11, 32), *range(127, 160))}


def test_a_dry_run_stores_nothing(importer: Importer, log: Path, ask: Ask, app: Flask) -> None:
    report = importer.run("auto", log, options=("--json", "--dry-run")).report
    assert (report["kind"], report["written"], report["read"]["records"]) == ("log", None, 10)
    assert report["read"]["notes"] == ["read as log, in the dialect of Megatron-LM"]
    assert ask("sources")["total_count"] == 0
    assert "(dry run)" in importer.run("log", log, options=("--dry-run",)).output


def test_records_without_an_elapsed_time_get_no_time_from_the_start(importer: Importer, log: Path) -> None:
    options = ("--start-time", "2026-01-31T12:00:00")
    assert "no time" not in importer.run("log", log, options=options).output
    log.write_text("iter 0: loss 10.9\niter 1: loss 10.8\n")
    unused = "note       --start-time has no effect on {}, for lack of an elapsed time"
    assert unused.format("2 records") in importer.run("log", log, options=options).output.splitlines()
    assert "--start-time" not in importer.run("log", log, options=()).output
    log.write_text("iter 2: loss 10.7\n")
    assert unused.format("1 record") in importer.run("log", log, options=options).output.splitlines()


def test_several_files_continue_each_other(importer: Importer, log: Path, tmp_path: Path) -> None:
    second, third = tmp_path / "second.log.gz", tmp_path / "third.log"
    second.write_bytes(gzip.compress((line(11) + line(12)).encode()))
    third.write_text(line(9) + line(10))
    report = importer.run("log", log, second, third).report
    assert (report["read"]["records"], report["read"]["restarts"]) == (14, 1)
    assert importer.run("log", tmp_path).report["read"]["records"] == 14


def test_serials_begin_as_requested(importer: Importer, log: Path, ask: Ask, app: Flask) -> None:
    importer.run("log", log)
    assert importer.run("log", log, options=("--json", "--serial", "1")).report["written"]["inserted"] == 10
    assert ask("sources")["data_sources"] == [{"name": "log", "count": 20}]


def test_a_restart_after_the_largest_serial(importer: Importer, log: Path, ask: Ask, app: Flask) -> None:
    log.write_text(log.read_text() + line(3))
    for options in (("--serial", "2147483647"), ("--serial", "2147483647", "--dry-run")):
        outcome = importer.run("log", log, options=options)
        assert (outcome.status, outcome.output) == (2, "")
        assert "choose a lower --serial" in outcome.errors
    assert ask("sources")["total_count"] == 0
    assert importer.run("log", log, options=("--json", "--serial", "2147483646")).report["written"]["inserted"] == 11


def test_times_can_be_added_later(importer: Importer, log: Path, ask: Ask, app: Flask) -> None:
    importer.run("log", log)
    options = ("--json", "--start-time", "2026-01-31T12:00:00", "--timezone", "Europe/Zurich")
    report = importer.run("log", log, options=options).report
    assert report["written"] == {"inserted": 0, "replaced": 10, "unchanged": 0}
    assert "times are reckoned from --start-time and the elapsed times" in report["read"]["notes"]
    first = ask("data", metrics="lm_loss")["data"][0]
    assert first["timestamp"] == 1769857201000  # 2026-01-31 11:00:01 UTC


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("auto", b"nothing\n", "neither event file"),
        ("log", b"nothing\n", "a line that reports an iteration"),
        ("log", b"", "(read nothing)"),
        ("tensorboard", b"nothing\n" * 10, "damaged at byte 0"),
        ("tensorboard", b"", "(read nothing)"),
        ("wandb", b"nothing\n" * 10, ""),
        ("huggingface", b"{}", "holds no log_history"),
    ],
)
def test_nothing_to_import(importer: Importer, tmp_path: Path, kind: str, content: bytes, words: str) -> None:
    path = tmp_path / "input"
    path.write_bytes(content)
    outcome = importer.run(kind, path)
    assert (outcome.status, outcome.output) == (2, "")
    assert outcome.errors.startswith("lens-perf: ")
    assert words in outcome.errors
    assert outcome.errors.count("\n") == 1


@pytest.mark.parametrize(
    ("kind", "options", "words"),
    [
        ("log", ("--workload", " "), "not all blank"),
        ("log", ("--timezone", "Mars"), "no such time zone"),
        ("log", ("--serial", "-1"), "--serial"),
        ("log", ("--cluster", "nix"), "Unknown cluster"),
        ("huggingface", ("--follow",), "instead of --follow"),
        ("zip", (), "zip does not exist"),
    ],
)
def test_wrong_commands(importer: Importer, log: Path, kind: str, options: tuple[str, ...], words: str) -> None:
    outcome = importer.run(kind, log, options=options)
    assert outcome.status == 2
    assert words in outcome.errors


def test_a_file_out_of_reach(importer: Importer, tmp_path: Path) -> None:
    """In a directory that the user may not enter."""
    directory = tmp_path / "closed"
    directory.mkdir()
    with closed(directory):
        outcome = importer.run("log", directory / "training.log")
    assert outcome.status == 2
    assert outcome.errors.endswith(f"{directory}/training.log cannot be read: Permission denied\n")


def test_a_directory_without_files_of_the_kind(importer: Importer, log: Path) -> None:
    outcome = importer.run("tensorboard", log.parent)
    assert outcome.status == 2
    assert "holds no *tfevents*" in outcome.errors


def test_valid_parts_of_damaged_input_are_imported(importer: Importer, tmp_path: Path) -> None:
    path = tmp_path / "cut.log.gz"
    path.write_bytes(gzip.compress("".join(map(line, range(1, 2001))).encode())[:-500])
    outcome = importer.run("log", path)
    assert outcome.status == 3
    assert 0 < outcome.report["written"]["inserted"] < 2000
    assert importer.run("log", path, options=()).errors.startswith(f"lens-perf: {path}: damaged at byte ")


def start(importer: Importer, *arguments: str, **options: object) -> subprocess.Popen[bytes]:
    """Run an import as a separate process."""
    command = [sys.executable, "-m", "lens_perf", "import", *arguments, *importer.arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, **options)  # type: ignore[call-overload,no-any-return]


def test_standard_input(importer: Importer, log: Path, ask: Ask, app: Flask) -> None:
    with start(importer, "auto", "-", "--json", stdin=subprocess.PIPE) as process:
        assert json.loads(process.communicate(log.read_bytes(), timeout=60)[0])["read"]["records"] == 10
    assert ask("sources")["data_sources"] == [{"name": "log", "count": 10}]


def test_a_progress_bar_is_shown_on_a_terminal_only(importer: Importer, log: Path) -> None:
    main, terminal = pty.openpty()
    with start(importer, "log", str(log), stderr=terminal) as process:
        process.communicate(timeout=60)
    assert b"100%" in os.read(main, 1 << 16)
    with start(importer, "log", str(log), stderr=subprocess.PIPE) as process:
        assert process.communicate(timeout=60)[1] == b""
    os.close(main)
    os.close(terminal)


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_an_interrupted_import_leaves_whole_batches(importer: Importer, tmp_path: Path, ask: Ask, app: Flask) -> None:
    lines = [line(iteration, f"{iteration}.5") for iteration in range(30_000)]
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def count() -> int:
        return sum(source["count"] for source in ask("sources")["data_sources"])

    def interrupt(number: signal.Signals, read: int, stored: int) -> subprocess.Popen[bytes]:
        """Let an import read ``read`` lines of a pipe, and interrupt it while it waits for more."""
        with start(importer, "auto", str(pipe), stderr=subprocess.PIPE) as process, pipe.open("w") as file:
            file.write("".join(lines[:read]))
            file.flush()
            wait_until(lambda: count() == stored)
            process.send_signal(number)
            process.wait(15)
        return process

    interrupt(signal.SIGKILL, 13_000, 10_000)
    assert count() == 10_000
    process = interrupt(signal.SIGINT, 23_000, 20_000)
    assert process.returncode == 130
    assert count() == 20_000
    path = tmp_path / "long.log"
    path.write_text("".join(lines))
    assert importer.run("log", path).report["written"] == {"inserted": 10_000, "replaced": 0, "unchanged": 20_000}


def test_the_unpacked_size_is_limited_by_a_setting(
    importer: Importer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "blank.log.gz"
    path.write_bytes(gzip.compress(line(1).encode() + b"\n" * (3 << 20) + line(2).encode()))
    outcome = importer.run("auto", path)
    assert (outcome.status, outcome.report["read"]["records"]) == (0, 2)
    assert outcome.report["read"]["read"]["lines"] == (3 << 20) + 2
    monkeypatch.setenv("LENS_PERF_IMPORTS_MAX_UNPACKED_MIB", "2")
    for options in (("--json",), ("--json", "--dry-run")):
        outcome = importer.run("auto", path, options=options)
        assert (outcome.status, outcome.report["read"]["records"]) == (3, 1)
    assert "unpacks to more than 2 MiB" in importer.run("auto", path, options=()).errors


def test_a_log_beside_pipes_and_links(importer: Importer, log: Path) -> None:
    os.mkfifo(log.parent / "x.tfevents")
    (log.parent / "y.tfevents").symlink_to("nowhere")
    (log.parent / "shadow.log").symlink_to("/etc/passwd")
    outcome = importer.run("auto", log.parent)
    assert (outcome.status, outcome.report["read"]["records"]) == (0, 10)
    assert outcome.report["read"]["read"] == {"lines": 11}
