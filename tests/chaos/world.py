"""The service under test: an embedded PostgreSQL with two clusters, one behind a gateway, and a real gunicorn."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import requests

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.schema import create_schema
from tests.benchmarks.gunicorn_process import GunicornProcess
from tests.chaos.finding import Finding
from tests.chaos.namespace import Cable
from tests.faults import Gateway, wait_until

UID = "chaos"
RECORDS = 100_000
SMALL_UID = "small"
METRICS = "/lens/v1/workloads/{}/metrics/"
SMALL = METRICS.format(SMALL_UID) + "data?metrics=loss"
SOURCES = METRICS.format(SMALL_UID) + "sources"
LARGE = METRICS.format(UID) + "data"
MIDDLE = METRICS.format(UID) + "data?metrics=loss"
SMALL_POINTS = 10

FILL = """
INSERT INTO training_performance (workload_uid, data_source, iteration, created_at, performance)
SELECT %s, 'log', i, now(), (SELECT jsonb_object_agg('m' || m, i + m / 7.0) FROM generate_series(1, 9) AS m)
    || jsonb_build_object('loss', i)
FROM generate_series(1, %s) AS i
"""


@dataclass(frozen=True)
class Answer:
    """A status, the time of the response in seconds, and whether a 200 was complete."""

    status: int
    seconds: float
    is_right: bool


@dataclass
class World:
    """The address of the service, and the parts in which faults are caused."""

    address: str
    postgres: EmbeddedPostgres
    gateway: Gateway
    cable: Cable | None
    service: GunicornProcess
    settings: Path
    verify: str | None = None
    """The certificate by which an address of https is known."""

    def ask(self, path: str, cluster: str, session: requests.Session | None = None) -> Answer:
        """Request data and check the answer."""
        started = time.monotonic()
        expected = SMALL_POINTS if SMALL_UID in path else RECORDS
        try:
            joint = "&" if "?" in path else "?"
            address = f"{self.address}{path}{joint}cluster={cluster}"
            response = (session or requests).get(address, timeout=60, verify=self.verify)
            is_right = response.status_code != 200 or json.loads(response.content)["total_count"] == expected
            status = response.status_code
        except requests.ConnectionError:
            status, is_right = 0, True
        except (requests.RequestException, ValueError):
            status, is_right = 0, False
        return Answer(status, time.monotonic() - started, is_right)

    def ask_at_once(self, count: int, path: str, cluster: str) -> list[Answer]:
        """Send ``count`` requests at once."""
        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(lambda _: self.ask(path, cluster), range(count)))

    @contextmanager
    def callers(self, count: int, seconds: float, path: str, cluster: str) -> Iterator[list[Answer]]:
        """Let processes send requests for ``seconds``; the list has their answers after the block.

        They are separate processes, so that they take no time of this one. A right answer has the usual length.
        """
        address = f"{self.address}{path}{'&' if '?' in path else '?'}cluster={cluster}"
        command = [sys.executable, "-m", "tests.chaos.drain", address, str(seconds)]
        processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
        answers: list[Answer] = []
        try:
            yield answers
            reported = [line.split() for process in processes for line in process.communicate()[0].splitlines()]
        finally:
            for process in processes:
                process.kill()
        right = max((int(size) for status, _, size in reported if status == "200"), default=0)
        answers += [
            Answer(int(status), float(took), status != "200" or int(size) == right) for status, took, size in reported
        ]

    def ask_for(self, seconds: float, clients: int, path: str, cluster: str) -> list[Answer]:
        """Let ``clients`` send one request after the other for ``seconds``."""
        with self.callers(clients, seconds, path, cluster) as answers:
            pass
        return answers

    @contextmanager
    def load(self, clients: int, path: str, cluster: str) -> Iterator[list[Answer]]:
        """Let ``clients`` send requests during the block; their answers are added to the list."""
        answers: list[Answer] = []
        done = threading.Event()

        def go_on() -> None:
            with requests.Session() as session:
                while not done.is_set():
                    answers.append(self.ask(path, cluster, session))

        threads = [threading.Thread(target=go_on) for _ in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield answers
        finally:
            done.set()
            for thread in threads:
                thread.join()

    @contextmanager
    def superuser(self, database: str = "alpha") -> Iterator[psycopg2.extensions.cursor]:
        """Open a connection that bypasses the service."""
        with closing(psycopg2.connect(self.postgres.dsn(database))) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            yield cursor

    def backends(self, database: str = "alpha", *, at_work: bool = False) -> list[int]:
        """Return the server processes of the service's connections, or only the active ones."""
        with self.superuser(database) as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'lens_perf' AND datname = %s"
                " AND (state <> 'idle' OR NOT %s)",
                (database, at_work),
            )
            return [pid for (pid,) in cursor.fetchall()]

    def slots_in_use(self) -> int:
        """Return the number of connections in use in all pools, from the service's own metrics."""
        text = requests.get(f"{self.address}/metrics", timeout=10).text
        return int(sum(map(float, re.findall(r'lens_perf_pool_connections\{.*state="in_use"\} (\S+)', text))))

    def judge(self, finding: Finding, answers: list[Answer]) -> None:
        """Add ``answers`` to a finding."""
        finding.worst = max([finding.worst, *(answer.seconds for answer in answers)])
        finding.wrong += sum(not answer.is_right for answer in answers)

    def recover(self, finding: Finding, cluster: str) -> None:
        """Wait until the cluster answers again, and count the connections still in use then."""
        started = time.monotonic()
        wait_until(lambda: self.ask(SMALL, cluster).status == 200, 30)
        finding.recovered = max(finding.recovered or 0.0, time.monotonic() - started)
        settle(lambda: self.slots_in_use() == 0)
        finding.slots += self.slots_in_use()


def list_children(pid: int) -> list[int]:
    """Return the processes that a process started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]


def settle(condition: Callable[[], bool], seconds: float = 3) -> None:
    """Wait for ``condition``, at most ``seconds``. The caller checks the result."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)


def fill(postgres: EmbeddedPostgres) -> None:
    """Create the clusters and their workloads."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for name in ("alpha", "beta"):
            cursor.execute(f"CREATE DATABASE {name}")
    for name in ("alpha", "beta"):
        with closing(psycopg2.connect(postgres.dsn(name))) as connection:
            create_schema(connection)
            with connection, connection.cursor() as cursor:
                cursor.execute(FILL, (UID, RECORDS))
                cursor.execute(FILL, (SMALL_UID, SMALL_POINTS))


def format_settings(postgres: EmbeddedPostgres, gateway: Gateway, cable: Cable | None, deadline: float) -> str:
    """Return the settings: cluster alpha is local, beta behind the gateway, gamma behind the cable."""
    gamma = f'[clusters.gamma]\ndsn = "{cable.dsn}"\n' if cable else ""
    return (
        f'default_cluster = "alpha"\n[limits]\ndeadline_seconds = {deadline}\n'
        f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"\n[clusters.beta]\ndsn = "{gateway.dsn("beta")}"\n{gamma}'
    )
