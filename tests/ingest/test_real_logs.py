"""Real logs through the command line and the API, compared with an independent reading of the files."""

import ast
import gzip
import json
import re
from typing import NamedTuple

import pytest
from flask import Flask

from tests.conftest import Ask
from tests.ingest.importing import Importer
from tests.real_data import REAL_DATA, needs_real_data

pytestmark = [needs_real_data, pytest.mark.parametrize("postgres", [18], indirect=True)]


class Facts(NamedTuple):
    """The expected content of a log by the data's README: records, range of iterations, target, restarts."""

    records: int
    first: int
    last: int
    target: int | None
    restarts: int = 0
    step: int = 1
    lines: int | None = None


LOGS = {
    "log/primus-megatron_mi355x_deepseek-v2-lite.log": Facts(20, 1, 20, 20, lines=3294),
    "log/primus-megatron_50it.log": Facts(50, 1, 50, 50, lines=1601),
    "log/megatron-core_resumed-at-14001.out.gz": Facts(1549, 14001, 15549, 15550, lines=22086),
    "log/megatron-core_4-runs-in-one-file.out.gz": Facts(1200, 1, 300, 300, 3, lines=25094),
    "log/gpt-neox_70m_3072it.out.gz": Facts(3072, 1, 3072, 3072, lines=25568),
    "log/megatron-deepspeed_mi250x_lumi-256-node.out.gz": Facts(40, 1, 40, 143066, lines=34920),
    "dialects/megatron-core_grad-norm-nan.out": Facts(15, 1, 15, 15),
    "dialects/megatron-deepspeed-2021_timers.out": Facts(62, 1, 62, 1000),
    "dialects/megatron-lm-2021_fp16-skips.out": Facts(20, 10, 200, 1000, step=10),
    "dialects/primus-megatron-trainer-py_llama2-7b.log": Facts(3, 1, 3, 3, lines=895),
    "dialects/primus-torchtitan_qwen3-32b.log": Facts(3, 1, 3, None),
    "dialects/torchtitan_qwen3-14b_fsdp.log": Facts(10, 1, 10, None),
    "dialects/nanogpt_iter-lines.log": Facts(2547, 0, 2546, None),
    "dialects/mlperf-mllog_mi300x_llama2-70b-lora.txt": Facts(5, 1536, 3072, None, step=384, lines=52),
}
# Values of some iterations, by metric, as they are printed in the file.
SAMPLES: dict[str, dict[str, dict[int, float]]] = {
    "log/primus-megatron_mi355x_deepseek-v2-lite.log": {
        "rocm_max_mem_rank": {1: 1, 2: 4, 3: 4, 20: 4},
        "rocm_max_mem_usage_gb": {1: 248.37, 2: 251.53, 3: 251.53, 20: 251.53},
        "rocm_max_mem_usage_percent": {1: 86.25, 2: 87.34, 3: 87.34, 20: 87.34},
        "rocm_mem_usage_gb": {1: 234.35, 2: 250.12},
        "tflops": {1: 98.1, 2: 139.0, 4: 239.8},
        "tflops_average": {3: 238.4, 4: 239.1},
    },
}
# Names that contain a value, such as a rank, or that were kept apart from another name by a number.
SUSPECT = re.compile(r"rank.*\d|_\d+$|[ /]")
# Patterns for some fields in the file, by metric; independent of the package.
FIELDS = {
    r"lm[ _]loss: (\S+)": "lm_loss",
    r"learning rate: (\S+)": "learning_rate",
    r"grad norm: (\S+)": "grad_norm",
    r"elapsed time per iteration \(ms\): ([0-9.]+)": "elapsed_time_per_iteration_ms",
    r"consumed samples: +(\d+)": "consumed_samples",
    r"loss scale: (\S+)": "loss_scale",
    r"num zeros: (\S+)": "num_zeros",
    r"validation (?:loss|results) at iteration \d+ \| lm[ _]loss value: (\S+)": "validation_lm_loss",
    r" forward-compute: (\S+)": "forward_compute_time_ms",
    r"hip mem usage/free/total/usage_ratio: ([0-9.]+)GB": "hip_mem_usage_gb",
    r"rank-(\d+) rocm max mem usage/usage_ratio: ": "rocm_max_mem_rank",
    r"rank-\d+ rocm max mem usage/usage_ratio: ([0-9.]+)GB": "rocm_max_mem_usage_gb",
    r"rank-\d+ rocm max mem usage/usage_ratio: .*/([0-9.]+)%": "rocm_max_mem_usage_percent",
    r"step: +\d+ .*\bloss: +([0-9.]+)": "lm_loss",
    r"step: +\d+ .*\bgrad_norm: +([0-9.]+)": "grad_norm",
    r"step: +\d+ .*\btps: +([0-9,]+)": "tokens_per_second_per_gpu",
    r"step: +\d+ .*\bmemory: +([0-9.]+)GiB": "memory_gib",
    r"iter \d+: loss ([0-9.]+)": "lm_loss",
    r"iter \d+: .* time ([0-9.]+)ms": "elapsed_time_per_iteration_ms",
    r"iter \d+: .* mfu ([-0-9.]+)%": "mfu_percent",
    r"step \d+: train loss ([0-9.]+)": "train_lm_loss",
    r"step \d+: .* val loss ([0-9.]+)": "validation_lm_loss",
    r'"key": "eval_accuracy", "value": ([0-9.]+)': "eval_accuracy",
    r'"throughput": ([0-9.]+)': "throughput",
}


