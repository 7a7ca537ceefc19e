"""The faults: each function causes one repeatedly and returns its effect on the service."""

import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from urllib.parse import urlsplit

from tests.benchmarks.gunicorn_process import run_gunicorn
from tests.chaos.exhaustion import EXHAUSTION
from tests.chaos.finding import Finding
from tests.chaos.hostile_rows import read_hostile_rows
from tests.chaos.namespace import find_obstacle
from tests.chaos.polling import poll_schedules
from tests.chaos.token_file import damage_token_file
from tests.chaos.world import LARGE, METRICS, MIDDLE, SMALL, SOURCES, UID, Answer, World, list_children, settle
from tests.faults import FORWARD, SILENT, TRICKLE, frozen, wait_until
from tests.front.nginx import run_nginx
from tests.front.programs import locate_program
from tests.ingest.interrupting import Interrupter, write_log

DEADLINE = 3.0
USUAL_DEADLINE = 30.0
# The maximum time of a response with a deadline, and of the error of a cluster that cannot be reached.
LATE = DEADLINE + 0.3
CONNECTING = 3.0
OPEN_BREAKER = 0.05
# The time that the processes of clients need to start.
STARTING = 4.0


def freeze_backends(world: World) -> Finding:
    """Freeze the server processes of the service's connections, and send requests."""
    finding = Finding("frozen backend", LATE)
    for _ in range(3):
        world.ask_at_once(4, SMALL, "alpha")
        backends = world.backends()
        with frozen(*backends):
            answers = world.ask_at_once(4, SMALL, "alpha")
        world.judge(finding, answers)
        finding.tried += len(backends)
        woken = time.monotonic()
        settle(lambda: not world.backends(at_work=True))
        finding.notes = [f"queries gone {time.monotonic() - woken:.1f} s after waking"]
        finding.expect(not world.backends(at_work=True), "queries went on")
        world.recover(finding, "alpha")
    return finding


def freeze_postmaster(world: World) -> Finding:
    """Freeze the postmaster, so that no connection can be opened."""
    finding = Finding("frozen postmaster", LATE)
    for _ in range(2):
        for backend in world.backends():
            os.kill(backend, signal.SIGTERM)
        with frozen(world.postgres.postmaster_pid):
            world.judge(finding, world.ask_at_once(8, SMALL, "alpha"))
            world.judge(finding, world.ask_at_once(8, SMALL, "alpha"))
            finding.tried += 1
        world.recover(finding, "alpha")
    finding.expect((finding.recovered or 0) <= 5, "more than 5 s to recover")
    return finding


def _be_unreachable(world: World, fault: str, mode: str) -> Finding:
    finding = Finding(fault, CONNECTING)
    for _ in range(2):
        _drop_pooled(world)
        world.gateway.mode = mode
        answers = world.ask_at_once(16, SMALL, "beta")
        answers += world.ask_at_once(16, SMALL, "beta")
        world.judge(finding, answers)
        finding.expect(all(answer.status == 503 for answer in answers), "an answer that was not 503")
        quick = [world.ask(SMALL, "beta") for _ in range(50)]
        finding.expect(quantiles([each.seconds for each in quick], n=50)[-1] < OPEN_BREAKER, "slow with open breaker")
        finding.tried += 1
        world.gateway.mode = FORWARD
        world.recover(finding, "beta")
    finding.expect((finding.recovered or 0) <= 5, "more than 5 s to recover")
    return finding


def _drop_pooled(world: World) -> None:
    for backend in world.backends("beta"):
        os.kill(backend, signal.SIGTERM)
    settle(lambda: not world.backends("beta"))


def listen_in_silence(world: World) -> Finding:
    """Accept connections and never answer."""
    return _be_unreachable(world, "listener that never answers", SILENT)


def trickle(world: World) -> Finding:
    """Forward handshakes one byte at a time."""
    return _be_unreachable(world, "handshake that trickles", TRICKLE)


def drop_packets(world: World) -> Finding:
    """Drop all packets from a cluster, first with open connections, then without."""
    finding = Finding("dropped packets", CONNECTING)
    if world.cable is None:
        finding.skipped = find_obstacle()
        return finding
    for _ in range(2):
        world.ask_at_once(4, SMALL, "gamma")
        world.cable.cut()
        answers = world.ask_at_once(8, SMALL, "gamma") + world.ask_at_once(8, SMALL, "gamma")
        answers += world.ask_at_once(8, SMALL, "gamma")
        world.judge(finding, answers)
        finding.expect(all(answer.status == 503 for answer in answers), "an answer that was not 503")
        quick = [world.ask(SMALL, "gamma") for _ in range(50)]
        finding.expect(quantiles([each.seconds for each in quick], n=50)[-1] < OPEN_BREAKER, "slow with open breaker")
        finding.tried += 1
        world.cable.mend()
        world.recover(finding, "gamma")
    finding.expect((finding.recovered or 0) <= 5, "more than 5 s to recover")
    return finding


