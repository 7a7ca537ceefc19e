"""Messages of W&B files become observations and records: values, iterations, times and metadata."""

import math
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation
from lens_perf.ingest.storable_names import keep_names_storable
from lens_perf.ingest.wandb_files.reader import METADATA_FIELDS, read_wandb_files
from tests.ingest.wandb_files.reading import HF, metrics, observe, put_together, rows
from tests.ingest.wandb_files.run_files import frame, history, other, run


def expect(value: Any) -> Any:
    if type(value) is float and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"):
        return value
    return None


NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=150).filter(lambda name: not name.startswith("_"))
NUMBERS = st.integers(-(10**30), 10**30) | st.integers(-(2**64), 2**65) | st.floats()
OTHERS = st.booleans() | st.none() | st.sampled_from(["NaN", "-Infinity", "nan", "12", "1e5 lines"])
VALUES = NUMBERS | OTHERS | st.lists(st.integers(), max_size=3)


@given(
    st.lists(st.dictionaries(NAMES, VALUES, min_size=1, max_size=8), min_size=1, max_size=5),
    st.booleans(), st.booleans(),
)  # fmt: skip
def test_every_value_as_it_was_logged(logged: list[dict[str, Any]], nested: bool, typed: bool) -> None:
    records = [
        history({"_runtime": 1.5, **row}, nested=nested, typed=typed, step=7 + n) for n, row in enumerate(logged)
    ]
    found, summary = observe(frame(records))
    assert found[0] is Mark.SESSION
    expected = [{name: expect(value) for name, value in row.items()} for row in logged]
    kept = [{name: value for name, value in row.items() if value is not None} for row in expected]
    assert [repr(sorted(metrics(each).items())) for each in found[1:]] == [
        # repr distinguishes 1 from 1.0 and 0.0 from -0.0
        repr(sorted({"_runtime": 1.5, **{name: row[name] for name in row if name not in METADATA_FIELDS}}.items()))
        for row in kept
    ]
    left_out = sum(value is None for row in expected for value in row.values())
    assert sum(skipped.count for skipped in summary.skipped.values()) == left_out
    assert summary.read == {"history rows": len(logged)}
    assert not summary.damages


def test_numbers_as_json_writes_them() -> None:
    texts = ["0", "-0", "-0.0", "1e5", "1E-7", "123456789012345678901234567890", "18446744073709551616", "1.0",
             "9007199254740993", "1.7688706157503219e+09", "5e-324", "NaN", "-Infinity"]  # fmt: skip
    names = [f"metric_{index}" for index in range(len(texts))]
    # The names are known now, so the second row is parsed in place.
    records = [history(dict.fromkeys(names, 0)), _with_texts(names, texts)]
    _, reported = (each for each in observe(frame(records))[0] if isinstance(each, Observation))
    assert repr([reported.performance[name] for name in names]) == repr(
        [0, 0, -0.0, 100000.0, 1e-07, 123456789012345678901234567890, 18446744073709551616, 1.0,
         9007199254740993, 1768870615.7503219, 5e-324, "NaN", "-Infinity"]
    )  # fmt: skip


def _with_texts(names: list[str], texts: list[str]) -> bytes:
    from wandb.proto.wandb_internal_pb2 import Record as Message

    message = Message()
    for name, text in zip(names, texts, strict=True):
        message.history.item.add(key=name, value_json=text)
    return message.SerializeToString()


@pytest.mark.parametrize("text", ["nan", "[1", "[" * 100_000, "true", '"7"', "{}"])
def test_texts_that_are_not_metrics(text: str) -> None:
    known = history({"loss": 1.5})
    observations, summary = observe(frame([known, _with_texts(["loss"], [text])]))
    assert len(observations) == 2
    assert summary.skipped["history values that are not numbers"].examples == ["loss"]
    # If other values of the metric are numbers, a text is a lost value.
    summary.metrics["loss"] = 1
    assert not summary.is_complete


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *(
            (text, "history values that cannot be read")
            for text in ("1,2", "01", "1_0", "1\ud800", "1" + "[" * 100_000)
        ),
        *((text, "numbers beyond the range of a 64-bit float") for text in ("9" * 5000, "1e400", "-1e400")),
    ],
)
def test_numbers_that_cannot_be_kept_are_lost(text: str, reason: str) -> None:
    known = history({"loss": 1.5})
    observations, summary = observe(frame([known, _with_texts(["loss", "lr"], [text.replace("\ud800", "é"), "2"])]))
    assert [metrics(each) for each in observations[1:]] == [{"loss": 1.5}, {"lr": 2}]
    assert summary.lost[reason].examples == ["loss"]


