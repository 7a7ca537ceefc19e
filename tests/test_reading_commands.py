"""``lens-perf workloads``, ``show`` and ``export``, as a user runs them."""

import io
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner, Result

from lens_perf.cli import main
from lens_perf.commands.reading_commands import _print_progress
from lens_perf.commands.terminal_words import describe_since, draw_sparkline, format_age, format_number, format_span
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.progress.facts import NonFiniteMetric, ProgressFacts
from lens_perf.performance.progress.rules import compute_progress
from tests.conftest import Row, Store, at, two_clusters
from tests.test_serving import on_one_version

Run = Callable[..., Result]


@pytest.fixture
def run(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> Run:
    path = write_settings(two_clusters(postgres))
    return lambda *words: CliRunner().invoke(main, [*words, "--config", str(path)], catch_exceptions=False)


@pytest.fixture
def stored(store: Store, uid: str) -> str:
    store(
        uid,
        [
            Row({"loss": 9 if index == 40 else 1 / index, "target_iteration": 200}, index, at(index * 1000))
            for index in range(1, 101)
        ],
    )
    return uid


@on_one_version
def test_workloads(run: Run, stored: str) -> None:
    result = run("workloads", "--search", stored, "--cluster", "alpha")
    assert result.exit_code == 0
    head, row = result.stdout.splitlines()
    assert head.split() == ["WORKLOAD", "CLUSTER", "SOURCES", "RECORDS", "ITERATION", "LAST", "ACTIVE"]
    assert row.split()[:5] == [stored, "alpha", "log", "100", "100"]


@on_one_version
def test_workloads_of_all_clusters_that_can_be_reached(run: Run, stored: str) -> None:
    result = run("workloads", "--search", stored, "--json")
    assert result.exit_code == 1
    answer = json.loads(result.stdout)
    assert [each["workload_uid"] for each in answer["workloads"]] == [stored]
    assert "Cluster unreachable cannot be reached now" in run("workloads").stderr
    assert run("workloads", "--cluster", "unreachable").exit_code == 1
    assert run("show", stored, "--cluster", "unreachable").exit_code == 1


@on_one_version
def test_show(run: Run, stored: str) -> None:
    text = run("show", stored).stdout
    assert text.splitlines()[0] == f"{stored} in cluster alpha: ended (warning: ended before target)"
    assert "iteration    100 of 200 (50.0%)" in text
    assert "1 s per iteration (1 s to 1 s)" in text
    line = next(line for line in text.splitlines() if line.startswith("  loss "))
    assert "█" in line, "the spike"
    assert line.endswith("0.01 to 9, last 0.01")
    assert json.loads(run("show", stored, "--json").stdout)["state"] == "ended"


@on_one_version
def test_show_a_workload_without_times(run: Run, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1.5}, index, None) for index in range(1, 4)])
    lines = run("show", uid).stdout.splitlines()
    assert lines[0] == f"{uid} in cluster alpha: no iterations with a time"
    assert lines[1].startswith("  loss ")


@on_one_version
def test_show_since_when_a_loss_is_nan(run: Run, store: Store, uid: str) -> None:
    rows = [Row({"lm_loss": "NaN" if index > 350 else 1.5}, index, at(index * 1000)) for index in range(1, 401)]
    store(uid, rows)
    lines = run("show", uid).stdout.splitlines()
    assert lines[0] == f"{uid} in cluster alpha: ended (critical: non finite loss)"
    assert any(line.startswith("  not finite   lm_loss, since iteration 351, ") for line in lines)
    (line,) = (line for line in lines if line.startswith("  lm_loss "))
    assert "1.5 to 1.5, last 1.5, not finite since iteration 351, " in line


