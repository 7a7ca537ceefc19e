"""Measures reading the history of a W&B file, compared with the SDK's messages and the standard library's JSON."""

import json
import random
import struct
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from wandb.proto.wandb_internal_pb2 import Record

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.source_files import read_blocks
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS, read_wandb_files
from tests.benchmarks.measurements import Side, compare
from tests.benchmarks.outcome import Outcome
from tests.ingest.wandb_files.run_files import frame, history, run

ROWS = 50_000
METRICS = 12
# The metrics of a row, and _runtime; what becomes time and iteration is not counted.
VALUES = ROWS * (METRICS + 1)
FILE_NAME = "run-benchmark.wandb"
BLOCK_SIZE = 32768


def write_run(directory: Path) -> Path:
    """Return a run's file in ``directory``, written unless it is there."""
    path = directory / FILE_NAME
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_suffix(".unfinished")
        unfinished.write_bytes(frame([run("benchmark", 1_700_000_000), *_make_rows()]))
        unfinished.rename(path)
    return path


def _make_rows() -> Iterator[bytes]:
    source = random.Random(0)
    for step in range(ROWS):
        values: dict[str, float] = {f"train/metric_{index}": source.random() for index in range(METRICS)}
        values |= {"_timestamp": 1_700_000_000 + step * 0.731, "_runtime": step * 0.731, "_step": step}
        yield history(values, nested=True, step=step)


def measure_wandb_files(directory: Path, rounds: int, *, name: str) -> Outcome:
    """Measure thousands of values per second, assembled into records, against the SDK's parser alone."""
    path = write_run(directory)
    return Outcome(
        name,
        "k/s",
        *compare(_rate(partial(_read, path)), _rate(partial(_read_by_sdk, path)), rounds),
        1.0,
        at_least=True,
    )


def _rate(action: Callable[[], int]) -> Side:
    def measure() -> float:
        start = time.perf_counter()
        count = action()
        seconds = time.perf_counter() - start
        if count != VALUES:
            raise AssertionError(f"read {count} values, not {VALUES}")
        return count / seconds / 1000

    return measure


def _read(path: Path) -> int:
    summary = ReadSummary()
    observations = read_wandb_files([(str(path), read_blocks(path, summary))], summary)
    records = assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD, metadata=METADATA_FIELDS)
    deque(records, maxlen=0)
    return summary.metrics.total()


def _read_by_sdk(path: Path) -> int:
    count = 0
    for content in _scan(path):
        record = Record()
        record.ParseFromString(content)
        if record.WhichOneof("record_type") == "history":
            row = {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
            count += len(row) - 2
    return count


def _scan(path: Path) -> Iterator[bytes]:
    """Yield the records of a whole file, as its writer's own reader does: chunk by chunk, with its checksum."""
    with path.open("rb") as file:
        position, parts = len(file.read(7)), []
        while True:
            left = BLOCK_SIZE - position % BLOCK_SIZE
            if left < 7:
                position += len(file.read(left))
            header = file.read(7)
            if not header:
                return
            checksum, length, kind = struct.unpack("<IHB", header)
            data = file.read(length)
            if zlib.crc32(data, zlib.crc32(header[6:])) != checksum:
                raise AssertionError(f"damaged at byte {position}")
            position += 7 + length
            parts.append(data)
            if kind in (1, 4):
                yield b"".join(parts)
                parts = []
