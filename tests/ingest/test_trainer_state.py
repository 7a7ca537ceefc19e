"""The state of Hugging Face's Trainer: complete, truncated at any byte, and with unusual values."""

import json
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.assembly import Repetition, assemble
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
        ("history", 10, None, {"eval_loss": 3}),
    ]
    assert not summary.damages
    assert summary.read == {"history entries": 2}
    assert summary.skipped["fields that are not numbers"].examples == ['name: ü]}"{']


def test_values_that_are_not_finite() -> None:
    entry = b'{"log_history": [{"step": 1, "a": NaN, "b": -Infinity, "c": "Infinity", "d": true, "e": null}, 5, {}]}'
    observations, summary = read(entry)
    assert [each.performance for each in observations] == [{"a": "NaN", "b": "-Infinity", "c": "Infinity"}]
    assert summary.skipped["fields that are not numbers"].examples == ["d: True"]
    assert summary.is_complete


@pytest.mark.parametrize(
    ("step", "iteration"), [("40.0", 40), ('"30"', 30), ('"30.0"', 30), ("-3", -3), ("9223372036854775807", 2**63 - 1)]
)
def test_a_whole_number_is_a_step_however_it_is_written(step: str, iteration: int) -> None:
    observations, summary = read(b'{"log_history": [{"step": %s, "loss": 1}]}' % step.encode())
    assert [each.iteration for each in observations] == [iteration]
    assert summary.is_complete


@pytest.mark.parametrize("step", ["40.5", '"soon"', "true", "null", "[1]", "1e400", "9" * 5000, '"' + "9" * 5000 + '"'])
def test_an_invalid_step_affects_its_entry_only(step: str) -> None:
    content = b'{"log_history": [{"step": %s, "loss": 1}, {"loss": 2}, {"step": 3, "loss": 4}]}' % step.encode()
    observations, summary = read(content)
    assert [each.iteration for each in observations] == [3]
    assert summary.lost["history entries without a step"].count == 2
    assert not summary.is_complete


@pytest.mark.parametrize("block_size", [3, 1000, 1 << 20])
@pytest.mark.parametrize(
    ("entry", "finding"),
    [
        (b'{"step": 2, "loss": }', "an entry that is not JSON: Expecting value"),
        (
            b'{"step": 2, "loss": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
            "an entry that is not JSON: nested too deeply",
        ),
        (b'{"step": 2, "a": ' + b'{"b": ' * 100_000 + b"1" + b"}" * 100_000 + b"}", "nested too deeply"),
    ],
)
def test_a_damaged_entry_does_not_affect_others(entry: bytes, finding: str, block_size: int) -> None:
    content = b'{"log_history": [{"step": 1, "loss": 0.5}, %s, {"step": 3, "loss": 0.25}], "max_steps": 9}' % entry
    observations, summary = read(content, block_size)
    assert [each.iteration for each in observations] == [1, 3]
    ((damage),) = summary.damages
    assert finding in damage.finding
    assert damage.byte == content.index(entry)


def test_an_entry_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lens_perf.ingest.json_elements.LONGEST_ELEMENT", 100)
    content = write([{"step": 1}, {"step": 2, "text": "x" * 200}, {"step": 3, "loss": 1}])
    for block_size in (1, 50, 1 << 20):
        observations, summary = read(content, block_size)
        assert [each.iteration for each in observations] == [1, 3]
        assert len(summary.damages) == 1


def test_numbers_out_of_the_range_of_floats() -> None:
    entry = b'{"step": 1, "a": 1e400, "b": -%s, "c": 0.123456789012345678901, "d": 12345678901234567890, "e": 1e-400}'
    observations, summary = read(b'{"log_history": [' + entry % (b"9" * 5000) + b"]}")
    assert [each.performance for each in observations] == [
        {"c": 0.12345678901234568, "d": 12345678901234567890, "e": 0.0}
    ]
    assert summary.lost["numbers beyond the range of a 64-bit float"].examples == ["a", "b"]
    assert summary.rounded == 2
    assert "rounded    2 decimals to the nearest" in summary.format()


def test_colliding_names_are_distinguished() -> None:
    entry = b'{"step": 1, "lr": 1, "learning_rate": 2, "loss": 3, "loss": 4}'
    observations, summary = read(b'{"log_history": [' + entry + b"]}")
    assert [each.performance for each in observations] == [{"lr": 1, "learning_rate": 2, "loss": 4}]
    assert summary.lost["values of names that an object has twice"].examples == ["loss"]


def test_a_second_evaluation_is_a_record_and_not_a_restart() -> None:
    entries = [
        {"step": 10, "epoch": 1.0, "loss": 2.0},
        {"step": 10, "epoch": 1.0, "eval_loss": 1.5, "eval_runtime": 3.0},
        {"step": 10, "epoch": 1.0, "eval_loss": 1.5, "eval_runtime": 3.25},
        {"step": 10, "epoch": 1.0, "train_runtime": 60.0},
    ]
    summary = ReadSummary()
    source = read(write(entries))[0]  # type: ignore[arg-type]
    records = [each for each in assemble(source, summary, repetition=Repetition.ANOTHER_RECORD) if each]
    assert summary.restarts == 0
    assert [(each.serial, each.ordinal, len(each.performance)) for each in records] == [(0, 0, 5), (0, 1, 5)]
    assert records[1].performance == {
        "epoch": 1.0, "eval_loss": 1.5, "eval_runtime": 3.25, "train_runtime": 60.0, "target_iteration": 100
    }  # fmt: skip


@given(st.data())
def test_a_truncated_state(data: st.DataObject) -> None:
    content = write([{"step": step, "loss": step / 8} for step in range(5)])
    begin = content.index(b"[")
    cut = data.draw(st.integers(0, content.index(b"]")))
    observations, summary = read(content[:cut], data.draw(st.integers(1, 400)))
    # An entry is complete if its closing brace is present.
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
