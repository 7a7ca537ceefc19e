"""Tables through the command line and the API: recognised, followed, from standard input, and real ones."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from flask import Flask

from tests.conftest import Ask
from tests.faults import wait_until
from tests.ingest.importing import Importer
from tests.ingest.test_following import following
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = pytest.mark.parametrize("postgres", [18], indirect=True)

METRICS = "epoch,step,train_loss,val_loss\n0,1,2.5,\n0,2,2.0,\n0,2,,2.25\n"


def points(ask: Ask) -> dict[str, list[tuple[int, float]]]:
    found: dict[str, list[tuple[int, float]]] = {}
    for point in ask("data")["data"]:
        found.setdefault(point["metric_name"], []).append((point["iteration"], point["value"]))
    return found


def test_a_csv_is_recognised(importer: Importer, ask: Ask, app: Flask, tmp_path: Path) -> None:
    version = tmp_path / "lightning_logs" / "version_0"
    version.mkdir(parents=True)
    (version / "metrics.csv").write_text(METRICS)
    (version / "labels.csv").write_text("name,label\na,1\n")
    (version / "events.log").symlink_to("/etc/passwd")
    for path in (tmp_path, version / "metrics.csv"):
        outcome = importer.run("auto", path)
        assert (outcome.status, outcome.report["kind"], outcome.report["data_source"]) == (0, "csv", "log")
    assert importer.run("csv", tmp_path).report["written"] == {"inserted": 0, "replaced": 0, "unchanged": 2}
    assert points(ask) == {
        "epoch": [(1, 0), (2, 0)], "train_loss": [(1, 2.5), (2, 2.0)], "val_loss": [(2, 2.25)]
    }  # fmt: skip


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_text_is_either_left_out_or_lost(importer: Importer, tmp_path: Path, kind: str) -> None:
    rows = [(1, "2.5", "a"), (2, "abc", "b"), (3, "2.1", "c")]
    lines = [json.dumps({"step": step, "loss": loss, "host": host}) for step, loss, host in rows]
    if kind == "csv":
        lines = ["step,loss,host", *(f"{step},{loss},{host}" for step, loss, host in rows)]
    path = tmp_path / "t"
    path.write_text("\n".join(lines) + "\n")
    outcome = importer.run(kind, path)
    assert outcome.status == 3
    read = outcome.report["read"]
    examples = ["host: a", "host: b", "host: c"]
    assert read["skipped"] == {"fields that are not numbers": {"count": 3, "examples": examples}}
    assert [(each["count"], each["examples"]) for each in read["lost"].values()] == [(1, ["loss: abc"])]


def test_options_of_tables(importer: Importer, ask: Ask, app: Flask, tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("batch~seconds~loss\n5~60~0.5\n10~120~0.25\n")
    assert "neither event file" in importer.run("auto", path).errors
    assert "set --delimiter" in importer.run("csv", path).errors
    options = ("--json", "--delimiter", "~")
    assert "name one by --iteration-column" in importer.run("csv", path, options=options).errors
    options += ("--iteration-column", "batch", "--time-column", "seconds", "--start-time", "2026-01-31T12:00:00")
    outcome = importer.run("csv", path, options=options)
    assert outcome.status == 0
    assert "times are seconds, in seconds since the start" in outcome.report["read"]["notes"]
    assert [point["timestamp"] for point in ask("data", metrics="loss")["data"]] == [1769860860000, 1769860920000]
    assert "must be one character" in importer.run("csv", path, options=("--delimiter", "bar")).errors


@pytest.mark.parametrize("value", ["60", "0:01:00"])
def test_elapsed_times_need_a_column_of_their_own(
    importer: Importer, ask: Ask, app: Flask, tmp_path: Path, value: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"step,time,loss\n1,{value},0.5\n")
    start = ("--json", "--start-time", "2026-01-31T12:00:00")
    unused = "--start-time has no effect on 1 record, for lack of an elapsed time"
    assert (
        f"{unused}: name its column by --time-column"
        in importer.run("csv", path, options=start).report["read"]["notes"]
    )
    path.write_text(f"step,elapsed_time,loss\n1,{value},0.5\n")
    for options in (start, (*start, "--time-column", "elapsed_time")):
        assert unused not in str(importer.run("csv", path, options=options).report["read"]["notes"])
        assert ask("data", metrics="loss")["data"][0]["timestamp"] == 1769860860000
    path.write_text("step,time,loss\n1,,0.5\n2,60,0.5\n")
    notes = importer.run("csv", path, options=(*start, "--time-column", "time")).report["read"]["notes"]
    assert unused in notes


def test_json_lines_gzipped_and_from_standard_input(importer: Importer, ask: Ask, app: Flask, tmp_path: Path) -> None:
    content = b'{"step": 1, "loss": 0.5, "time": "2026-01-31T12:00:00Z"}\n{"step": 2, "loss": 0.25}\n'
    path = tmp_path / "metrics.jsonl.gz"
    path.write_bytes(gzip.compress(content))
    assert importer.run("auto", tmp_path).report["kind"] == "jsonl"
    command = [sys.executable, "-m", "lens_perf", "import", "jsonl", "-", "--json", *importer.arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert json.loads(process.communicate(content, timeout=60)[0])["written"]["unchanged"] == 2
    assert points(ask) == {"loss": [(1, 0.5), (2, 0.25)]}


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_that_grow(importer: Importer, ask: Ask, app: Flask, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "metrics"
    rows = (
        ["step,loss\n1,0.5\n", "2,0.25\n", '3,"broken\n', "4,0.125\n"]
        if kind == "csv"
        else [
            '{"step": 1, "loss": 0.5}\n', '{"step": 2, "loss": 0.25}\n', '{"step": 3, "a": ' + "[" * 100_000 + "\n",
            '{"step": 4, "loss": 0.125}\n'
        ]
    )  # fmt: skip
    path.write_text(rows[0])

    def wait_for(expected: list[int]) -> None:
        end = time.monotonic() + 20
        while (found := [point["iteration"] for point in ask("data", metrics="loss")["data"]]) != expected:
            assert time.monotonic() < end, f"{found} is not {expected}"
            time.sleep(0.05)

    with following(importer, kind, str(path), status=3) as report:
        wait_for([1])
        for index, expected in ((1, [1, 2]), (2, [1, 2]), (3, [1, 2, 4])):
            with path.open("a") as file:
                file.write(rows[index])
            time.sleep(0.5)
            wait_for(expected)
        # Programs rewrite their file to add columns.
        path.write_text("step,loss,lr\n1,0.5,1\n4,0.125,2\n5,1.5,3\n" if kind == "csv" else '{"step": 5, "loss": 1}\n')
    assert report["written"]["inserted"] >= 3  # type: ignore[index]
    assert len(report["read"]["damages"]) == 1  # type: ignore[index]


def test_results_of_a_trainer(importer: Importer, ask: Ask, app: Flask, tmp_path: Path) -> None:
    results = {"epoch": 3.0, "eval_loss": 0.5, "eval_runtime": 1.5, "train_loss": 0.75, "train_samples": 100}
    path = tmp_path / "all_results.json"
    path.write_text(json.dumps(results, indent=4))
    outcome = importer.run("auto", path, options=("--json", "--dry-run"))
    assert (outcome.report["kind"], outcome.report["read"]["without_iteration"]) == ("huggingface", 1)
    state = {"global_step": 30, "log_history": [{"step": 30, "loss": 1.0, "epoch": 3.0}], "max_steps": 30}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    for target in (path, tmp_path):
        outcome = importer.run("auto", target)
        assert (outcome.status, outcome.report["kind"]) == (0, "huggingface")
    expected = {**results, "loss": 1.0, "target_iteration": 30}
    assert points(ask) == {name: [(30, value)] for name, value in expected.items()}
    assert ask("sources")["total_count"] == 1


@needs_real_data
def test_a_real_trainer_log(importer: Importer, ask: Ask, app: Flask) -> None:
    path = REAL_DATA.parent / "cases" / "real" / "llamafactory_trainer_log.jsonl"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    outcome = importer.run("auto", path)
    assert (outcome.status, outcome.report["kind"]) == (0, "jsonl")
    read = outcome.report["read"]
    assert (read["records"], read["restarts"], read["last_iteration"]) == (436, 0, 2178)
    found = points(ask)
    for key, metric in {
        "loss": "loss",
        "lr": "learning_rate",
        "epoch": "epoch",
        "total_steps": "target_iteration",
    }.items():
        assert found[metric] == [(entry["current_steps"], entry[key]) for entry in entries if key in entry], key
    assert found["elapsed_time_s"][0] == (5, 1968.0)
    assert len(found["remaining_time_s"]) == 436


def open_for_reader(pipe: Path) -> int:
    """Return a descriptor of a pipe that has a reader, 0 while it has none: a plain open would wait forever."""
    try:
        return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    except OSError:
        return 0


def test_a_named_pipe_of_rows(importer: Importer, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "lens_perf", "import", "csv", str(pipe), "--json", *importer.arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            opened: list[int] = []
            wait_until(lambda: opened.append(open_for_reader(pipe)) or opened[-1])
            os.write(opened[-1], METRICS.encode())
            os.close(opened[-1])
            assert json.loads(process.communicate(timeout=60)[0])["read"]["records"] == 2
        finally:
            process.send_signal(signal.SIGKILL)
