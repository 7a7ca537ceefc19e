"""``lens-perf watch`` as a user runs it: real databases, real listeners, real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, at, two_clusters
from tests.test_serving import on_one_version
from tests.watch.listener import run_listener

Watch = Callable[..., Result]
pytestmark = on_one_version


@pytest.fixture
def watch(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path) -> Watch:
    options = ["--config", str(write_settings(two_clusters(postgres))), "--state", str(tmp_path / "watch.json")]
    return lambda *words: CliRunner().invoke(main, ["watch", *words, *options], catch_exceptions=False)


def put(
    store: Store, uid: str, *, age: float, losses: Sequence[float | str], first: int = 1, target: int = 10_000
) -> None:
    """Store a record each second, the last of them ``age`` seconds old."""
    now = time.time()
    store(
        uid,
        [
            Row(
                {"loss": loss, "target_iteration": target},
                iteration,
                at(round((now - age - (len(losses) - 1 - place)) * 1000)),
            )
            for place, (iteration, loss) in enumerate(enumerate(losses, first))
        ],
    )


@pytest.mark.parametrize(
    ("age", "target", "status", "output"),
    [
        (1, 10_000, 0, ""),
        (3600, 10_000, 4, "critical: {} stalled: no record for longer than usual (iteration 50 of 10000) [alpha]\n"),
        (90_000, 10_000, 3, ""),
        (90_000, 50, 0, ""),
    ],
    ids=["running", "stalled", "ended", "finished"],
)
def test_once(watch: Watch, store: Store, uid: str, *, age: float, target: int, status: int, output: str) -> None:
    put(store, uid, age=age, losses=[1.0] * 50, target=target)
    result = watch(uid, "--once")
    assert (result.stdout, result.exit_code) == (output.format(uid), status)


def test_a_workload_without_records(watch: Watch, store: Store, uid: str) -> None:
    result = watch(uid, "--once")
    assert (result.stdout, result.stderr, result.exit_code) == (
        "",
        f"lens-perf: no workload {uid} in cluster alpha\n",
        1,
    )
    put(store, f"{uid}-other", age=3600, losses=[1.0] * 50)
    result = watch(uid, f"{uid}-other", "--once")
    assert (f"no workload {uid} in cluster alpha" in result.stderr, result.exit_code) == (True, 4)
    assert f"no workload {uid}-other" not in result.stderr


def test_a_workload_is_missing_if_no_cluster_has_it(watch: Watch, store: Store, uid: str) -> None:
    put(store, uid, age=1, losses=[1.0] * 50)
    assert "no workload" not in watch(uid, "--once", "--all").stderr


def test_a_spike_is_posted_once(watch: Watch, store: Store, uid: str) -> None:
    with run_listener() as listener:
        put(store, uid, age=10, losses=[2.0, 2.01] * 75)
        assert watch(uid, "--once", "--webhook", listener.url).exit_code == 0
        put(store, uid, age=0, losses=[5.0] * 3 + [2.0] * 3, first=151)
        for _ in range(2):
            result = watch(uid, "--once", "--webhook", listener.url)
        (event,) = listener.bodies[0]["events"]
    assert len(listener.bodies) == 1
    assert (event["event"], event["iteration"], event["metric_name"]) == ("loss_spike", 151, "loss")
    assert result.exit_code == 0


def test_a_loss_that_is_nan_is_posted_once(watch: Watch, store: Store, uid: str) -> None:
    put(store, uid, age=20, losses=[2.0] * 50)
    with run_listener() as listener:
        assert watch(uid, "--once", "--webhook", listener.url).exit_code == 0
        put(store, uid, age=0, losses=["NaN"] * 12, first=51)
        assert [watch(uid, "--once", "--webhook", listener.url).exit_code for _ in range(2)] == [4, 4]
        put(store, uid, age=0, losses=[2.0], first=63)
        assert watch(uid, "--once", "--webhook", listener.url).exit_code == 0
    events = [event for body in listener.bodies for event in body["events"]]
    assert [(event["event"], event["severity"], event["iteration"]) for event in events] == [
        ("non_finite", "critical", 51),
        ("finite_again", "info", 63),
    ]


def test_all_recently_active_workloads_are_watched(watch: Watch, store: Store, uid: str) -> None:
    put(store, uid, age=3600, losses=[1.0] * 50)
    with run_listener() as listener:
        result = watch("--once", "--cluster", "alpha", "--webhook", listener.url)
        assert result.exit_code == 4
        assert uid in {event["workload_uid"] for event in listener.bodies[0]["events"]}


def test_a_cluster_that_cannot_be_reached(watch: Watch) -> None:
    result = watch("some", "--once", "--cluster", "unreachable")
    assert (result.exit_code, result.stdout) == (1, "")


def test_a_webhook_that_fails_is_tried_again(watch: Watch, store: Store, uid: str) -> None:
    put(store, uid, age=90_000, losses=[1.0] * 50, target=50)
    with run_listener(500, 200) as listener:
        assert watch(uid, "--once", "--webhook", listener.url).exit_code == 0
        assert listener.bodies == [], "nothing to say"
        put(store, uid, age=3600, losses=[1.0], first=20)
        assert watch(uid, "--once", "--webhook", listener.url).exit_code == 4
        assert [event["event"] for event in listener.bodies[0]["events"]] == ["stalled"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cluster", "alpha", "--all"], "--cluster and --all cannot be used together"),
        (["--webhook", "http://127.0.0.1", "--format", "json", "--format", "slack"], "one for each --webhook"),
        (["--webhook", "https://hooks.slack.com/x", "--format", "slack"], "holds a secret"),
        (["--cluster", "nowhere"], "Unknown cluster"),
    ],
)
def test_usage(watch: Watch, words: list[str], message: str) -> None:
    result = watch("some", "--once", *words)
    assert result.exit_code == 2
    assert message in result.stderr


def test_it_watches_until_a_signal(
    postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], store: Store, uid: str, tmp_path: Path
) -> None:
    with run_listener() as listener:
        command = [sys.executable, "-m", "lens_perf", "watch", uid, "--interval", "1", "--webhook", "env:HOOK"]
        settings = write_settings(two_clusters(postgres))
        environment = {**os.environ, "HOOK": listener.url, "STATE_DIRECTORY": str(tmp_path)}
        with subprocess.Popen(
            [*command, "--config", str(settings)],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            waiting = f"lens-perf: no workload {uid} in cluster alpha; waiting for its records\n"
            assert process.stderr.readline() == waiting
            put(store, uid, age=3600, losses=[1.0] * 50)
            assert process.stdout.readline().startswith(f"critical: {uid} stalled")
            put(store, uid, age=0, losses=[1.0], first=51)
            assert process.stdout.readline().startswith(f"info: {uid} running again")
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    assert [event["event"] for body in listener.bodies for event in body["events"]] == ["stalled", "resumed"]
    assert json.loads((tmp_path / "watch.json").read_text("utf-8"))["pending"] == {}
