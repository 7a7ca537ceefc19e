"""Reading takes linear time for every input, measured by the number of executed lines of Python.

This covers the loops around patterns; test_linear_time covers the patterns.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from lens_perf.ingest.recognition import Kind
from tests.ingest.event_files import written
from tests.ingest.fuzzing import read
from tests.ingest.wandb_files import run_files

SMALL, LARGE = 300, 1200


def count_lines(work: Callable[[], object]) -> int:
    """Return how many lines of the package run."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if "lens_perf/ingest" not in frame.f_code.co_filename:
            return None
        count += event == "line"
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(previous)
    return count


def rows_of_one_iteration(size: int) -> bytes:
    rows = [{"_step": step, "train/global_step": 1, f"metric_{step}": step} for step in range(size)]
    return run_files.frame([run_files.metric("train/global_step"), *(run_files.history(row) for row in rows)])


INPUTS: dict[str, tuple[Kind, Callable[[int], bytes]]] = {
    "columns of one name": (Kind.CSV, lambda size: f"step{',a' * size}\n1{',2' * size}\n".encode()),
    "open quotes": (Kind.CSV, lambda size: b"step,a\n" + b'1,"2\n' * size),
    "repeated headers": (Kind.CSV, lambda size: b"step,a\n1,2\n" * size),
    "other headers": (Kind.CSV, lambda size: "".join(f"step,a{n}\n{n},2\n" for n in range(size)).encode()),
    "rows of one step": (Kind.CSV, lambda size: b"step,a\n" + b"".join(b"1,%d\n" % n for n in range(size))),
    "short rows": (Kind.CSV, lambda size: b"step,a\n" + b"1\n" * size),
    "epochs": (Kind.CSV, lambda size: b"epoch,step,a\n" + b"".join(b"%d,1,2\n" % n for n in range(size))),
    "names": (Kind.JSONL, lambda size: "".join(f'{{"step": {n}, "a{n}": 1}}\n' for n in range(size)).encode()),
    "names that are not storable": (
        Kind.JSONL, lambda size: "".join(f'{{"step": {n}, "a\\u0000{n}": 1}}\n' for n in range(size)).encode()
    ),
    "names that collide": (
        Kind.JSONL, lambda size: b"".join(b'{"step": 1, "%s": 1}\n' % (b" " * n) for n in range(size))
    ),
    "names given twice": (Kind.JSONL, lambda size: b'{"step": 1' + b', "a": 1' * size + b"}"),
    "objects within objects": (Kind.JSONL, lambda size: b'{"step": 1, "a": [%s]}' % (b'{"b": 1},' * size)[:-1]),
    "lines that are no JSON": (Kind.JSONL, lambda size: b'{"step": 1, "a": 1}\n' + b"{\n" * size),
    "an array of brackets": (Kind.JSONL, lambda size: b"[" + b'{"step": 1},' * size + b"["),
    "entries without a step": (Kind.HUGGINGFACE, lambda size: b'{"log_history": [' + b'{"a": 1},' * size),
    "entries that are open": (Kind.HUGGINGFACE, lambda size: b'{"log_history": [' + b'{"a": ' * size),
    "quotes": (Kind.HUGGINGFACE, lambda size: b'{"log_history": [{"a": "' + b'\\"' * size),
    "states": (
        Kind.HUGGINGFACE,
        lambda size: json.dumps({"log_history": [{"step": n % 2, "a": n} for n in range(size)]}).encode(),
    ),
    "tags": (
        Kind.TENSORBOARD, lambda size: written.frame([written.scalar(f"tag {n}", 1, n) for n in range(size)])
    ),
    "no records": (Kind.TENSORBOARD, lambda size: b"1\0\0\0\0\0\0\0" * size),
    "zeros": (Kind.TENSORBOARD, lambda size: b"1" + bytes(100 * size)),
    "rows of one iteration": (Kind.WANDB, rows_of_one_iteration),
    "rules": (
        Kind.WANDB,
        lambda size: run_files.frame(
            [*(run_files.metric(glob=f"a{n}*", step_metric="_step") for n in range(size)), run_files.history({"a": 1})]
        ),
    ),
    "chunks without a beginning": (Kind.WANDB, lambda size: run_files.FILE_HEADER + bytes(range(1, 256)) * size),
    "cells of a chart": (
        Kind.WANDB, lambda size: b'"Step"' + b',"a - b"' * size + b'\n"1"' + b',"2"' * size + b"\n"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", INPUTS)
def test_four_times_the_input_takes_four_times_the_lines(name: str, tmp_path: Path) -> None:
    kind, write = INPUTS[name]

    def count(size: int) -> int:
        path = tmp_path / "input"
        path.write_bytes(write(size))
        return count_lines(lambda: read(kind, path))

    small, large = count(SMALL), count(LARGE)
    assert large <= 1.3 * (LARGE / SMALL) * small


def test_a_loop_within_a_loop_is_noticed() -> None:
    from lens_perf.ingest.storable_names import NamesApart

    class Forgetful(NamesApart):
        def take(self, name: str) -> str:
            self._numbers.clear()
            return super().take(name)

    def count(size: int) -> int:
        names = Forgetful()
        return count_lines(lambda: [names.take("a") for _ in range(size)])

    assert count(LARGE) > 10 * count(SMALL)
