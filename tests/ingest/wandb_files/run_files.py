"""Creates ``.wandb`` files: with the SDK's messages and framing by this module, or with W&B's own program.

The SDK's Go program, which takes a second to start, writes the framing. The framing here is compared with real files.
"""

import json
import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import HistoryItem, Record

BLOCK_SIZE = 32768
FILE_HEADER = bytes([0x3A, 0x57, 0x26, 0x42, 0xE1, 0xBE, 0x00])
# A scenario of the SDK's: how a run begins.
BEGIN = """
import math, sys, wandb
settings = wandb.Settings(console="off", x_disable_stats=True, disable_git=True, disable_code=True, {settings})
run = wandb.init(mode="offline", project="project", id="run-of-test", settings=settings)
"""


def frame(records: Iterable[bytes]) -> bytes:
    """Return the bytes of a file with these records."""
    file = bytearray(FILE_HEADER)
    for record in records:
        left, kinds = record, (1, 2)
        while left is not None:
            room = BLOCK_SIZE - len(file) % BLOCK_SIZE
            if room < 7:
                file += bytes(room)
                room = BLOCK_SIZE
            data, rest = left[: room - 7], left[room - 7 :]
            kind = bytes([kinds[bool(rest)]])
            file += struct.pack("<IH", zlib.crc32(kind + data), len(data)) + kind + data
            left, kinds = (rest or None), (4, 3)  # type: ignore[assignment] - None ends it
    return bytes(file)


def history(values: Mapping[str, Any], *, nested: bool = False, typed: bool = False, step: int | None = None) -> bytes:
    """Return a history record of ``values``, as older, newer and the newest SDKs write it."""
    record = Record(num=7)
    for name, value in values.items():
        item = record.history.item.add()
        if nested:
            item.nested_key.extend(name.split("."))
        else:
            item.key = name
        if typed:
            set_typed(item, value)
        else:
            item.value_json = json.dumps(value)
    if step is not None:
        record.history.step.num = step
    return record.SerializeToString()


def set_typed(item: HistoryItem, value: object) -> None:
    """Set a value in the typed form."""
    if isinstance(value, bool):
        item.boolean = value
    elif isinstance(value, int) and -(2**63) <= value < 2**63:
        item.integer = value
    elif isinstance(value, float):
        item.number = value
    elif isinstance(value, str):
        item.text = value
    else:
        item.json = json.dumps(value)


def metric(name: str = "", glob: str = "", step_metric: str = "", index: int = 0) -> bytes:
    """Return the record of a call of ``define_metric``."""
    record = Record()
    record.metric.name, record.metric.glob_name, record.metric.step_metric = name, glob, step_metric
    record.metric.step_metric_index = index
    return record.SerializeToString()


def run(run_id: str, seconds: int = 0) -> bytes:
    """Return the record of a run, including fields that must not be read."""
    record = Record()
    record.run.run_id, record.run.host = run_id, "host-of-somebody"
    record.run.start_time.FromSeconds(seconds)
    return record.SerializeToString()


def other(text: str) -> bytes:
    """Return a record that is not about metrics."""
    record = Record()
    record.output_raw.line = text
    return record.SerializeToString()


def log_with_wandb(directory: Path, lines: str, settings: str = "") -> list[Path]:
    """Run ``lines`` in an offline run of W&B's own program; return the files in ``directory``, sorted."""
    variables = {
        name: str(directory) for name in ("WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR")
    }
    program = BEGIN.format(settings=settings) + lines + "\nrun.finish()\n"
    environment = {**os.environ, **variables, "WANDB_SILENT": "true", "WANDB_MODE": "offline"}
    subprocess.run([sys.executable, "-c", program], check=True, cwd=directory, env=environment, timeout=120)
    return sorted(directory.rglob("*.wandb"))