def test_a_null_is_no_value() -> None:
    _, summary = observe(frame([history({"loss": 1.5}), history({"loss": None, "lr": 1})]))
    summary.metrics["loss"] = 1
    assert summary.is_complete


def test_a_decimal_of_many_digits_is_counted_as_rounded() -> None:
    texts = ["0.1234567890123456789012345", "0.12345678901234568", "0.1000000000000000055511151231"]
    names = ["a", "b", "c"]
    (_, _, reported), summary = observe(frame([history(dict.fromkeys(names, 0)), _with_texts(names, texts)]))
    assert metrics(reported) == {"a": 0.12345678901234568, "b": 0.12345678901234568, "c": 0.1}
    assert summary.rounded == 2


def test_names_that_are_not_utf8_are_distinct() -> None:
    from wandb.proto.wandb_internal_pb2 import Record as Message

    message = Message()
    for name in ("aXX", "aYY", "bZZ"):
        message.history.item.add(key=name, value_json="1")
    content = (
        message.SerializeToString().replace(b"XX", b"\xed\xa0").replace(b"YY", b"\xed\xa1").replace(b"ZZ", b"\0\0")
    )
    (_, reported), summary = observe(frame([content]))
    (stored,) = keep_names_storable([reported], summary)
    assert metrics(stored) == {r"a\xed\xa0": 1, r"a\xed\xa1": 1, r"b\x00\x00": 1}
    assert [note for note in summary.notes if "stored as" in note] == [
        r"the metric 'a\udced\udca0' is stored as a\xed\xa0",
        r"the metric 'a\udced\udca1' is stored as a\xed\xa1",
        r"the metric 'b\x00\x00' is stored as b\x00\x00",
    ]


def test_many_rows_of_one_iteration_take_linear_time() -> None:
    rows_of_one = [history({"_step": step, "train/global_step": 1, f"metric_{step}": step}) for step in range(3000)]
    records, _ = put_together(frame([*HF, *rows_of_one]))
    assert len(records) == 1
    assert len(metrics(records[0])) == 3001


def test_time_and_metadata() -> None:
    values = {"_timestamp": 1768870615.7503219, "_step": 40, "_runtime": 3, "_wandb": {"x": 1}, "_wandb.y": 2, "a": 1}
    (_, reported), _ = observe(frame([run("xyz"), history(values)]))
    assert reported == Observation(
        "history", 40, datetime(2026, 1, 20, 0, 56, 55, 750322, UTC),
        {"source": "wandb", "history": "history", "run_id": "xyz", "_runtime": 3, "a": 1, "step": 40,
         "created_at": "2026-01-20T00:56:55.750322+00:00", "updated_at": "2026-01-20T00:56:55.750322+00:00"},
    )  # fmt: skip


def test_a_metric_takes_precedence_over_metadata_with_its_name() -> None:
    (_, reported), _ = observe(frame([run("xyz"), history({"_step": 4, "step": 400, "source": 1.5, "a": 1})]))
    assert isinstance(reported, Observation)
    assert reported.performance == {"source": 1.5, "history": "history", "run_id": "xyz", "step": 400, "a": 1}


@pytest.mark.parametrize("timestamp", [1e300, -1e18, float("nan"), "yesterday", True, None])
def test_times_beyond_all_calendars(timestamp: object) -> None:
    ((record,), summary) = put_together(frame(rows({"loss": 1, "_timestamp": timestamp})))
    assert record.created_at is None
    assert "created_at" not in record.performance
    assert summary.without_time == 1


