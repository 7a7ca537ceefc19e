"""Files of TensorBoard's writer are read completely: both forms of scalars, all numeric types, sessions, twins."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto

from lens_perf.ingest.assembly import Repetition, assemble
from lens_perf.ingest.event_files.reader import order_event_files, read_event_files
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation
from tests.ingest.event_files.written import frame, scalar, tensor


def read(*contents: bytes, prefix: str = "") -> tuple[list[Observation], ReadSummary]:
    summary = ReadSummary()
    files = [(f"events{index}", prefix, [content]) for index, content in enumerate(contents)]
    return [each for each in read_event_files(files, summary) if isinstance(each, Observation)], summary


def values(observations: Sequence[Observation]) -> list[tuple[int | None, dict[str, object]]]:
    return [(each.iteration, dict(each.performance)) for each in observations]


def spell(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


SCALARS = st.lists(
    st.tuples(
        st.text(min_size=1, max_size=150).filter(lambda tag: not tag.endswith(" vs samples")),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(width=32),
        st.floats(0, 4e9),
    ),
    max_size=10,
)


@given(SCALARS)
def test_simple_values(scalars: list[tuple[str, int, float, float]]) -> None:
    observations, summary = read(frame(scalar(tag, step, value, time) for tag, step, value, time in scalars))
    assert observations == [
        (tag, step, datetime.fromtimestamp(time, UTC), {tag: spell(value)}) for tag, step, value, time in scalars
    ]
    assert summary.read == {"events": len(scalars) + 1, "scalars": len(scalars)}
    assert not summary.skipped


NUMBERS = {
    np.float32: st.floats(width=32), np.float64: st.floats(), np.float16: st.floats(width=16),
    np.int8: st.integers(-128, 127), np.int16: st.integers(-(2**15), 2**15 - 1),
    np.int32: st.integers(-(2**31), 2**31 - 1), np.int64: st.integers(-(2**63), 2**63 - 1),
    np.uint8: st.integers(0, 255), np.uint16: st.integers(0, 2**16 - 1),
    np.uint32: st.integers(0, 2**32 - 1), np.uint64: st.integers(0, 2**64 - 1), np.bool_: st.booleans(),
}  # fmt: skip


@pytest.mark.parametrize("dtype", NUMBERS, ids=lambda dtype: dtype.__name__)
@given(data=st.data())
def test_tensors(dtype: type, data: st.DataObject) -> None:
    value = data.draw(NUMBERS[dtype])
    shape = data.draw(st.sampled_from([(), (1,), (1, 1)]))
    event = tensor("loss", 3, np.full(shape, value, dtype), dtype, plugin="scalars")
    observations, summary = read(frame([event]))
    assert values(observations) == [(3, {"loss": spell(float(value)) if isinstance(value, float) else value})]
    assert not summary.skipped


@given(st.floats(width=32), st.booleans())
def test_tensors_of_raw_content_and_bfloat16(value: float, raw: bool) -> None:
    content = np.float32(value).tobytes()
    proto = TensorProto(dtype=1, tensor_content=content)
    if raw:
        proto = TensorProto(dtype=14, half_val=[int.from_bytes(content[2:], "little")])
        value = float(np.frombuffer(b"\0\0" + content[2:], np.float32)[0])
    event = Event(step=1, summary=Summary(value=[Summary.Value(tag="loss", tensor=proto)]))
    assert values(read(frame([event]))[0]) == [(1, {"loss": spell(value)})]


def test_values_other_than_scalars_are_counted_by_kind() -> None:
    events = [
        tensor("text", 1, 5.0, plugin="text"),
        tensor("text", 2, 5.0),  # only the first has the plugin
        tensor("row", 1, [1.0, 2.0]),
        Event(graph_def=b"graph"),
        Event(session_log=SessionLog(status=SessionLog.START)),
        Event(step=1, summary=Summary(value=[Summary.Value(tag="h", histo=HistogramProto(min=1))])),
        Event(step=1, summary=Summary(value=[Summary.Value(tag="a", simple_value=1), Summary.Value(tag="b")])),
    ]
    observations, summary = read(frame(events))
    assert values(observations) == [(1, {"a": 1.0})]
    assert {reason: skipped.count for reason, skipped in summary.skipped.items()} == {
        "values of other plugins": 2, "tensors": 2, "graphs": 1, "histograms": 1
    }  # fmt: skip
    assert summary.skipped["values of other plugins"].examples == ["text", "text"]


def test_a_broken_value_does_not_affect_others_of_its_event() -> None:
    broken = Summary.Value(tag="broken", tensor=TensorProto(dtype=19, half_val=[70_000]))
    cut = Summary.Value(tag="cut", tensor=TensorProto(dtype=1, tensor_content=b"\1\2"))
    values_of = [Summary.Value(tag="a", simple_value=1), broken, cut, Summary.Value(tag="b", simple_value=2)]
    observations, summary = read(frame([Event(step=1, summary=Summary(value=values_of))]))
    assert values(observations) == [(1, {"a": 1.0}), (1, {"b": 2.0})]
    assert summary.lost["values that cannot be read"].count == 2


@given(st.binary(max_size=80))
def test_bytes_that_are_not_messages(content: bytes) -> None:
    class Bytes:
        def SerializeToString(self) -> bytes:  # noqa: N802 - named by protobuf
            return content

    observations, summary = read(frame([Bytes(), scalar("a", 1, 2.0)]))  # type: ignore[list-item]
    assert values(observations)[-1] == (1, {"a": 2.0})
    assert not summary.damages


def test_absurd_times_are_ignored() -> None:
    events = [scalar("a", step, 1.0, time) for step, time in enumerate([math.nan, math.inf, 1e300, -1e18])]
    assert [each.created_at for each in read(frame(events))[0]] == [None] * 4


def test_twins_have_the_samples() -> None:
    events = [
        scalar("loss", 1, 0.5), scalar("loss vs samples", 32, 0.5),
        scalar("lr", 1, math.nan), scalar("lr vs samples", 32, math.nan),
        scalar("loss", 2, 0.25), scalar("loss vs samples", 64, 0.25),
        scalar("loss vs samples", 65, 0.75), scalar("alone vs samples", 9, 1.0),
    ]  # fmt: skip
    observations, summary = read(frame(events))
    assert values(observations) == [
        (1, {"loss": 0.5}), (1, {"consumed_samples": 32}), (1, {"lr": "NaN"}), (2, {"loss": 0.25}),
        (2, {"consumed_samples": 64}), (65, {"loss vs samples": 0.75}), (9, {"alone vs samples": 1.0}),
    ]  # fmt: skip
    assert [skipped.count for skipped in summary.skipped.values()] == [3]


def test_sessions_and_repeated_steps() -> None:
    first = frame([scalar("a", 1, 1.0), scalar("a", 1, 2.0), scalar("b", 1, 3.0), scalar("a", 2, 4.0)])
    second = frame([scalar("a", 2, 5.0), scalar("b", 2, 6.0)])
    summary = ReadSummary()
    observations = read_event_files([("1", "", [first]), ("2", "", [second])], summary)
    records = [each for each in assemble(observations, summary, repetition=Repetition.ANOTHER_RECORD) if each]
    assert [(*each.key, dict(each.performance)) for each in records] == [
        (0, 1, 0, {"a": 1.0, "b": 3.0}), (0, 1, 1, {"a": 2.0}), (0, 2, 0, {"a": 4.0}), (1, 2, 0, {"a": 5.0, "b": 6.0})
    ]  # fmt: skip


def test_a_growing_file_pauses() -> None:
    content = frame([scalar("a", 1, 1.0)])
    blocks = [content[:50], None, content[50:], None]
    marks = list(read_event_files([("1", "p/", blocks)], ReadSummary()))
    assert marks[0] is Mark.SESSION
    assert marks[1] is Mark.PAUSE
    assert isinstance(marks[2], Observation)
    assert marks[2].performance == {"p/a": 1.0}


def test_files_are_ordered_by_time_and_distinguished_by_directory(tmp_path: Path) -> None:
    def write(name: str, start: float) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(frame([scalar("a", 1, 1.0, start)], version=False))
        return path

    late, early = write("train/events.out.tfevents.1", 1e9), write("validation/events.out.tfevents.2", 5e8)
    assert order_event_files({late: tmp_path, early: tmp_path}) == [(early, "validation/"), (late, "train/")]
    own = write("events.out.tfevents.3", 7e8)
    assert order_event_files({late: tmp_path, own: tmp_path}) == [(own, ""), (late, "train/")]
    alone = write("train/events.out.tfevents.0", 2e9)
    empty = tmp_path / "train/events.out.tfevents.1500000000.host"
    empty.write_bytes(b"")
    roots = dict.fromkeys([alone, late, empty], tmp_path / "train")
    assert order_event_files(roots) == [(late, ""), (empty, ""), (alone, "")]
