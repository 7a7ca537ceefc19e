"""Names that JSONB cannot store: renamed, kept distinct, and reported; from each kind of file to the API."""

import json
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.event_files.reader import read_event_files
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.records import Mark, Observation
from lens_perf.ingest.storable_names import LONGEST_NAME, TOO_LONG, keep_names_storable
from tests.conftest import Ask
from tests.ingest.event_files import written
from tests.ingest.importing import Importer
from tests.ingest.wandb_files import run_files

NAMES = st.text(st.sampled_from("a\0\ud800\udc80\\x0 損") | st.characters(), max_size=8)


def store(*names: str) -> tuple[list[str], ReadSummary]:
    summary = ReadSummary()
    observations = [Observation("a", index, None, {name: index}) for index, name in enumerate(names)]
    kept = keep_names_storable([Mark.SESSION, *observations, *observations], summary)
    found = [next(iter(each.performance)) for each in kept if isinstance(each, Observation)]
    assert found[: len(names)] == found[len(names) :], "a name is stored as the same each time"
    return found[: len(names)], summary


@given(st.lists(NAMES, unique=True, max_size=8))
def test_names_are_storable_and_distinct(names: list[str]) -> None:
    stored, summary = store(*names)
    assert len(set(stored)) == len(names)
    for name, kept in zip(names, stored, strict=True):
        kept.encode()
        assert "\0" not in kept
        assert kept.strip()
        assert kept == name or any(kept in note for note in summary.notes)


def test_characters_are_written_as_python_writes_them() -> None:
    stored, summary = store("a\0b", "a\\x00b", "c\ud800", "d\udced\udca0", "", "損失")
    assert stored == [r"a\x00b", r"a\x00b_2", r"c\ud800", r"d\xed\xa0", "unnamed", "損失"]
    assert r"the metric 'a\x00b' is stored as a\x00b" in summary.notes


def test_names_that_are_too_long_are_lost() -> None:
    summary = ReadSummary()
    observations = [Observation("a", 1, None, {"x" * LONGEST_NAME: 1, "y" * (LONGEST_NAME + 1): 2})]
    (kept,) = keep_names_storable(observations, summary)
    assert isinstance(kept, Observation)
    assert list(kept.performance) == ["x" * LONGEST_NAME]
    assert summary.lost[TOO_LONG].count == 1
    assert list(keep_names_storable([Observation("a", 1, None, {"z" * 2000: 1})], summary)) == []


def test_the_number_of_notes_is_limited() -> None:
    summary = store(*(f"\0{index}" for index in range(100)))[1]
    assert len(summary.notes) == 11


def test_tags_that_are_not_utf8() -> None:
    content = written.frame([written.scalar("aXX", 1, 1.0), written.scalar("aYY", 1, 2.0)])
    events = [event.replace(b"XX", b"\xed\xa0").replace(b"YY", b"\xed\xa1") for event in list_records(content)]
    summary = ReadSummary()
    observations = read_event_files([("a", "", [written.frame_records(events)])], summary)
    kept = [each for each in keep_names_storable(observations, summary) if isinstance(each, Observation)]
    assert [each.performance for each in kept] == [{r"a\xed\xa0": 1.0}, {r"a\xed\xa1": 2.0}]


def list_records(content: bytes) -> list[bytes]:
    from lens_perf.ingest.event_files.framing import RecordSplitter

    return list(RecordSplitter("a", ReadSummary()).feed(content))


def test_tags_of_directories_and_tags_with_slashes_are_distinct() -> None:
    summary = ReadSummary()
    files = [
        ("a", "", [written.frame([written.scalar("train/loss", 1, 1.0)])]),
        ("b", "train/", [written.frame([written.scalar("loss", 1, 2.0)])]),
        ("c", "train/", [written.frame([written.scalar("loss", 2, 3.0)])]),
    ]
    found = [each for each in read_event_files(files, summary) if isinstance(each, Observation)]
    assert [each.performance for each in found] == [{"train/loss": 1.0}, {"train/loss_2": 2.0}, {"train/loss_2": 3.0}]
    assert summary.notes == ["two tags would both be train/loss: that of train/ is train/loss_2"]


def write_events(path: Path) -> None:
    path.write_bytes(written.frame([written.scalar("a\0", 1, 1.5), written.scalar("b", 2, 2.5)]))


def write_wandb(path: Path) -> None:
    path.write_bytes(run_files.frame([run_files.run("r\0un"), run_files.history({"_step": 1, "a\0": 1.5, "b": 2.5})]))


def write_state(path: Path) -> None:
    path.write_text(json.dumps({"log_history": [{"step": 1, "a\0": 1.5, "b": 2.5, "c\ud800": 3.5}]}))


@pytest.mark.parametrize("postgres", [18], indirect=True)
@pytest.mark.parametrize("write", [write_events, write_wandb, write_state])
def test_every_kind_reaches_the_api(importer: Importer, ask: Ask, app: Flask, tmp_path: Path, write: object) -> None:
    path = tmp_path / "events.tfevents"
    write(path)  # type: ignore[operator]
    outcome = importer.run("auto", path)
    assert outcome.status == 0
    assert r"the metric 'a\x00' is stored as a\x00" in outcome.report["read"]["notes"]
    points = {point["metric_name"]: point["value"] for point in ask("data")["data"]}
    assert points[r"a\x00"] == 1.5
    assert points["b"] == 2.5
    assert points.get(r"c\ud800", 3.5) == 3.5