def test_calls_that_log_one_iteration_become_one_record() -> None:
    train = {"train/loss": 1.5, "train/epoch": 0.1, "train/global_step": 10, "_runtime": 60, "_timestamp": 1.7e9}
    evaluation = {"eval/loss": 2.5, "train/epoch": 0.1, "train/global_step": 10, "_runtime": 90, "_timestamp": 1.8e9}
    other_loss = {"train/loss": 1.25, "train/global_step": 10, "_runtime": 91}
    next_one = {"train/loss": 1.25, "train/global_step": 11, "_runtime": 92}
    records, summary = put_together(frame([*HF, *rows(train, evaluation, evaluation, other_loss, next_one)]))
    assert [(record.iteration, record.ordinal, record.performance["step"]) for record in records] == [
        (10, 0, 0), (10, 1, 2), (11, 0, 4)
    ]  # fmt: skip
    assert metrics(records[0]) == {
        "train/loss": 1.5, "train/epoch": 0.1, "train/global_step": 10, "_runtime": 60, "eval/loss": 2.5
    }  # fmt: skip
    assert [metrics(record)["eval/loss"] for record in records[:2]] == [2.5, 2.5]
    assert [metrics(record)["train/loss"] for record in records] == [1.5, 1.25, 1.25]
    assert summary.metrics["eval/loss"] == 2
    assert not summary.metrics.keys() & METADATA_FIELDS
    assert summary.restarts == summary.non_finite == 0


def test_runs_in_several_files() -> None:
    first = frame([run("a"), *rows({"loss": 1}, {"loss": 2})])
    resumed = frame([run("a"), history({"_step": 2, "loss": 3})])
    restarted = frame([run("a"), history({"_step": 2, "loss": 4})])
    records, summary = put_together(first, resumed, restarted)
    assert [(record.serial, record.iteration) for record in records] == [(0, 0), (0, 1), (0, 2), (1, 2)]
    assert summary.restarts == 1


def test_a_pause_yields_the_rows_read_so_far() -> None:
    content = frame([run("a"), *rows(*[{"loss": step} for step in range(40)])])
    blocks = [*(content[start : start + 50] for start in range(0, 800, 50)), None, content[800:], None]
    summary = ReadSummary()
    observations = list(read_wandb_files([("a.wandb", blocks)], summary))
    before = observations.index(Mark.PAUSE)
    assert 1 < before < 30
    assert observations[-1] is Mark.PAUSE
    assert [each for each in observations if isinstance(each, Observation)] == observe(content)[0][1:]


def test_runs_without_history() -> None:
    observations, summary = observe(frame([run("a"), other("console")]))
    assert observations == []
    assert summary.notes == ["the run logged no history"]
    assert "0 history rows" in summary.format()


def test_a_record_that_is_not_a_message() -> None:
    (_, reported), summary = observe(
        frame([b"\x12\x05\x0a\x07\x0a", b"\x12\xff", b"\xff" * 20, b"\x12\x02\x0b\x00", *rows({"a": 1})])
    )
    assert metrics(reported) == {"a": 1}
    assert [damage.byte for damage in summary.damages] == [7, 19, 28, 55]


@given(st.lists(st.binary(max_size=40), max_size=4), st.binary(max_size=60))
def test_no_message_is_too_strange(contents: list[bytes], item: bytes) -> None:
    wrapped = [b"\x12" + bytes([len(item) + 2]) + b"\x0a" + bytes([len(item)]) + item]
    known = history({"a": 1})
    _, summary = observe(frame([known, *contents, *wrapped, *rows({"a": 1, "b": 2})]))
    assert summary.read["history rows"] >= 2


def test_other_content_of_a_file_is_never_reported() -> None:
    content = frame(
        [run("a"), other("secret words"), *rows({"a": 1, "mail": "somebody@example.org", "t": {"x": "secret"}})]
    )
    observations, summary = observe(content)
    reported = f"{observations}{summary.as_json()}{summary.format()}"
    assert not [text for text in ("secret", "somebody", "host-of") if text in reported]
