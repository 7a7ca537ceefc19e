"""Measures imports end to end, from a file into PostgreSQL, and the memory and speed of reading logs."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from statistics import median

import psycopg2

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.imports import ImportJob, ImportReport, run_import
from lens_perf.ingest.logs.lines import split_whole_lines
from lens_perf.ingest.logs.reader import read_log
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.source_files import read_blocks
from tests.benchmarks.event_files import measure_event_files, write_events
from tests.benchmarks.gunicorn_process import ROOT, read_peak
from tests.benchmarks.measurements import MIB, Bench
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.wandb_files import measure_wandb_files, write_run

UID = "bench-import"
# As in logs of large jobs: one line of an iteration among many other lines of ranks.
NOISE_LINES = 40
NOISE = "".join(
    f"{rank}: [2026-05-22 02:11:05,{rank:03}] [INFO] [utils.py:{rank}:see_memory_usage] CA 12.5 GB Max_CA 13 GB\n"
    for rank in range(NOISE_LINES)
)
ITERATION_LINE = (
    "55:  [2026-05-22 02:11:05.696508] iteration {0:8d}/ 9999999 | consumed samples: {0:12d} | elapsed time per "
    "iteration (ms): 561{1}.2 | throughput per GPU (TFLOP/s/GPU): 79.{1} | learning rate: 5.148401E-05 | global batch "
    "size:   336 | lm loss: 2.39905{1}E+00 | loss scale: 1.0 | grad norm: 0.12{1} | number of skipped iterations:   0 "
    "| number of nan iterations:   0 |\n"
)
LARGE_LOG = 1_000_000_000
SMALL_LOG = 100_000_000
MOST_MEMORY_MIB = 100
LEAST_VALUES_PER_SECOND = 50.0


def write_log(directory: Path, size: int) -> Path:
    """Return a log of at least ``size`` bytes in ``directory``, which is written if it is missing."""
    path = directory / f"training-{size}.log"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("w") as file:
            iteration = 0
            while file.tell() < size:
                iteration += 1
                file.write(NOISE + ITERATION_LINE.format(iteration, iteration % 10))
        unfinished.rename(path)
    return path


@contextmanager
def no_records(dsn: str) -> Iterator[None]:
    """Delete the records of the import."""
    try:
        yield
    finally:
        with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute("DELETE FROM training_performance WHERE workload_uid = %s", (UID,))


def measure_log_reading(bench: Bench, *, name: str) -> Outcome:
    """Measure in MB per second how fast a log is read and assembled into records."""
    path = write_log(bench.files, SMALL_LOG)

    def read() -> float:
        summary = ReadSummary()
        start = time.perf_counter()
        deque(assemble(read_log(split_whole_lines(read_blocks(path, summary)), summary), summary), maxlen=0)
        return path.stat().st_size / (time.perf_counter() - start) / 1e6

    return Outcome(name, "MB/s", median(read() for _ in range(bench.rounds)), None, None)


def measure_log_memory(bench: Bench, *, name: str) -> Outcome:
    """Measure the peak memory of importing a log of a gigabyte, by the command and into PostgreSQL."""
    path = write_log(bench.files, LARGE_LOG)
    command = [sys.executable, "-m", "lens_perf", "import", "log", str(path), "--workload", UID]
    environment = {**os.environ, **bench.write_settings()}
    peak = 0
    with (
        no_records(bench.dsn),
        subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL) as process,
    ):
        # wait4() would include the memory of this process, from which the new one was forked.
        while process.poll() is None:
            with suppress(StopIteration, OSError):
                peak = max(peak, read_peak(process.pid))
            time.sleep(0.05)
    if process.returncode:
        raise AssertionError(f"the import ended with status {process.returncode}")
    return Outcome(name, "MiB", peak / MIB, None, MOST_MEMORY_MIB)


def measure_import(bench: Bench, *, name: str, write: Callable[[Path], Path]) -> Outcome:
    """Measure thousands of metric values per second, from a file into the table."""
    path = write(bench.files)

    def store() -> float:
        with no_records(bench.dsn):
            start = time.perf_counter()
            report = run_import(ImportJob([path], UID), lambda: closing(psycopg2.connect(bench.dsn)))
            return _count_values(report) / (time.perf_counter() - start) / 1000

    return Outcome(
        name, "k/s", median(store() for _ in range(bench.rounds)), None, LEAST_VALUES_PER_SECOND, at_least=True
    )


def _count_values(report: ImportReport) -> int:
    if report.written is None or report.written.inserted != report.read.records:
        raise AssertionError(f"not all was stored: {report}")
    return report.read.metrics.total()


Measurement = Callable[..., Outcome]


def measure_reading(bench: Bench, *, name: str, measure: Measurement) -> Outcome:
    """Measure only the reading of a file format."""
    return measure(bench.files, bench.rounds, name=name)


IMPORTS: Mapping[str, Measurement] = {
    "read-log": measure_log_reading,
    "read-events": partial(measure_reading, measure=measure_event_files),
    "read-wandb": partial(measure_reading, measure=measure_wandb_files),
    "import-events": partial(measure_import, write=write_events),
    "import-wandb": partial(measure_import, write=write_run),
    "import-memory": measure_log_memory,
}
