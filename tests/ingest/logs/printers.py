"""Prints records like the programs do, with one printer for each dialect, to test that they are read back."""

import json
from collections.abc import Callable
from typing import NamedTuple


class Reported(NamedTuple):
    """The report of an iteration: two arbitrary floats."""

    iteration: int
    loss: float
    extra: float


Printer = Callable[[Reported], list[str]]


class Printed(NamedTuple):
    """The printer of a dialect, and the metric names of the two values."""

    print: Printer
    loss: str
    extra: str
    one_line: bool = True
    """Whether a record is one line that may stand behind anything."""
    ranks: bool = True
    """Whether lines of other ranks are recognised."""


def print_mlperf(each: Reported) -> list[str]:
    event = {
        "key": "tracked_stats",
        "time_ms": 1745906900799 + each.iteration,
        "value": {"loss": each.loss, "throughput": each.extra},
        "metadata": {"samples_count": each.iteration},
    }
    return [f":::MLLOG {json.dumps(event)}"]


def print_fairseq(each: Reported) -> list[str]:
    stats = {"epoch": 1, "loss": str(each.loss), "wps": str(each.extra), "num_updates": str(each.iteration)}
    return [f"2026-02-01 10:00:00 | INFO | train_inner | {json.dumps(stats)}"]


PRINTERS = {
    "DeepSpeed": Printed(
        lambda each: [f"[INFO] [Rank 0] step={each.iteration}, skipped=0, loss={each.loss}, extra={each.extra}"],
        "loss",
        "extra",
    ),
    "fairseq": Printed(print_fairseq, "loss", "wps"),
    "Hugging Face Trainer": Printed(
        lambda each: [
            f"{{'loss': {each.loss}, 'extra': '{each.extra}', 'epoch': 1, 'global_step': '{each.iteration}'}}"
        ],
        "loss",
        "extra",
        ranks=False,
    ),
    "Keras": Printed(
        lambda each: [
            f"Epoch {each.iteration}/1000000",
            f"9/10 ━ 1s 2ms/step - loss: 0.5\r10/10 ━ 2s 2ms/step - loss: {each.loss} - extra: {each.extra}",
        ],
        "loss",
        "extra",
        one_line=False,
        ranks=False,
    ),
    "Lightning": Printed(
        lambda each: [
            f"Epoch 0:  10%|# | {each.iteration}/1000000 [00:05<00:45,  2.00it/s, loss={each.loss}, extra={each.extra}]"
        ],
        "loss",
        "extra",
        ranks=False,
    ),
    "litgpt": Printed(
        lambda each: [
            f"Epoch 1 | iter {each.iteration} step 1 | loss train: {each.loss}, val: n/a | iter time: {each.extra} ms"
        ],
        "lm_loss",
        "elapsed_time_per_iteration_ms",
    ),
    "MaxText": Printed(
        lambda each: [f"completed step: {each.iteration}, seconds: 1.5, loss: {each.loss}, extra: {each.extra}"],
        "loss",
        "extra",
    ),
    "Megatron-LM": Printed(
        lambda each: [f" iteration {each.iteration:8d}/ 1000000 | lm loss: {each.loss} | extra: {each.extra} |"],
        "lm_loss",
        "extra",
    ),
    "MLPerf logging": Printed(print_mlperf, "loss", "throughput", ranks=False),
    "modded-nanoGPT": Printed(
        lambda each: [f"step:{each.iteration}/1000000 train_loss:{each.loss} extra:{each.extra} train_time:97ms"],
        "lm_loss",
        "extra",
    ),
    "nanochat": Printed(
        lambda each: [f"step {each.iteration:05d}/1000000 (0.05%) | loss: {each.loss} | extra: {each.extra}"],
        "lm_loss",
        "extra",
    ),
    "nanoGPT": Printed(
        lambda each: [f"iter {each.iteration}: loss {each.loss}, time {each.extra}ms"],
        "lm_loss",
        "elapsed_time_per_iteration_ms",
    ),
    "NeMo": Printed(
        lambda each: [
            f"Training epoch 0, iteration 0/6 | global_step: {each.iteration} | loss: {each.loss} | extra: {each.extra}"
        ],
        "loss",
        "extra",
    ),
    "OLMo": Printed(
        lambda each: [
            f"[step={each.iteration}/1000000,epoch=0]",
            f"    loss={each.loss}",
            f"    extra={each.extra}",
        ],
        "loss",
        "extra",
        one_line=False,
    ),
    "Primus diffusion": Printed(
        lambda each: [f"step={each.iteration} loss={each.loss} peak_mem=18.75GB gnorm=0.5 extra={each.extra}"],
        "loss",
        "extra",
    ),
    "torchtitan": Printed(
        lambda each: [f"step: {each.iteration:2}  loss: {each.loss}  extra: {each.extra}"], "lm_loss", "extra"
    ),
    "torchtune": Printed(
        lambda each: [f"Step {each.iteration} | loss:{each.loss} extra:{each.extra} "], "loss", "extra"
    ),
    "veRL": Printed(
        lambda each: [f"step:{each.iteration} - loss:{each.loss} - extra:np.float64({each.extra})"], "loss", "extra"
    ),
}