def restart_database(world: World) -> Finding:
    """Restart the server under load: errors are allowed only while it is down."""
    finding = Finding("database restarted under load", LATE)
    with world.superuser() as cursor:
        cursor.execute("SHOW data_directory")
        ((directory,),) = cursor.fetchall()
    owner = Path(directory).stat().st_uid
    command = [str(world.postgres.bin_dir / "pg_ctl"), "restart", "-D", directory, "-m", "fast", "-w", "-l", os.devnull]
    with world.load(4, SMALL, "alpha") as answers:
        time.sleep(1)
        subprocess.run(command, user=owner, check=True, capture_output=True)
        up = time.monotonic()
        settle(lambda: world.ask(SMALL, "alpha").status == 200, 10)
        finding.recovered = time.monotonic() - up
        before = len(answers)
        time.sleep(3)
        after = answers[before + 4 :]
    world.judge(finding, answers)
    finding.tried = 1
    finding.expect(all(answer.status == 200 for answer in after), "errors after it was back")
    world.recover(finding, "alpha")
    return finding


MULTIPLY = """
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance)
SELECT 'huge', data_source, iteration, created_at, performance
FROM training_performance, generate_series(1, 10)
WHERE workload_uid = %s
"""


# All callers here have one address.
WITHOUT_LIMITS = {"rate=50r/s": "rate=99999r/s", "burst=200": "burst=99999"}


def roll(world: World) -> Finding:
    """Restart two instances behind nginx, one after the other, under load: no request may fail."""
    finding = Finding("rolling restart behind nginx", LATE)
    if not (locate_program("nginx") and locate_program("openssl")):
        finding.skipped = "nginx or openssl is not installed"
        return finding
    variables = {"LENS_PERF_CONFIG": str(world.settings)}
    with ExitStack() as stack:
        instances = [ExitStack(), ExitStack()]
        services = [stack.enter_context(each).enter_context(run_gunicorn("wsgi:app", variables)) for each in instances]
        ports = [service.port for service in services]
        nginx = stack.enter_context(run_nginx(ports, WITHOUT_LIMITS))
        front = replace(world, address=nginx.address, verify=str(nginx.authority))
        with front.load(4, SMALL, "alpha") as answers:
            for _ in range(2):
                for instance, port in zip(instances, ports, strict=True):
                    time.sleep(0.5)
                    instance.close()
                    instance.enter_context(run_gunicorn("wsgi:app", variables, port))
                    finding.tried += 1
            time.sleep(0.5)
    world.judge(finding, answers)
    failed = [answer.status for answer in answers if answer.status != 200]
    finding.expect(not failed, f"{len(failed)} failed: {failed[:5]}")
    finding.notes = [f"{len(answers)} requests"]
    return finding


def send_ten_million(world: World) -> Finding:
    """Request ten million points, which needs a first build, and measure the memory of the worker."""
    finding = Finding("ten million points", 60)
    with world.superuser() as cursor:
        cursor.execute(MULTIPLY, (UID,))
    world.ask_at_once(8, SMALL, "alpha")
    before = world.service.reset_peaks()
    answers = world.ask_for(1, 1, METRICS.format("huge") + "data", "alpha")
    growth = max(peak - before[pid] for pid, peak in world.service.peaks().items()) / 1024
    world.judge(finding, answers)
    finding.tried = len(answers)
    finding.notes = [f"a worker grows by {growth:.0f} MiB"]
    finding.expect(all(answer.status == 200 for answer in answers), "no answer")
    # The limit of the benchmark ``memory``: a build and all answers from it.
    finding.expect(growth <= 128, "more than 128 MiB")
    world.recover(finding, "alpha")
    return finding


def isolate(world: World) -> Finding:
    """Make one of two clusters unresponsive under load, and measure requests to the other."""
    finding = Finding("one of two clusters black-holed", CONNECTING)
    alone = world.ask_for(5, 4, SMALL, "alpha")
    _drop_pooled(world)
    world.gateway.mode = SILENT
    with world.callers(16, 10, SMALL, "beta") as dead:
        time.sleep(STARTING)
        beside = world.ask_for(5, 4, SMALL, "alpha")
    world.gateway.mode = FORWARD
    world.judge(finding, dead)
    finding.tried = len(dead)
    share, slower = len(beside) / len(alone), _p99(beside) / _p99(alone)
    finding.notes = [f"the other answers {share:.0%} as often, p99 {slower:.1f} times ({_p99(beside) * 1000:.0f} ms)"]
    errors = [answer.status for answer in beside if answer.status != 200]
    finding.expect(not errors, f"errors of the healthy cluster: {errors[:5]}")
    finding.expect(share >= 0.95, "too few answers of the healthy cluster")
    finding.expect(slower <= 2, "too slow answers of the healthy cluster")
    world.recover(finding, "beta")
    return finding


def _p99(answers: list[Answer]) -> float:
    return quantiles([answer.seconds for answer in answers], n=100)[-1]