@on_one_version
def test_show_an_unknown_workload(run: Run, uid: str) -> None:
    for words in (["show", uid], ["show", uid, "--json"], ["export", uid]):
        result = run(*words)
        assert result.exit_code == 1
        assert result.stderr == (
            f"lens-perf: no workload {uid} in clusters alpha, beta; unreachable, without_table, without_database did "
            "not answer; lens-perf workloads lists them\n"
        )
    assert run("show", uid, "--cluster", "beta").stderr.startswith(f"lens-perf: no workload {uid} in cluster beta;")
    unknown = run("show", uid, "--cluster", "gamma")
    assert unknown.exit_code == 2
    assert unknown.stderr.startswith('lens-perf: Unknown cluster "gamma"; expected one of alpha, beta, unreachable,')


@on_one_version
def test_the_cluster_is_found_and_named(run: Run, store: Store, uid: str) -> None:
    store(uid, [Row({"loss": 1}, 1, at(0))], cluster="beta")
    found = run("show", uid)
    assert (found.exit_code, found.stderr) == (0, "")
    assert found.stdout.startswith(f"{uid} in cluster beta: ")
    assert json.loads(run("show", uid, "--json").stdout)["cluster"] == "beta"
    assert len(run("export", uid).stdout.splitlines()) == 2
    store(uid, [Row({"loss": 1}, 1, at(0))])
    both = run("show", uid)
    assert both.stdout.startswith(f"{uid} in cluster alpha: ")
    assert both.stderr == (f"lens-perf: showing {uid} in cluster alpha; beta has it, too: choose with --cluster\n")
    assert run("show", uid, "--cluster", "beta").stderr == ""


@on_one_version
def test_a_repeated_metric_is_exported_once(run: Run, stored: str) -> None:
    for words in ([], ["--wide"]):
        once = run("export", stored, "--format", "csv", *words, "--metric", "loss")
        twice = run("export", stored, "--format", "csv", *words, "--metric", "loss", "--metric", "loss")
        assert (twice.exit_code, twice.stdout) == (0, once.stdout)


@on_one_version
def test_an_unknown_metric_is_named(run: Run, stored: str) -> None:
    nothing = run("export", stored, "--metric", "loss2")
    words = f"lens-perf: no metric loss2 in cluster alpha; {stored} has loss, target_iteration\n"
    assert (nothing.exit_code, nothing.stderr) == (1, words)
    some = run("export", stored, "--metric", "loss", "--metric", "loss2")
    assert (some.exit_code, some.stderr) == (0, words)
    assert run("export", stored, "--metric", "loss").stderr == ""
    # Its text is part of the name of another metric.
    assert run("export", stored, "--metric", "loss", "--metric", "los").stderr.startswith("lens-perf: no metric los in")


@on_one_version
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_export(run: Run, stored: str, form: str) -> None:
    result = run("export", stored, "--format", form, "--metric", "loss")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    if form == "csv":
        assert lines.pop(0) == "metric_name,value,timestamp,iteration,data_source"
        assert lines[0].split(",")[0::2] == ["loss", "1000", "log"]
    else:
        assert json.loads(lines[39])["value"] == 9
    assert len(lines) == 100
    assert run("export", f"{stored}-unknown", "--format", form).exit_code == 1


@on_one_version
def test_export_of_one_metric_builds_no_copy(run: Run, stored: str) -> None:
    assert run("export", stored, "--metric", "loss").exit_code == 0
    assert stored not in run("columns", "list").stdout
    assert run("export", stored, "--metric", "loss", "--metric", "loss2").exit_code == 0
    assert stored in run("columns", "list").stdout


@on_one_version
def test_export_of_a_wide_table(run: Run, stored: str) -> None:
    result = run("export", stored, "--wide", "--metric", "loss", "--metric", "target_iteration")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "iteration,timestamp,data_source,loss,target_iteration"
    assert lines[40].split(",")[::2] == ["40", "log", "200"]
    assert run("export", stored, "--wide", "--metric", "loss2").exit_code == 1
    refused = run("export", stored, "--wide", "--format", "ndjson")
    assert refused.exit_code == 2
    assert "--wide requires --format csv or parquet" in refused.stderr


