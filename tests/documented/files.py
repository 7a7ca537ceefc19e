"""Writes the files that the commands of the documentation read."""

import gzip
import json
import shutil
from pathlib import Path

from tests.documented.blocks import ROOT

LOG = "".join(
    f" [2026-02-01 10:00:{second:02}.000000] iteration {second:8}/     100 | consumed samples: {second * 8:12} | "
    f"elapsed time per iteration (ms): 1000.0 | learning rate: 1.0E-04 | lm loss: {3 - second / 100:.6E} |\n"
    for second in range(1, 41)
)
DICTIONARIES = "".join(f"{{'loss': {3 - step / 10}, 'grad_norm': 1.5, 'epoch': {step / 10}}}\n" for step in range(1, 6))
TRAINLAB = "".join(
    f"2026-02-01 10:00:0{step} [trainlab] it={step} of 200; xent={3 - step / 10}; sec=1.5\n" for step in range(1, 6)
)


def write_files(directory: Path) -> None:
    """Write them into ``directory``, from which the commands run."""
    (directory / "training.log").write_text(LOG, "utf-8")
    (directory / "training.log.gz").write_bytes(gzip.compress(LOG.encode()))
    (directory / "printed.log").write_text(DICTIONARIES, "utf-8")
    (directory / "trainlab.log").write_text(TRAINLAB, "utf-8")
    (directory / "wandb_export.csv").write_text('"Step","run-1 - loss"\n1,2.5\n2,2.25\n', "utf-8")
    (directory / "metrics.csv").write_text("batch,finished,loss\n1,1769940000,2.5\n2,1769940010,2.25\n", "utf-8")
    (directory / "metrics.jsonl").write_text('{"step": 1, "loss": 2.5}\n{"step": 2, "loss": 2.25}\n', "utf-8")
    checkpoint = directory / "output/checkpoint-500"
    checkpoint.mkdir(parents=True)
    state = {"global_step": 500, "max_steps": 1000, "log_history": [{"step": 500, "loss": 1.5, "epoch": 1.0}]}
    (checkpoint / "trainer_state.json").write_text(json.dumps(state), "utf-8")
    (directory / "output/all_results.json").write_text('{"train_loss": 1.25, "train_runtime": 60.0}', "utf-8")
    shutil.copytree(ROOT / "config", directory / "config")