def read_text(name: str) -> str:
    content = (REAL_DATA / name).read_bytes()
    return (gzip.decompress(content) if name.endswith(".gz") else content).decode("utf-8", "replace")


def read_values(name: str) -> dict[str, list[float]]:
    """Return the finite values of FIELDS in the order of the file, leaving out lines that repeat the one before."""
    values: dict[str, list[float]] = {metric: [] for metric in FIELDS.values()}
    previous = ""
    for line in re.sub(r"\x1b\[[0-9;]*m", "", read_text(name)).splitlines():
        found = re.search(r"iteration +\d+/ *\d+ \|.*", line)
        if found and found.group() == previous:
            continue
        previous = found.group() if found else previous
        for pattern, metric in FIELDS.items():
            value = re.search(pattern, line)
            if value and value.group(1) != "nan":
                values[metric].append(float(value.group(1).replace(",", "")))
    return {metric: numbers for metric, numbers in values.items() if numbers}


@pytest.mark.parametrize("name", LOGS)
def test_real_log(importer: Importer, ask: Ask, app: Flask, name: str) -> None:
    facts = LOGS[name]
    assert importer.run("auto", REAL_DATA / name).status == 0
    again = importer.run("log", REAL_DATA / name).report
    assert again["written"] == {"inserted": 0, "replaced": 0, "unchanged": facts.records}
    read = again["read"]
    assert (read["records"], read["first_iteration"], read["last_iteration"], read["restarts"]) == (
        facts.records, facts.first, facts.last, facts.restarts
    )  # fmt: skip
    assert facts.lines is None or read["read"] == {"lines": facts.lines}
    assert ask("sources")["data_sources"] == [{"name": "log", "count": facts.records}]

    times = ask("iteration-times")["data"]
    iterations = [point["value"] for point in times if point["metric_name"] == "iteration"]
    assert iterations == list(range(facts.first, facts.last + 1, facts.step))
    targets = {point["value"] for point in times if point["metric_name"] == "target_iteration"}
    assert targets == ({facts.target} if facts.target else set())

    expected = read_values(name)
    assert expected
    points = ask("data")["data"]
    for metric, numbers in expected.items():
        assert [point["value"] for point in points if point["metric_name"] == metric] == numbers, metric
    assert not {point["metric_name"] for point in points if SUSPECT.search(point["metric_name"])}
    found = {(point["metric_name"], point["iteration"]): point["value"] for point in points}
    for metric, values in SAMPLES.get(name, {}).items():
        assert {iteration: found.get((metric, iteration)) for iteration in values} == values, metric


def test_the_loss_has_one_name_in_logs_of_two_programs(importer: Importer, ask: Ask, app: Flask) -> None:
    names = ("log/gpt-neox_70m_3072it.out.gz", "log/primus-megatron_50it.log")
    assert importer.run("log", *(REAL_DATA / name for name in names)).status == 0
    losses = [value for name in names for value in read_values(name)["lm_loss"]]
    points = ask("data")["data"]
    assert [point["value"] for point in points if point["metric_name"] == "lm_loss"] == losses
    assert not {point["metric_name"] for point in points if SUSPECT.search(point["metric_name"])}


def test_printed_dictionaries(importer: Importer, ask: Ask, app: Flask) -> None:
    name = "log/hf-trainer_tevatron_6wtuv9pb_output.log"
    expected = [ast.literal_eval(line) for line in re.findall(r"\{'loss'.*?\}", read_text(name))]
    assert len(expected) == 265
    report = importer.run("auto", REAL_DATA / name).report
    assert report["read"]["without_iteration"] == 265
    assert importer.run("log", REAL_DATA / name).report["written"]["unchanged"] == 265
    points = ask("data")["data"]
    assert {point["iteration"] for point in points} == {None}
    for metric in ("loss", "grad_norm", "learning_rate", "epoch"):
        reported = [point["value"] for point in points if point["metric_name"] == metric]
        assert reported == [entry[metric] for entry in expected]


def test_trainer_state(importer: Importer, ask: Ask, app: Flask) -> None:
    path = REAL_DATA / "hf/star_trainer_state.json"
    entries = json.loads(path.read_text("utf-8"))["log_history"]
    report = importer.run("auto", path).report
    assert (report["kind"], report["read"]["records"]) == ("huggingface", 2000)
    assert importer.run("huggingface", path).report["written"]["unchanged"] == 2000
    points = ask("data")["data"]
    for key in set(entries[0]) - {"step", "remaining_time"}:
        metric = {"lr": "learning_rate"}.get(key, key)
        reported = [(point["iteration"], point["value"]) for point in points if point["metric_name"] == metric]
        assert reported == [(entry["step"], entry[key]) for entry in entries], key
    targets = [point["value"] for point in points if point["metric_name"] == "target_iteration"]
    assert targets == [252780] * 2000
