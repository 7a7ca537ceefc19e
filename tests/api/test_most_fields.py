"""A workload with more than ``columns.max_fields`` fields: what is left out is reported, and never silently missing."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER, Ask, Row, Store, at, running_app
from tests.test_serving import on_one_version

pytestmark = on_one_version
REPORT = "its copy leaves some out; raise columns.max_fields"


@pytest.fixture
def config(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path) -> Path:
    columns = f'[columns]\ndirectory = "{tmp_path / "copies"}"\nmax_fields = 2\n'
    return write_settings(f'{columns}[clusters.alpha]\ndsn = "{postgres.dsn("alpha", READER)}"\n')


@pytest.fixture
def app(config: Path) -> Iterator[Flask]:
    with running_app(config) as app:
        yield app


@pytest.fixture
def run(store: Store, uid: str, ask: Ask) -> str:
    """A workload with a copy, which has the fields a and b."""
    store(uid, [Row({"a": 1, "b": 2, "loss": number}, number, at(number)) for number in range(3)])
    assert [each["name"] for each in ask("available")["metrics"]] == ["a", "b"]
    return uid


def list_values(answer: Any, metric: str) -> list[Any]:
    return [point["value"] for point in answer["data"] if point["metric_name"] == metric]


@pytest.mark.usefixtures("run")
def test_named_metrics_are_read_from_the_table(ask: Ask, store: Store, uid: str) -> None:
    assert list_values(ask("data", metrics="loss"), "loss") == [0, 1, 2]
    mixed = ask("data", metrics="a,loss", after="")
    assert list_values(mixed, "loss") == [0, 1, 2]
    assert list_values(ask("data", metrics="a"), "a") == [1, 1, 1]
    # Changes and previews have the named metrics too, although other fields come first.
    store(uid, [Row({"a": 1, "b": 2, "loss": 9}, 9, at(9))])
    assert list_values(ask("data", metrics="loss", after=mixed["cursor"]), "loss") == [9]
    preview = ask("data", metrics="loss", max_points=2, method="stride")
    assert list_values(preview, "loss")[-1] == 9


REFUSED = [
    "data?metrics=loss&max_points=10",
    "data?metrics=a&max_points=10&axis=loss",
    "data?metrics=a,b,c,d,loss",
    "data?metrics=loss&layout=wide&format=csv",
    "data?metrics=loss&layout=wide&format=parquet",
    "summary?metrics=loss",
]


@pytest.mark.parametrize("query", REFUSED)
def test_what_only_a_copy_can_answer_is_refused(client: FlaskClient, run: str, query: str) -> None:
    response = client.get(f"/lens/v1/workloads/{run}/metrics/{query}")
    assert response.status_code == 413
    assert json.loads(response.data)["message"] == (
        'The copy of this workload leaves out "loss", because of columns.max_fields: raise that setting, or request'
        " data of up to four metrics, without max_points or layout=wide"
    )
    without = query.replace("loss", "unknown")
    assert client.get(f"/lens/v1/workloads/{run}/metrics/{without}").status_code == 200


def test_one_such_workload_does_not_fail_the_others(client: FlaskClient, store: Store, run: str) -> None:
    other = f"{run}-other"
    store(other, [Row({"loss": 7}, 1, at(1))])
    both = [("workload", f"alpha/{uid}") for uid in (run, other)]
    for endpoint, options in (("data", [("max_points", "10")]), ("summary", [])):
        answer = client.get(f"/lens/v1/metrics/{endpoint}", query_string=[*both, ("metrics", "loss"), *options])
        assert answer.status_code == 200
        (warning,) = json.loads(answer.text)["warnings"]
        assert warning["workload_uid"] == run
        assert warning["message"].startswith('The copy of this workload leaves out "loss"')
        assert other in answer.text


def test_the_target_is_never_left_out(client: FlaskClient, ask: Ask, store: Store, uid: str) -> None:
    store(uid, [Row({"a": 1, "b": 2, "target_iteration": 100}, number, at(number)) for number in range(3)])
    points = ask("iteration-times")["data"]
    assert [each["value"] for each in points if each["metric_name"] == "target_iteration"] == [100, 100, 100]
    progress = json.loads(client.get(f"/lens/v1/workloads/{uid}/progress").text)
    assert progress["target_iteration"] == 100
    assert ask("iteration-times")["data"] == points


def test_the_log_reports_it_once(ask: Ask, store: Store, uid: str, caplog: pytest.LogCaptureFixture) -> None:
    store(uid, [Row({"a": 1, "b": 2}, 1, at(1))])
    ask("available")
    assert REPORT not in caplog.text
    for number in (2, 3):
        store(uid, [Row({"a": 1, "loss": 2, str(number): 3}, number, at(number))])
        ask("available")
    assert caplog.text.count(REPORT) == 1
    assert f"Workload {uid} of cluster alpha has more than 2 fields" in caplog.text


def test_a_build_reports_it(run: str, caplog: pytest.LogCaptureFixture) -> None:
    (record,) = [each for each in caplog.get_records("setup") if REPORT in each.message]
    assert run in record.message


def test_the_commands_report_it(config: Path, run: str) -> None:
    def columns(*words: str) -> list[str]:
        ended = CliRunner().invoke(main, ["columns", *words, "--config", str(config)])
        assert ended.exit_code == 0, ended.output
        return ended.output.splitlines()

    assert f"alpha    {run}  3        2 (others left out)" in columns("list")[1]
    assert "not compared, because of columns.max_fields: loss" in columns("verify", "--cluster", "alpha", run)
