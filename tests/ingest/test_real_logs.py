"""Real logs, through the command line and back over HTTP, against an independent reading of the files."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from flask import Flask

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Ask
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = [needs_real_data, pytest.mark.parametrize("postgres", [18], indirect=True)]


class Facts(NamedTuple):
    """What the data's README says of a log: records, iteration range, target, and how many restarts."""

    records: int
    first: int
    last: int
    target: int
    restarts: int = 0
    step: int = 1


LOGS = {
    "log/primus-megatron_mi355x_deepseek-v2-lite.log": Facts(20, 1, 20, 20),
    "log/primus-megatron_50it.log": Facts(50, 1, 50, 50),
    "log/megatron-core_resumed-at-14001.out.gz": Facts(1549, 14001, 15549, 15550),
    "log/megatron-core_4-runs-in-one-file.out.gz": Facts(1200, 1, 300, 300, 3),
    "log/gpt-neox_70m_3072it.out.gz": Facts(3072, 1, 3072, 3072),
    "log/megatron-deepspeed_mi250x_lumi-256-node.out.gz": Facts(40, 1, 40, 143066),
    "dialects/megatron-core_grad-norm-nan.out": Facts(15, 1, 15, 15),
    "dialects/megatron-deepspeed-2021_timers.out": Facts(62, 1, 62, 1000),
    "dialects/megatron-lm-2021_fp16-skips.out": Facts(20, 10, 200, 1000, step=10),
    "dialects/primus-megatron-trainer-py_llama2-7b.log": Facts(3, 1, 3, 3),
}
OTHER_KINDS = [
    "log/hf-trainer_tevatron_6wtuv9pb_output.log",
    "dialects/nanogpt_iter-lines.log",
    "dialects/torchtitan_qwen3-14b_fsdp.log",
]
# What a field is called in the file, and as a metric: enough of them to be sure, found without the package's help.
FIELDS = {
    r"lm[ _]loss: (\S+)": "lm_loss",
    r"learning rate: (\S+)": "learning_rate",
    r"grad norm: (\S+)": "grad_norm",
    r"elapsed time per iteration \(ms\): ([0-9.]+)": "elapsed_time_per_iteration_ms",
    r"consumed samples: +(\d+)": "consumed_samples",
    r"loss scale: (\S+)": "loss_scale",
    r"num zeros: (\S+)": "num_zeros",
}


@pytest.fixture
def import_file(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], uid: str) -> Callable[[str], str]:
    settings = write_settings(f'[clusters.alpha]\ndsn = "{postgres.dsn("alpha")}"')

    def run(name: str) -> str:
        arguments = ["import", "log", str(REAL_DATA / name), "--workload", uid, "--config", str(settings)]
        result = CliRunner().invoke(main, arguments, catch_exceptions=False)
        return f"{result.exit_code}: {result.output}"

    return run


def read_values(name: str) -> dict[str, list[float]]:
    """Return the finite values of FIELDS in the order of the file, leaving out lines that repeat the one before."""
    content = (REAL_DATA / name).read_bytes()
    text = (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8", "replace")
    values: dict[str, list[float]] = {metric: [] for metric in FIELDS.values()}
    previous = ""
    for line in text.splitlines():
        found = re.search(r"iteration +\d+/ *\d+ \|.*", line)
        if found and found.group() != previous:
            previous = found.group()
            for pattern, metric in FIELDS.items():
                value = re.search(pattern, line)
                if value and value.group(1) != "nan":
                    values[metric].append(float(value.group(1)))
    return {metric: numbers for metric, numbers in values.items() if numbers}


@pytest.mark.parametrize("name", LOGS)
def test_real_log(import_file: Callable[[str], str], ask: Ask, app: Flask, name: str) -> None:
    facts = LOGS[name]
    assert import_file(name).startswith("0: ")
    again = import_file(name)
    assert f"wrote 0 new records, replaced 0, left {facts.records} unchanged" in again
    assert f"{facts.records} records, iterations {facts.first} to {facts.last}, {facts.restarts} restarts" in again
    assert ask("sources")["data_sources"] == [{"name": "log", "count": facts.records}]

    times = ask("iteration-times")["data"]
    iterations = [point["value"] for point in times if point["metric_name"] == "iteration"]
    assert iterations == list(range(facts.first, facts.last + 1, facts.step))
    assert {point["value"] for point in times if point["metric_name"] == "target_iteration"} == {facts.target}

    expected = read_values(name)
    assert "lm_loss" in expected
    points = ask("data")["data"]
    for metric, numbers in expected.items():
        assert [point["value"] for point in points if point["metric_name"] == metric] == numbers


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_other_kinds_are_refused_in_one_line(
    import_file: Callable[[str], str], ask: Ask, app: Flask, name: str
) -> None:
    told = import_file(name)
    assert told.startswith("2: lens-perf: ")
    assert "reports an iteration" in told
    assert ask("sources")["total_count"] == 0
