"""Reads damaged and hostile files: readers may raise only ImportInputError, and all rows must be storable.

``python -m tests.ingest.fuzzing --minutes 10`` runs longer and prints the seed of each failure; the tests do a
little of the same. The files are made from samples, and from real ones where there are any.
"""

import argparse
import csv
import gzip
import io
import json
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from lens_perf.errors import ImportInputError
from lens_perf.ingest.assembly import LARGEST_ITERATION, assemble
from lens_perf.ingest.event_files.framing import RecordSplitter as EventSplitter
from lens_perf.ingest.imports import REPETITIONS
from lens_perf.ingest.kinds import SourceOptions, read_sources
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.recognition import Kind, choose_kind
from lens_perf.ingest.record_writer import _format_rows, batch_records
from lens_perf.ingest.storable_names import keep_names_storable
from lens_perf.ingest.wandb_files.framing import RecordSplitter as WandbSplitter
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS
from tests.ingest.event_files import written
from tests.ingest.wandb_files import run_files
from tests.real_data import REAL_DATA

LARGEST_SEED = 1 << 15
SAMPLES = Path(__file__).parent / "logs" / "samples"
# Texts that have broken readers: numbers beyond limits, deep nesting, halves of surrogate pairs, invalid characters.
TOKENS = (
    *(bytes([char]) for char in b"\0\n\r\xff\"'\\,;:|=[]{}(/-+.e_ "),
    *(b"nan", b"NaN", b"-Infinity", b"null", b"true", b"1e400", b"-1e-400", b"0.1234567890123456789012", b"1_000"),
    *(b"9" * 5000, b"9" * 20, b"2147483648", b"-1", "٣".encode(), b"0:00:01", b"2026-02-30 25:61:61", b"1970-01-01"),
    *(b"\\ud800", b"\\u0000", b"\xed\xa0\x80", "\u202e".encode(), b"\x1b[31m", b"\x80" * 12),
    *(b"[" * 3000, b'{"a":' * 3000, b"]" * 3000, b"a" * 2000, b" " * 2000),
    *(b"iteration 1/ 2 |", b"step", b"epoch", b'"step": "30"'),
)


def list_seeds() -> dict[Kind, list[bytes]]:
    """Return samples of each kind."""
    seeds: dict[Kind, list[bytes]] = {
        Kind.LOG: [path.read_bytes()[:LARGEST_SEED] for path in sorted(SAMPLES.glob("*.log"))],
        Kind.TENSORBOARD: [make_events()],
        Kind.WANDB: [make_run(), b'"Step","a - loss","a - loss__MIN"\n"1","0.5","0.25"\n"2","","NaN"\n'],
        Kind.HUGGINGFACE: [make_state(), b'{"epoch": 3.0, "eval_loss": 0.5, "train_runtime": 1e3}'],
        Kind.CSV: [make_csv(), b"# step loss\n1 2\n2 3\n", b"key,value,timestamp,step\nloss,0.5,1769857200000,1\n"],
        Kind.JSONL: [make_lines(), json.dumps([json.loads(line) for line in make_lines().splitlines()]).encode()],
    }
    for kind, pattern in REAL_FILES:
        for path in sorted(REAL_DATA.parent.glob(pattern)):
            content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
            seeds[kind].append(content[:LARGEST_SEED])
    return seeds


REAL_FILES = (
    (Kind.LOG, "real/log/*"),
    (Kind.LOG, "real/dialects/*"),
    (Kind.LOG, "cases/*.*"),
    (Kind.LOG, "cases/real/*.*"),
    (Kind.TENSORBOARD, "real/tensorboard/*/*"),
    (Kind.WANDB, "real/wandb/**/*.wandb"),
    (Kind.WANDB, "real/wandb/*.csv"),
    (Kind.HUGGINGFACE, "real/hf/*.json"),
    (Kind.JSONL, "cases/real/*.jsonl"),
)


def make_events() -> bytes:
    """Return an event file with scalars of both forms, twins and other values."""
    events = [written.scalar("loss", step, step / 2) for step in range(5)]
    events += [written.tensor("acc", 1, 0.5, plugin="scalars"), written.scalar("loss vs samples", 320, 2.0)]
    return written.frame(events)


def make_run() -> bytes:
    """Return a W&B file whose iteration is a metric, in several forms."""
    rows = [{"_step": step, "train/global_step": step, "loss": step / 3, "_timestamp": 1.7e9} for step in range(5)]
    records = [run_files.run("id"), run_files.metric("train/global_step")]
    records += [run_files.history(row, nested=bool(index % 2), typed=index > 3) for index, row in enumerate(rows)]
    return run_files.frame(records)


def make_state() -> bytes:
    """Return the state of a trainer."""
    entries: list[dict[str, Any]] = [{"step": step, "loss": step / 3, "lr": 1e-4, "time": "1h"} for step in range(5)]
    return json.dumps({"log_history": entries, "max_steps": 9, "trial_params": None}, indent=1).encode()


