"""The demo's model learns, with reproducible and finite numbers."""

from math import isfinite
from statistics import mean
from typing import get_args

import pytest

from lens_perf.demo.spiral_model import BATCH_SIZE, LearningRate, Optimizer, SpiralModel

MEASURED = {"elapsed_time_per_iteration_ms", "samples_per_second"}
OPTIMIZERS = get_args(Optimizer)


def computed(metrics: dict[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if name not in MEASURED}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_learns(optimizer: Optimizer) -> None:
    model = SpiralModel(optimizer)
    before = model.validate()
    trained = [model.train_iteration() for _ in range(2000)]
    after = model.validate()

    assert all(isfinite(value) for metrics in trained for value in metrics.values())
    losses = [metrics["loss"] for metrics in trained]
    assert mean(losses[-100:]) < mean(losses[:100]) / 3
    assert after["validation_loss"] < before["validation_loss"] / 3
    assert before["validation_accuracy"] < 0.6
    assert after["validation_accuracy"] > 0.85


def test_counts_what_it_consumes() -> None:
    model = SpiralModel()
    metrics = [model.train_iteration() for _ in range(3)][-1]
    assert model.iteration == 3
    assert metrics["consumed_samples"] == 3 * BATCH_SIZE
    assert metrics["target_iteration"] == 1_000_000
    assert metrics["samples_per_second"] * metrics["elapsed_time_per_iteration_ms"] == pytest.approx(BATCH_SIZE * 1000)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_same_seed_gives_the_same_numbers(optimizer: Optimizer) -> None:
    first, second = SpiralModel(optimizer, seed=7), SpiralModel(optimizer, seed=7)
    for _ in range(50):
        assert computed(first.train_iteration()) == computed(second.train_iteration())
    assert first.validate() == second.validate()
    assert first.measure_layers() == second.measure_layers()


def test_other_seed_or_optimizer_gives_other_numbers() -> None:
    models = [SpiralModel("adam", seed=0), SpiralModel("adam", seed=1), SpiralModel("sgd", seed=0)]
    assert len({[model.train_iteration() for _ in range(5)][-1]["loss"] for model in models}) == 3


def test_validation_changes_nothing() -> None:
    watched, unwatched = SpiralModel(), SpiralModel()
    for _ in range(5):
        watched.validate()
        watched.measure_layers()
        assert computed(watched.train_iteration()) == computed(unwatched.train_iteration())


def test_measures_each_layer() -> None:
    model = SpiralModel()
    model.train_iteration()
    norms = model.measure_layers()
    assert set(norms) == {f"{what}/layer{number}_norm" for what in ("weights", "gradients") for number in (1, 2, 3)}
    assert all(isfinite(norm) and norm > 0 for norm in norms.values())


def test_learning_rate_rises_falls_and_stays() -> None:
    rate = LearningRate(peak=1.0, floor=0.1, warm_up_iterations=10, decay_iterations=110)
    assert rate.at(1) == pytest.approx(0.1)
    assert rate.at(10) == pytest.approx(1.0)
    assert rate.at(60) == pytest.approx(0.55)
    assert rate.at(110) == rate.at(10**9) == pytest.approx(0.1)
