"""Logs that are damaged or hostile: valid parts are read, the rest is counted, and nothing else happens."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.ingest.logs.printers import PRINTERS, Reported
from tests.ingest.logs.test_printed_logs import read

SAMPLES = {path.stem: path.read_bytes() for path in (Path(__file__).parent / "samples").glob("*.log")}
DIGITS = "9" * 5000
NESTED = "[" * 100_000


@pytest.mark.parametrize(
    "lines",
    [
        [f" iteration {DIGITS}/ 10 | lm loss: 1.5 |"],
        [f" iteration 1/ {DIGITS} | lm loss: 1.5 |"],
        [f"rank{DIGITS}: iteration 1/ 10 | lm loss: {DIGITS} |"],
        [f"rank-{DIGITS} iteration 1/ 10 | lm loss: 1.5 | rank-{DIGITS} mem usage/free: 1GB/2GB |"],
        [f":::MLLOG {{{NESTED}"],
        [f':::MLLOG {{"key": "a", "value": {NESTED}'],
        [f':::MLLOG {{"key": "a", "value": {DIGITS}, "time_ms": {DIGITS}, "metadata": {{"step": {DIGITS}}}}}'],
        [':::MLLOG {"key": "a", "value": 1, "time_ms": 1e300, "metadata": {"step": 1}}'],
        [f"[Rank 0] step=1, skipped=0, lr={NESTED}"],
        ["[Rank 0] step=1, skipped=0, lr=" + "[" * 200 + "1" + "]" * 200],
        [f"{{'loss': {NESTED}, 'epoch': 1}}"],
        [f"{{'loss': 1, 'epoch': {DIGITS}}}"],
        [f"{DIGITS}/{DIGITS} [00:10<01:30]{{'loss': 1, 'epoch': 1}}"],
        ["[2026-99-99 99:99:99] iteration 1/ 10 | lm loss: 1 |"],
        ["[0001-01-01 00:00:00+23:59] iteration 1/ 10 | lm loss: 1 |"],
        [f"Epoch {DIGITS}: 1%|#|# {DIGITS}/{DIGITS} [00:05<00:45, 2it/s, loss=1]"],
        [f"Epoch {DIGITS}: 1%|#| {DIGITS}/{DIGITS} [00:05<00:45, 2it/s, loss=1]"],
    ],
    ids=lambda lines: lines[0][:40],
)
def test_hostile_lines(lines: list[str]) -> None:
    good = [f" iteration {number}/ 10 | lm loss: 2.5 |" for number in range(2, 5)]
    read("\n".join(lines) + "\n", [])
    found, _ = read("\n".join([*lines, *good]) + "\n", [])
    assert [record.iteration for record in found if record.iteration != 1] == [2, 3, 4]


def test_a_number_that_is_too_large_is_lost_and_reported() -> None:
    lines = [f" iteration {number}/ 10 | lm loss: 1.5 |" for number in (1, 2**31, DIGITS)]
    found, summary = read("\n".join(lines) + "\n", [])
    assert [record.iteration for record in found] == [1]
    assert summary.lost["iterations beyond what the table can hold"].count == 2


def test_damaged_events_are_lost_and_reported() -> None:
    lines = PRINTERS["MLPerf logging"].print(Reported(5, 1.5, 2.5))
    found, summary = read("\n".join([*lines, lines[0][:-9], f":::MLLOG {{{NESTED[:1000]}"]) + "\n", [])
    assert [record.iteration for record in found] == [5]
    assert summary.lost["MLLOG lines that hold no event"].count == 2
    lines = PRINTERS["fairseq"].print(Reported(5, 1.5, 2.5))
    _, summary = read("\n".join([*lines, lines[0][:-9]]) + "\n", [])
    assert summary.lost["training lines that are damaged"].count == 1


def test_names_with_lone_surrogates() -> None:
    event = {"key": "a\ud800", "value": 1.5, "time_ms": 1, "metadata": {"step": 1}}
    found, _ = read(f":::MLLOG {json.dumps(event)}\n", [])
    assert len(found) == 1


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Return a sample with pieces removed, repeated, replaced, or inserted into another sample."""
    content = draw(st.sampled_from(sorted(SAMPLES.values())))
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(content)))
        end = draw(st.integers(begin, min(len(content), begin + 200)))
        other = draw(st.sampled_from(sorted(SAMPLES.values())))[begin:end]
        pieces = [b"", content[begin:end] * 3, other, b"9" * 30, b"{'", b"[", b"|", b"\r", b"\x08", b"\x1b[", b"\n"]
        piece = draw(st.sampled_from(pieces) | st.binary(max_size=20))
        content = content[:begin] + piece + content[end:]
    return content


@settings(max_examples=150)
@given(damaged())
def test_damaged_logs_are_read_without_an_error(content: bytes) -> None:
    found, summary = read(content.decode("latin-1"), [])
    assert len(found) == summary.records