@on_one_version
@pytest.mark.parametrize("options", [[], ["--wide"]], ids=["points", "wide"])
def test_export_as_parquet(run: Run, stored: str, options: list[str]) -> None:
    result = run("export", stored, "--format", "parquet", *options)
    assert result.exit_code == 0
    table = pl.read_parquet(io.BytesIO(result.stdout_bytes))
    assert table.shape == (100 if options else 200, 5)
    assert "loss" in (table.columns if options else table["metric_name"])


@on_one_version
def test_the_reader_of_the_output_may_leave(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str
) -> None:
    # More than a pipe holds.
    store(uid, [Row({f"loss_{number}": index for number in range(20)}, index, at(index)) for index in range(500)])
    for words in (["export", uid], ["export", uid, "--format", "ndjson"], ["show", uid], ["workloads"]):
        command = [sys.executable, "-m", "lens_perf", *words, "--config", str(write_settings(two_clusters(postgres)))]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            errors = process.stderr.read()
        assert "Broken" not in errors, words
        assert process.returncode == 0, words


def test_a_terminal_gets_no_parquet() -> None:
    terminal, end = pty.openpty()
    with os.fdopen(terminal), os.fdopen(end) as output:
        command = [sys.executable, "-m", "lens_perf", "export", "any", "--format", "parquet"]
        ended = subprocess.run(command, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert ended.stderr.endswith("Error: Parquet is binary: redirect the output to a file\n")


def test_formats_of_numbers_and_times() -> None:
    assert [format_span(each) for each in (0, 0.0123, 0.9996, 5, 59.9, 60, 3661, 90_000, None)] == [
        "0 s", "12.3 ms", "1000 ms", "5 s", "59.9 s", "1 min", "1 h 1 min", "1 d 1 h", "unknown",
    ]  # fmt: skip
    assert [format_number(each) for each in (1234567, 0.123456, 1e-9, None)] == ["1,234,567", "0.1235", "1e-09", "-"]
    floats = (20_860.25, 1_234.5, 999.6, 999.97, -1_234_567.8, 1e15, float("inf"))
    texts = ["20,860", "1,234", "999.6", "1,000", "-1,234,568", "1e+15", "inf"]
    assert [format_number(each) for each in floats] == texts
    assert (format_age(None), format_age(0)[-5:]) == ("-", "d ago")


def test_a_spike_shows_in_a_sparkline() -> None:
    values = [0.0] * 10_000
    values[7777] = 5
    assert draw_sparkline(values, 40).count("█") == 1
    assert draw_sparkline([1, 2, 3], 40) == "▁▅█"
    assert draw_sparkline([4, 4], 40) == "▅▅"


@pytest.mark.parametrize(
    ("iteration", "timestamp", "words"),
    [
        (351, 0, r"since iteration 351, \d+ d ago"),
        (1351, None, "since iteration 1,351"),
        (None, 0, r"\d+ d ago"),
        (None, None, "since an unknown time"),
    ],
)
def test_since_when_a_metric_is_not_finite(iteration: int | None, timestamp: int | None, words: str) -> None:
    assert re.fullmatch(words, describe_since({"since_iteration": iteration, "since_timestamp": timestamp}))


def test_show_says_what_is_not_finite(capsys: pytest.CaptureFixture[str]) -> None:
    facts = ProgressFacts(
        source="log",
        records=400,
        current_iteration=400,
        target_iteration=400,
        first_timestamp=0,
        last_timestamp=399_000,
        seconds_wall=399,
        non_finite=(NonFiniteMetric("lm_loss", "log", 351, 350_000),),
    )
    _print_progress({"workload_uid": "run", **compute_progress(facts, 400)}, "alpha")
    text = capsys.readouterr().out
    assert text.startswith("run in cluster alpha: finished (critical: non finite loss)\n")
    assert "  not finite   lm_loss, since iteration 351, " in text
