"""The guarantees of docs/sampling.rst, for blocks that are passed directly to the sampler."""

from collections import Counter
from collections.abc import Callable, Iterable

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lens_perf.errors import ResultTooLargeError
from lens_perf.performance.blocks import Block
from lens_perf.performance.m4.buckets import choose_buckets
from lens_perf.performance.sampling import sampler
from lens_perf.performance.sampling.axes import AlongMetric, along_iterations, along_time
from lens_perf.performance.sampling.sampler import Sampler

BLOCK = 2**16
AXES: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "iteration": along_iterations,
    "time": along_time,
    "metric": AlongMetric("x"),
}


def build_frame(values: np.ndarray, start: int = 0) -> pl.DataFrame:
    iterations = np.arange(start, start + len(values))
    return pl.DataFrame(
        {
            "created_at": iterations * 1_000_000,
            "iteration": iterations.astype(np.int32),
            "data_source": pl.repeat("log", len(values), eager=True),
            "v:loss": values,
            "v:x": iterations * 0.37 - 50.0,
        }
    )


def sample(frames: Iterable[pl.DataFrame], axis: str, max_points: int) -> pl.DataFrame:
    chooser = Sampler(["loss"], max_points)
    for frame in frames:
        chooser.add(Block(AXES[axis](frame)))
    return pl.concat([*chooser.finish()])


@given(
    values=st.lists(st.integers(-3, 3), min_size=100, max_size=400),
    cut=st.integers(50, 399),
    axis=st.sampled_from(sorted(AXES)),
    max_points=st.sampled_from([4, 8, 20, 50]),
)
def test_chosen_points_remain_while_a_series_grows(values: list[int], cut: int, axis: str, max_points: int) -> None:
    """While the width is the same, the choice in a bucket without new points remains, also among equal values."""
    everything = build_frame(np.array(values, np.float64))
    cut = min(cut, len(values) - 1)
    places = AXES[axis](everything)["axis"].to_numpy()

    def choose(number: int) -> tuple[int | None, dict[int, set[int]]]:
        buckets = choose_buckets(places[0].item(), places[number - 1].item(), max_points // 4)
        indices = buckets.index(places)
        found: dict[int, set[int]] = {}
        for iteration in sample([everything[:number]], axis, max_points)["iteration"]:
            found.setdefault(int(indices[iteration]), set()).add(iteration)
        return buckets.exponent, found

    exponent, before = choose(cut)
    later, after = choose(len(values))
    assert exponent is None or later is None or later >= exponent
    if exponent == later and cut > max_points:
        before.popitem()  # the last bucket, which is incomplete
        assert {bucket: after[bucket] for bucket in before} == before


@pytest.fixture(scope="module")
def million() -> list[np.ndarray]:
    """The values of a million points, block by block."""
    values = 2 + (np.arange(10**6) * 7919 % 10007) / 10007
    return [values[start : start + BLOCK].copy() for start in range(0, 10**6, BLOCK)]


@settings(max_examples=10)
@given(
    place=st.integers(0, 999_999),
    value=st.sampled_from([1e9, -1e9, 3.0001]),
    axis=st.sampled_from(sorted(AXES)),
)
@example(place=0, value=99.0, axis="iteration")
@example(place=999_999, value=-99.0, axis="time")
def test_a_spike_among_a_million_records_is_kept(
    million: list[np.ndarray], place: int, value: float, axis: str
) -> None:
    block, row = divmod(place, BLOCK)
    kept = million[block][row]
    million[block][row] = value
    chosen = sample((build_frame(each, index * BLOCK) for index, each in enumerate(million)), axis, 1000)
    million[block][row] = kept
    assert chosen.height <= 1000
    assert chosen.filter(pl.col("iteration") == place)["value"].to_list() == [value]
    assert chosen["iteration"][0] == 0
    assert chosen["iteration"][-1] == 999_999


def test_twenty_thousand_series_of_one_point_each() -> None:
    """In as many blocks as in a copy, each with other metrics."""
    rows, blocks = 500, 40
    names = [f"m{index:06}" for index in range(rows * blocks)]
    chooser = Sampler(names, 100)
    for number in range(blocks):
        frame = build_frame(np.zeros(rows), number * rows).drop("v:loss", "v:x")
        mine = names[number * rows : (number + 1) * rows]
        values = pl.DataFrame(np.where(np.eye(rows, dtype=bool), 1.0, np.nan), schema=[f"v:{name}" for name in mine])
        chooser.add(Block(along_iterations(frame.hstack(values.fill_nan(None)))))
    (chosen,) = [pl.concat([*chooser.finish()])]
    assert Counter(chosen["field"].to_list()) == Counter(range(len(names)))
    assert chooser.total == len(names)


def test_results_that_do_not_fit_in_memory_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampler, "MOST_CHOSEN", 50)
    frame = build_frame(np.arange(200.0))
    assert sample([frame], "iteration", 40).height <= 40
    with pytest.raises(ResultTooLargeError, match="smaller max_points"):
        sample([frame], "iteration", 10**18)


@given(
    first=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    last=st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**63), 2**63 - 1),
    most=st.integers(1, 1000),
)
@example(first=-1e308, last=1e308, most=250)
@example(first=-5e-324, last=5e-324, most=2)
def test_buckets_are_few_and_narrow(first: float, last: float, most: int) -> None:
    if type(first) is not type(last):
        first, last = float(first), float(last)
    first, last = min(first, last), max(first, last)
    buckets = choose_buckets(first, last, most)
    ends = buckets.index(np.array([first, last]))
    assert 0 <= ends[1] - ends[0] < most
    if buckets.exponent is None:
        assert most == 1
        assert first < 0 <= last