def pull_millions(world: World) -> Finding:
    """Let 16 clients read a million points each, and measure small requests meanwhile."""
    finding = Finding("16 pull a million points each", 60)
    alone = world.ask_for(5, 4, SOURCES, "alpha")
    with world.callers(16, 12, LARGE, "beta") as heavy:
        time.sleep(STARTING)
        beside = world.ask_for(5, 4, SOURCES, "alpha")
    world.judge(finding, heavy)
    finding.tried = len(heavy)
    served = sum(answer.status == 200 for answer in heavy)
    share = len(beside) / len(alone)
    finding.notes = [f"small reads {share:.0%} as often; {served} large answers, {len(heavy) - served} refused"]
    finding.expect(all(answer.status == 200 for answer in beside), "errors of small reads")
    finding.expect(share >= 0.5, "too few small reads")
    world.recover(finding, "alpha")
    return finding


def kill_backends(world: World) -> Finding:
    """Kill server processes 1,000 times, at random moments."""
    finding = Finding("backends killed", USUAL_DEADLINE + 0.3)
    with world.load(4, SMALL, "alpha") as small, world.load(2, MIDDLE, "alpha") as middle, world.superuser() as cursor:
        while finding.tried < 1000:
            cursor.execute(
                "SELECT count(*) FILTER (WHERE pg_terminate_backend(pid)) FROM pg_stat_activity"
                " WHERE application_name = 'lens_perf' AND datname = 'alpha'"
            )
            finding.tried += cursor.fetchall()[0][0]
            time.sleep(0.03)
    world.judge(finding, [*small, *middle])
    finding.notes = [f"{sum(answer.status == 200 for answer in [*small, *middle])} right answers meanwhile"]
    world.recover(finding, "alpha")
    return finding


def kill_worker(world: World) -> Finding:
    """Kill gunicorn's workers while they wait for the database."""
    finding = Finding("worker killed", LATE)
    with world.superuser() as cursor:
        cursor.execute("BEGIN; LOCK training_performance IN ACCESS EXCLUSIVE MODE")
        with world.load(4, SMALL, "alpha"):
            wait_until(world.backends)
            for worker in list_children(world.service.pid):
                os.kill(worker, signal.SIGKILL)
                finding.tried += 1
            before = set(world.backends())
            started = time.monotonic()
            settle(lambda: not before & set(world.backends()))
            finding.notes = [f"their queries ended in {time.monotonic() - started:.1f} s"]
            finding.expect(not before & set(world.backends()), "queries of dead workers went on")
        cursor.execute("ROLLBACK")
    world.recover(finding, "alpha")
    return finding


def leave(world: World) -> Finding:
    """Send a request and disconnect, and measure how long the query continues."""
    finding = Finding("callers who leave", 1.0)
    url = urlsplit(world.address)
    with world.superuser() as cursor:
        cursor.execute("BEGIN; LOCK training_performance IN ACCESS EXCLUSIVE MODE")
        for _ in range(10):
            with socket.create_connection((url.hostname, url.port)) as client:
                client.sendall(f"GET {SMALL} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                wait_until(lambda: _count_waiting(world) == 1)
            started = time.monotonic()
            wait_until(lambda: _count_waiting(world) == 0)
            finding.worst = max(finding.worst, time.monotonic() - started)
            finding.tried += 1
        cursor.execute("ROLLBACK")
    world.recover(finding, "alpha")
    return finding


def _count_waiting(world: World) -> int:
    with world.superuser("postgres") as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'lens_perf' AND wait_event_type = 'Lock'"
        )
        return int(cursor.fetchall()[0][0])


def interrupt_imports(world: World) -> Finding:
    """Interrupt 200 imports at random moments: each leaves complete batches and ends with the status of a signal."""
    finding = Finding("interrupted imports", 2.0)

    def count(uid: str) -> int:
        with world.superuser() as cursor:
            cursor.execute("SELECT count(*) FROM training_performance WHERE workload_uid = %s", (uid,))
            return int(cursor.fetchall()[0][0])

    with tempfile.TemporaryDirectory() as directory:
        log = write_log(Path(directory))
        for ended in Interrupter(log, world.settings, "interrupted", count).interrupt_often(200):
            finding.tried += ended.number is not None
            finding.worst = max(finding.worst, ended.seconds)
            finding.failures += ended.list_faults()
    finding.notes = ["worst is from the signal to the end of the process"]
    return finding


SCENARIOS: Mapping[str, Callable[[World], Finding]] = {
    "frozen-backend": freeze_backends,
    "frozen-postmaster": freeze_postmaster,
    "silent-listener": listen_in_silence,
    "trickling-handshake": trickle,
    "dropped-packets": drop_packets,
    "isolation": isolate,
    "heavy-reads": pull_millions,
    "killed-backends": kill_backends,
    "restarted-database": restart_database,
    "killed-worker": kill_worker,
    "rolling-restart": roll,
    "ten-million-points": send_ten_million,
    "leaving-callers": leave,
    **EXHAUSTION,
    "interrupted-imports": interrupt_imports,
    "damaged-token-file": damage_token_file,
    "hostile-rows": read_hostile_rows,
    "polling-schedules": poll_schedules,
}
# Faults with the usual deadline, because some answers take long even without a fault.
UNHURRIED = {
    "full-temporary-directory",
    "heavy-reads",
    "killed-backends",
    "polling-schedules",
    "ten-million-points",
}
