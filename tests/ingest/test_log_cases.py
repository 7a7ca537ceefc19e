"""Small logs of current programs through the command line and the API; the data's README has the expected values."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from tests.conftest import Ask
from tests.ingest.importing import Importer
from tests.real_data import REAL_DATA

CASES = REAL_DATA.parent / "cases"

pytestmark = [
    pytest.mark.skipif(not CASES.is_dir(), reason="no cases: set LENS_PERF_REAL_DATA to the directory that holds them"),
    pytest.mark.parametrize("postgres", [18], indirect=True),
]


class Case(NamedTuple):
    """The expected content of a log: iterations, numbers of metrics, and some values by iteration and metric."""

    iterations: list[int | None]
    counts: Mapping[str, int]
    values: Mapping[tuple[int | None, str], float]
    options: tuple[str, ...] = ()
    target: int | None = None


def every(first: int, last: int, step: int = 1) -> list[int | None]:
    return list(range(first, last + 1, step))


CASE = {
    "primus-2026-08_megatron.log": Case(
        every(1, 20),
        {"tflops": 20, "tflops_average": 18, "tokens_per_second_per_gpu": 18, "tokens_per_second_per_gpu_average": 18},
        {
            (2, "tflops"): 512.1, (5, "tflops"): 511.8, (5, "tflops_average"): 511.6,
            (5, "tokens_per_second_per_gpu"): 32063.4, (5, "tokens_per_second_per_gpu_average"): 32098.4,
        },
        target=20,
    ),
    "primus-titan-megatron-form.log": Case(
        every(1, 10),
        {"lm_loss": 10, "memory_gib": 10},
        {
            (5, "lm_loss"): 11.5, (5, "memory_gib"): 55.15, (5, "memory_active_gib"): 50.25,
            (5, "memory_percent"): 58.07,
        },
        target=10,
    ),
    "primus-maxtext.log": Case(
        every(0, 14),
        {"loss": 15},
        {
            (1, "elapsed_time_per_iteration_ms"): 5001, (1, "tflops"): 108.1,
            (1, "tokens_per_second_per_gpu"): 6530.527, (1, "total_weights"): 262144, (1, "loss"): 10.7,
        },
    ),
    "megatron-bridge.log": Case(every(1, 10), {"tflops": 10}, {(1, "tflops"): 664.5, (10, "tflops"): 673.5}, target=50),
    "nemo2.log": Case(
        every(0, 11),
        {"reduced_train_loss": 12, "consumed_samples": 11},
        {
            (6, "reduced_train_loss"): 10.43, (6, "elapsed_time_per_iteration_ms"): 12560,
            (6, "consumed_samples"): 3584, (6, "val_loss"): 10.5,
        },
    ),
    "ms-swift-v5.log": Case(
        [1, *every(5, 40, 5)],
        {"loss": 9, "train_loss": 1},
        {(5, "loss"): 0.3555, (5, "grad_norm"): 1.071, (40, "train_loss"): 0.34},
        target=40,
    ),
    "llamafactory.log": Case(
        every(10, 50, 10),
        {"loss": 5, "throughput": 5},
        {(10, "loss"): 1.8, (10, "throughput"): 4322.5, (10, "grad_norm"): 0.6},
        ("--logging-steps", "10"),
    ),
    "hf-evalstart.log": Case(
        [1, 10, 20, 30, None],
        {"loss": 4, "eval_loss": 1},
        {
            (None, "eval_loss"): 11.2, (1, "loss"): 10.9, (10, "loss"): 9.0, (20, "loss"): 8.0, (30, "loss"): 7.0,
        },
        ("--logging-steps", "10"),
        target=100,
    ),
    "deepspeed-timer.log": Case(
        every(10, 50, 10),
        {"RunningAvgSamplesPerSec": 5},
        {
            (10, "RunningAvgSamplesPerSec"): 12.51, (10, "CurrSamplesPerSec"): 13.1, (10, "MemAllocated_gb"): 18.2,
            (10, "MaxMemAllocated_gb"): 33.17, (10, "learning_rate"): 9.99e-06,
        },
    ),
    "dst_new-york.log": Case(
        every(1, 7), {"lm_loss": 7}, {(1, "lm_loss"): 1.5}, ("--timezone", "America/New_York"), target=100
    ),
    "names_collide.log": Case(
        every(1, 3),
        {},
        {
            (1, "aux_loss"): 1.0, (1, "aux loss"): 2.0, (1, "aux.loss"): 3.0, (1, "损失"): 4.0, (1, "精度"): 5.0,
            (1, "größe"): 6.0, (1, "grüße"): 7.0,
        },
        target=10,
    ),
    "verl.log": Case(
        every(1, 10),
        {},
        {
            (2, "actor/grad_norm"): 0.212, (2, "actor/kl_loss"): 0.0002, (2, "timing_s/step"): 33.2,
            (2, "perf/throughput"): 1522.7,
        },
    ),
    "modded-nanogpt.log": Case(
        every(0, 30),
        {"validation_lm_loss": 3},
        {(0, "validation_lm_loss"): 10.8258, (15, "validation_lm_loss"): 7.25, (30, "validation_lm_loss"): 6.5},
        target=1770,
    ),
    "torchtune_log.txt": Case(
        every(1, 10), {}, {(1, "loss"): 1.8499999999999999, (1, "learning_rate"): 2.0000000000000003e-06}
    ),
    "real/megatron-deepspeed_final-evaluation.log": Case(
        every(391, 500),
        {"lm_loss": 110, "validation_lm_loss": 2},
        {
            (500, "lm_loss"): 6.23922, (500, "validation_lm_loss"): 6.31983, (400, "validation_lm_loss"): 6.43269,
            (500, "validation_lm_loss_on_160_sample_draw_from_validation_set"): 6.34029,
        },
        target=500,
    ),
    "real/gpt-neox_evaluation-only_resumed-at-6144.out": Case(
        [None, None],
        {},
        {
            (None, "validation_lm_loss"): 1.808552, (None, "validation_lm_loss_ppl"): 6.101607,
            (None, "test_lm_loss"): 1.801162, (None, "test_lm_loss_ppl"): 6.05668,
        },
    ),
    "real/olmo_150m.log": Case(
        every(10, 370, 10),
        {"train/CrossEntropyLoss": 37, "System/Peak GPU Memory (MB)": 37},
        {
            (10, "train/CrossEntropyLoss"): 9.064, (10, "train/Perplexity"): 8641,
            (10, "throughput/total_tokens"): 5242880, (10, "throughput/device/tokens_per_second"): 105477,
            (10, "grad_provenance/embedding_grad_mean"): 2.891206013876175e-17, (370, "train/CrossEntropyLoss"): 4.830,
        },
        target=10000,
    ),
    "real/modded-nanogpt_track3.log": Case(
        every(0, 3250, 125),
        {"validation_lm_loss": 27},
        {(0, "validation_lm_loss"): 10.82584, (3250, "validation_lm_loss"): 3.27543, (3250, "train_time_s"): 509.705},
        target=3250,
    ),
    "real/mlperf51_amd-mi350x_llama31-8b.txt": Case(
        sorted([*range(12256, 172001, 12288), *range(12288, 172033, 12288)]),
        {"throughput": 14, "eval_accuracy": 14},
        {
            (12288, "throughput"): 24.592664315398554, (172032, "throughput"): 25.010930598486205,
            (12256, "eval_accuracy"): 5.652895927429199, (172000, "eval_accuracy"): 3.2966725826263428,
        },
    ),
    "real/mlperf51_dlrm_epoch-num-only.txt": Case(
        [None] * 18, {"eval_accuracy": 15}, {(None, "eval_accuracy"): 0.788893461227417}
    ),
    "real/mlperf51_nvidia-512gpu_llama31-8b.txt": Case(
        sorted([0, *[12288] * 18, *range(2048, 221185, 2048)]),
        {"reduced_train_loss": 108, "train_step_time": 126, "eval_accuracy": 18, "validation_time": 18},
        {
            (2048, "reduced_train_loss"): 8.200467109680176, (4096, "reduced_train_loss"): 7.611480236053467,
            (221184, "reduced_train_loss"): 3.3167190551757812, (12288, "eval_accuracy"): 6.562708854675293,
            (221184, "eval_accuracy"): 3.299934148788452,
        },
    ),
}  # fmt: skip


def ask_points(ask: Ask) -> list[dict[str, Any]]:
    points: list[dict[str, Any]] = ask("data")["data"]
    return points


def read_progress(client: FlaskClient, uid: str) -> dict[str, Any]:
    response = client.get(f"/lens/v1/workloads/{uid}/progress")
    assert response.status_code == 200
    progress: dict[str, Any] = response.json
    return progress


@pytest.mark.parametrize("name", CASE)
def test_case(importer: Importer, ask: Ask, client: FlaskClient, uid: str, name: str) -> None:
    case = CASE[name]
    outcome = importer.run("auto", CASES / name, options=("--json", *case.options))
    assert outcome.status == 0, outcome.report["read"]["lost"]
    read = outcome.report["read"]
    assert read["restarts"] == 0
    assert read["records"] == len(case.iterations)
    again = importer.run("log", CASES / name, options=("--json", *case.options)).report["written"]
    assert again == {"inserted": 0, "replaced": 0, "unchanged": len(case.iterations)}

    points = ask_points(ask)
    iterations = {point["iteration"] for point in points}
    assert iterations == set(case.iterations)
    counted = {metric["name"]: metric["count"] for metric in ask("available")["metrics"]}
    assert "" not in counted
    assert {metric: counted.get(metric) for metric in case.counts} == case.counts
    for (iteration, metric), value in case.values.items():
        found = [each["value"] for each in points if (each["iteration"], each["metric_name"]) == (iteration, metric)]
        assert found[:1] == [value], (iteration, metric)
    targets = {point["value"] for point in ask("iteration-times")["data"] if point["metric_name"] == "target_iteration"}
    assert targets == ({case.target} if case.target else set())
    progress = read_progress(client, uid)
    assert progress["restarts"] in {0, None}  # None without times


def test_an_hour_that_occurs_twice(importer: Importer, ask: Ask, client: FlaskClient, uid: str) -> None:
    importer.run("auto", CASES / "dst_new-york.log", options=("--json", "--timezone", "America/New_York"))
    points = {each["iteration"]: each["timestamp"] for each in ask("data", metrics="lm_loss")["data"]}
    midnight = 1793505600000  # 2026-11-01 04:00:00 UTC
    minutes = {iteration: (stamp - midnight) / 60_000 for iteration, stamp in points.items()}
    seconds = {iteration: round(minute * 60) for iteration, minute in minutes.items()}
    assert seconds == {1: 3590, 2: 3600, 3: 5400, 4: 7195, 5: 7205, 6: 9000, 7: 10800}
    progress = read_progress(client, uid)
    assert (progress["restarts"], progress["iterations_repeated"]) == (0, 0)


def test_an_evaluation_one_batch_behind_is_not_a_restart(importer: Importer, client: FlaskClient, uid: str) -> None:
    importer.run("auto", CASES / "real/mlperf51_amd-mi350x_llama31-8b.txt")
    progress = read_progress(client, uid)
    assert (progress["restarts"], progress["iterations_repeated"]) == (0, 0)
