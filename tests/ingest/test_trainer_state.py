"""The state of Hugging Face's Trainer: whole, cut at any byte, and strange."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Observation
from lens_perf.ingest.trainer_state import looks_like_trainer_state, read_trainer_state

ENTRIES = [{"epoch": 0.5, "loss": 2.5, "lr": 1e-4, "step": 10}, {"eval_loss": 3, "name": 'ü]}"{', "step": 10}]


def write(entries: list[object], max_steps: int = 100) -> bytes:
    state = {"best_model_checkpoint": None, "global_step": 1, "log_history": entries, "max_steps": max_steps}
    return json.dumps(state, indent=2).encode()


def read(content: bytes, block_size: int = 1 << 20) -> tuple[list[Observation], ReadSummary]:
    def blocks() -> Iterator[bytes]:
        return (content[begin : begin + block_size] for begin in range(0, len(content), block_size))

    summary = ReadSummary()
    source: Callable[[], Iterator[bytes]] = blocks
    return list(read_trainer_state(source, summary, "state.json")), summary


@pytest.mark.parametrize("block_size", [1, 7, 64, 1 << 20])
def test_entries(block_size: int) -> None:
    observations, summary = read(write(ENTRIES), block_size)  # type: ignore[arg-type]
    assert observations == [
        ("history", 10, None, {"epoch": 0.5, "loss": 2.5, "learning_rate": 1e-4, "target_iteration": 100}),
        ("history", 10, None, {"eval_loss": 3, "target_iteration": 100}),
    ]
    assert not summary.damages
    assert summary.read == {"history entries": 2}
    assert summary.skipped["fields that are no numbers"].examples == ['name: ü]}"{']


def test_values_that_are_not_finite() -> None:
    entry = b'{"log_history": [{"step": 1, "a": NaN, "b": -Infinity, "c": "Infinity", "d": true, "e": null}, 5, {}]}'
    observations, summary = read(entry)
    assert [each.performance for each in observations] == [{"a": "NaN", "b": "-Infinity", "c": "Infinity"}]
    assert summary.skipped["history entries without a step"].count == 1


@given(st.data())
def test_a_state_that_is_cut(data: st.DataObject) -> None:
    content = write([{"step": step, "loss": step / 8} for step in range(5)])
    begin = content.index(b"[")
    cut = data.draw(st.integers(0, content.index(b"]")))
    observations, summary = read(content[:cut], data.draw(st.integers(1, 400)))
    # An entry is whole when its brace is there.
    assert len(observations) == content[:cut].count(b"}")
    ((damage),) = summary.damages
    assert damage.path == "state.json"
    assert damage.byte <= cut
    assert cut <= begin or damage.byte >= begin


def test_without_a_history() -> None:
    observations, summary = read(b'{"some": "json"}')
    assert observations == []
    assert "holds no log_history" in str(summary.damages[0])


def test_recognition() -> None:
    assert looks_like_trainer_state(write([])[:60])
    assert not looks_like_trainer_state(b'{"loss": 1}')
    assert not looks_like_trainer_state(b"log_history")
