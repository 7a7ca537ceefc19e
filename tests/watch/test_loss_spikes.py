"""The rule of loss spikes, its power, and its false alarms on real losses."""

import random
from math import nan

import pytest

from lens_perf.ingest.assembly import assemble
from lens_perf.ingest.imports import METADATA_FIELDS, REPETITIONS, Kind, choose_kind
from lens_perf.ingest.kinds import SourceOptions, read_sources
from lens_perf.ingest.logs.dialect_files import load_dialects
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.performance.progress.metric_names import is_loss
from lens_perf.watch.loss_spikes import BASE, LENGTH, LossPoint, find_spikes
from tests.real_data import REAL_DATA, needs_real_data

EVER = -(2**31)


def series(*values: float, first: int = 1) -> list[LossPoint]:
    return [LossPoint(iteration, value) for iteration, value in enumerate(values, first)]


def noisy(count: int, seed: int, level: float = 3.0, deviation: float = 0.05) -> list[float]:
    numbers = random.Random(seed)
    return [numbers.gauss(level, deviation) for _ in range(count)]


def test_three_values_high_above_the_others_are_a_spike() -> None:
    values = noisy(150, 1)
    (spike,) = find_spikes(series(*values, 4.5, 5, 4.8, *values), EVER)
    assert (spike.iteration, spike.value) == (151, 4.5)
    assert spike.usual == pytest.approx(3, abs=0.05)


@pytest.mark.parametrize("values", [[9.0], [9.0, 9.0], [9.0, 9.0, 3.0, 9.0, 9.0], [9.0, nan, 9.0, 3.0]])
def test_fewer_are_none(values: list[float]) -> None:
    assert find_spikes(series(*noisy(150, 2), *values, *noisy(50, 3)), EVER) == []


def test_a_loss_that_diverges_is_one_spike() -> None:
    assert [each.iteration for each in find_spikes(series(*noisy(150, 4), *[20.0] * 200), EVER)] == [151]


def test_a_flat_loss_has_to_rise_by_a_tenth() -> None:
    assert find_spikes(series(*[2.0] * 150, 2.2, 2.2, 2.2), EVER) == []
    assert len(find_spikes(series(*[2.0] * 150, 2.21, 2.21, 2.21), EVER)) == 1


def test_values_are_examined_once() -> None:
    points = series(*noisy(150, 5), 6.0, 6.0, 6.0, *noisy(20, 6))
    assert [len(find_spikes(points, after)) for after in (EVER, 152, 153, 160)] == [1, 1, 0, 0]


def test_each_attempt_is_measured_by_itself() -> None:
    """The higher loss of an earlier iteration is not a spike."""
    before, after = series(*noisy(150, 7, level=2.0)), series(*noisy(150, 8, level=4.0), first=50)
    assert find_spikes([*before, *after], EVER) == []


def test_too_few_values_are_never_a_spike() -> None:
    assert find_spikes(series(*noisy(BASE - 1, 9), 9.0, 9.0, 9.0), EVER) == []
    assert len(find_spikes(series(*noisy(BASE, 9), 9.0, 9.0, 9.0), EVER)) == 1


def read_losses() -> dict[str, list[LossPoint]]:
    """The losses of all real training output with at least a hundred values, by attempt."""
    groups = [[path] for path in (*REAL_DATA.glob("log/*"), *REAL_DATA.glob("dialects/*"), *REAL_DATA.glob("hf/*"))]
    groups += [[path] for path in (*REAL_DATA.glob("tensorboard/*"), *REAL_DATA.glob("wandb/*/*/*.wandb"))]
    groups += [[path] for path in REAL_DATA.glob("wandb/*.csv")]
    losses: dict[str, list[LossPoint]] = {}
    for paths in groups:
        kind, summary = choose_kind(paths, load_dialects(None)).kind, ReadSummary()
        for record in assemble(
            read_sources(kind, paths, summary, SourceOptions()),
            summary,
            repetition=REPETITIONS[kind],
            metadata=METADATA_FIELDS if kind is Kind.WANDB else frozenset(),
        ):
            for name, value in record.performance.items():
                # The extremes of a chart are not separate losses.
                if is_loss(name) and "__M" not in name and record.iteration is not None:
                    key = f"{paths[0].name} {record.serial} {name}"
                    losses.setdefault(key, []).append(LossPoint(record.iteration, float(value)))
    return {key: points for key, points in losses.items() if len(points) > BASE}


@needs_real_data
def test_false_alarms_and_power_on_real_losses() -> None:
    """docs/watching.rst gives these figures."""
    losses = read_losses()
    assert sum(len(points) - BASE for points in losses.values()) > 18_000
    assert {key: found for key, points in losses.items() if (found := find_spikes(points, EVER))} == {}
    tried = found_of = 0
    # Losses of reinforcement learning vary widely and may be negative, so a doubled value is not a spike.
    for points in (points for key, points in losses.items() if "jaxrl" not in key):
        for start in range(BASE, len(points) - LENGTH, 97):
            raised = [
                LossPoint(each.iteration, each.value * (2 if start <= place < start + LENGTH else 1))
                for place, each in enumerate(points[: start + LENGTH])
            ]
            tried += 1
            found_of += bool(find_spikes(raised[start - BASE :], EVER))
    assert found_of / tried > 0.9
