"""Measures reading an event file, compared with TensorBoard's own EventAccumulator without sampling."""

import random
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import DEFAULT_SIZE_GUIDANCE, EventAccumulator
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.event_files.reader import read_event_files
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.source_files import read_blocks
from tests.benchmarks.measurements import Side, compare
from tests.benchmarks.outcome import Outcome

STEPS = 42_000
TAGS = [f"train/metric_{index}" for index in range(12)]
SCALARS = STEPS * len(TAGS)
FILE_NAME = "events.out.tfevents.1700000000.benchmark"
TIMES_AS_FAST = 3.0


def write_events(directory: Path) -> Path:
    """Return an event file in a separate directory below ``directory``, which is written if it is missing."""
    path = directory / "events" / FILE_NAME
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        with unfinished.open("wb") as file:
            _write(RecordWriter(file))
        unfinished.rename(path)
    return path


def _write(writer: RecordWriter) -> None:
    source = random.Random(0)
    writer.write(Event(wall_time=1_700_000_000, file_version="brain.Event:2").SerializeToString())
    for step in range(STEPS):
        for index, tag in enumerate(TAGS):
            summary = Summary(value=[Summary.Value(tag=tag, simple_value=source.random())])
            wall_time = 1_700_000_000 + step * 0.731 + index * 1e-4
            writer.write(Event(wall_time=wall_time, step=step, summary=summary).SerializeToString())


def measure_event_files(directory: Path, rounds: int, *, name: str) -> Outcome:
    """Measure thousands of scalars per second, assembled into records, against TensorBoard's reader."""
    path = write_events(directory)
    figures = compare(_rate(partial(_read, path)), _rate(partial(_read_by_tensorboard, path)), rounds)
    return Outcome(name, "k/s", *figures, TIMES_AS_FAST, at_least=True)


def _rate(action: Callable[[], int]) -> Side:
    def measure() -> float:
        start = time.perf_counter()
        count = action()
        seconds = time.perf_counter() - start
        if count != SCALARS:
            raise AssertionError(f"read {count} scalars, not {SCALARS}")
        return count / seconds / 1000

    return measure


def _read(path: Path) -> int:
    summary = ReadSummary()
    observations = read_event_files([(str(path), "", read_blocks(path, summary))], summary)
    deque(assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD), maxlen=0)
    return summary.metrics.total()


def _read_by_tensorboard(path: Path) -> int:
    accumulator = EventAccumulator(str(path), size_guidance=dict.fromkeys(DEFAULT_SIZE_GUIDANCE, 0))
    accumulator.Reload()
    return sum(len(accumulator.Scalars(tag)) for tag in accumulator.Tags()["scalars"])