def make_csv() -> bytes:
    """Return a CSV with quoted cells, blanks and times."""
    file = io.StringIO()
    csv.writer(file).writerows(
        [["epoch", "step", "time", "loss", "note"], [0, 1, "2026-01-31 12:00:00", 0.5, 'a "b"\nc'], [0, 2, "", "", ""]]
    )
    return file.getvalue().encode()


def make_lines() -> bytes:
    """Return JSON lines of LLaMA-Factory and others."""
    rows = [
        {"current_steps": step, "total_steps": 9, "loss": step / 3, "elapsed_time": "0:32:48", "a": {"b": [1, 2]}}
        for step in range(5)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def mutate(seed: bytes, source: random.Random) -> bytes:
    """Return a file with some parts removed, repeated, changed or inserted."""
    content = bytearray(seed)
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        place = source.randrange(len(content) + 1)
        length = source.choice((1, 4, 50, 1000))
        piece = content[place : place + length]
        match source.randrange(6):
            case 0:
                content[place : place + length] = source.choice(TOKENS)
            case 1:
                content[place:place] = source.choice(TOKENS)
            case 2:
                del content[place : place + length]
            case 3:
                content[place:place] = piece * source.choice((1, 3))
            case 4 if piece:
                content[place] ^= 1 << source.randrange(8)
            case 5:
                del content[place:]
    return bytes(content)


def mutate_event_records(seed: bytes, source: random.Random) -> bytes:
    """Return an event file whose records are damaged below their checksums."""
    records = list(EventSplitter("", ReadSummary()).feed(seed))
    return written.frame_records(mutate(each, source) if source.random() < 0.3 else each for each in records)


def mutate_wandb_records(seed: bytes, source: random.Random) -> bytes:
    """Return a W&B file whose records are damaged below their checksums."""
    records = list(WandbSplitter("", ReadSummary()).feed(seed))
    return run_files.frame([mutate(each, source) if source.random() < 0.3 else each for each in records])


DEEPER: dict[Kind, Callable[[bytes, random.Random], bytes]] = {
    Kind.TENSORBOARD: mutate_event_records,
    Kind.WANDB: mutate_wandb_records,
}


def make_file(kind: Kind, seeds: Sequence[bytes], source: random.Random) -> bytes:
    """Return a damaged file of a kind."""
    seed = source.choice(seeds)
    if kind in DEEPER and source.random() < 0.5:
        seed = DEEPER[kind](seed, source)
    content = mutate(seed, source)
    return mutate(gzip.compress(content), source) if source.random() < 0.05 else content


def check(kind: Kind, content: bytes, path: Path) -> None:
    """Read a file as ``kind`` and as the recognised kind. Raises AssertionError and the exceptions of readers."""
    path.write_bytes(content)
    read(kind, path)
    try:
        chosen = choose_kind([path], SourceOptions().log.dialects).kind
    except ImportInputError:
        return
    if chosen is not kind:
        read(chosen, path)


def read(kind: Kind, path: Path) -> None:
    """Read a file, and format the rows to be stored."""
    summary = ReadSummary()
    try:
        observations = keep_names_storable(read_sources(kind, [path], summary, SourceOptions()), summary)
        metadata = METADATA_FIELDS if kind is Kind.WANDB else frozenset()
        for batch in batch_records(assemble(observations, summary, repetition=REPETITIONS[kind], metadata=metadata)):
            assert all(abs(record.iteration or 0) <= LARGEST_ITERATION for record in batch)
            text = _format_rows(batch).getvalue()
            text.encode()
            assert "\0" not in text
            assert not any("\0" in name for record in batch for name in record.performance)
    except ImportInputError as error:
        error.message.encode("utf-8", "surrogateescape")
    json.dumps(summary.as_json())
    summary.format().encode()


def main() -> int:
    """Fuzz for some minutes. Exit status 1: a reader raised another exception than ImportInputError."""
    parser = argparse.ArgumentParser(prog="python -m tests.ingest.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument(
        "--seed", type=int, default=time.time_ns() % 10**9, help="of the first file; each next is one more"
    )
    parser.add_argument("--kind", type=Kind, choices=list(Kind), action="append")
    arguments = parser.parse_args()
    kinds, seeds, slowest = arguments.kind or list(Kind), list_seeds(), (0.0, 0)
    end, number, failures = time.monotonic() + 60 * arguments.minutes, arguments.seed, 0
    with tempfile.TemporaryDirectory(prefix="lens") as directory:
        while time.monotonic() < end:
            source = random.Random(number)
            kind = kinds[number % len(kinds)]
            content = make_file(kind, seeds[kind], source)
            begin = time.monotonic()
            try:
                check(kind, content, Path(directory) / "input")
            except Exception:
                failures += 1
                print(f"--kind {kind} --seed {number}", file=sys.stderr)
                traceback.print_exc()
            slowest = max(slowest, (time.monotonic() - begin, number))
            number += 1
    print(f"{number - arguments.seed} files, {failures} failures, slowest {slowest[0]:.2f} s (--seed {slowest[1]})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
