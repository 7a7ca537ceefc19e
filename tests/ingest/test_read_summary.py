"""The summary of an import: values left out and lost, without characters that control a terminal."""

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.read_summary import TEXTS_AMONG_NUMBERS, Damage, ReadSummary, format_count, make_printable


@given(st.text(st.characters()))
def test_printed_text_is_visible_and_harmless(text: str) -> None:
    shown = make_printable(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    shown.encode()


@pytest.mark.parametrize("char", "\u202e\u202d\u2066\u2069\u200b\u200f\ufeff\u061c\u2028\ud800\x9b\x1b\U000e0041")
def test_characters_that_deceive(char: str) -> None:
    assert make_printable(f"loss{char}txt.exe") == "loss txt.exe"


def test_letters_of_any_script_are_shown() -> None:
    assert make_printable("损失 Größe потеря 損失") == "损失 Größe потеря 損失"
    assert make_printable("\x1b[1;31mred\x1b[0m") == " red "


def test_numbers_of_things() -> None:
    counts = [(0, "rows"), (1, "rows"), (2, "rows"), (1, "history entries"), (1234, "history entries")]
    words = ["0 rows", "1 row", "2 rows", "1 history entry", "1,234 history entries"]
    assert [format_count(*each) for each in counts] == words


def test_lost_values_make_a_reading_incomplete() -> None:
    summary = ReadSummary()
    summary.skip("images", "input")
    assert summary.is_complete
    summary.lose("iterations beyond what the table can hold", "3000000000")
    assert not summary.is_complete
    assert "LOST       iterations beyond what the table can hold: 1\n             3000000000" in summary.format()
    assert summary.as_json()["lost"] == {
        "iterations beyond what the table can hold": {"count": 1, "examples": ["3000000000"]}
    }


def test_damage_makes_a_reading_incomplete() -> None:
    summary = ReadSummary()
    summary.note_damage(Damage("a.log", 3, "ends inside gzip data"))
    assert not summary.is_complete


def test_a_text_among_numbers_is_lost() -> None:
    summary = ReadSummary()
    summary.metrics["loss"] = 5
    summary.skip_text("fields that are not numbers", "remaining_time", "remaining_time: 3h")
    assert summary.is_complete
    summary.skip_text("fields that are not numbers", "loss", "loss: ?")
    assert not summary.is_complete
    report = json.loads(json.dumps(summary.as_json()))
    assert report["lost"] == {TEXTS_AMONG_NUMBERS: {"count": 1, "examples": ["loss: ?"]}}
    assert report["skipped"] == {"fields that are not numbers": {"count": 1, "examples": ["remaining_time: 3h"]}}
    assert summary.format().count("loss: ?") == 1


def test_lost_texts_do_not_hide_what_is_left_out() -> None:
    summary, reason = ReadSummary(), "fields that are not numbers"
    summary.skip(reason, "null")
    for value in range(5):
        summary.skip_text(reason, "loss", f"loss: {value}?")
    for host in "ab":
        summary.skip_text(reason, "host", f"host: {host}")
    summary.skip_text("history values", "lr")
    assert summary.list_skipped() == summary.skipped
    summary.metrics.update(loss=1, lr=1)
    skipped, lost = summary.as_json()["skipped"], summary.as_json()["lost"]
    assert skipped == {reason: {"count": 3, "examples": ["null", "host: a", "host: b"]}}
    assert lost == {TEXTS_AMONG_NUMBERS: {"count": 6, "examples": ["loss: 0?", "lr"]}}
