"""Event files that are complete, truncated at any byte, with any bit flipped, in blocks of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.ingest.event_files.framing import RecordSplitter, looks_like_event_file
from lens_perf.ingest.read_summary import ReadSummary
from tests.ingest.event_files.written import frame, scalar

CONTENT = frame(scalar(f"tag{step % 3}", step, step / 7) for step in range(20))


def split(content: bytes, block_size: int = 1 << 20) -> tuple[list[bytes], ReadSummary]:
    summary = ReadSummary()
    splitter = RecordSplitter("events", summary)
    records = []
    for begin in range(0, len(content), block_size):
        records += splitter.feed(content[begin : begin + block_size])
    splitter.finish()
    return records, summary


WHOLE = split(CONTENT)[0]
# Where each record begins.
BEGINS = [sum(len(record) + 16 for record in WHOLE[:index]) for index in range(len(WHOLE))]


@pytest.mark.parametrize("block_size", [1, 7, 16, 100, 1 << 20])
def test_whole_files(block_size: int) -> None:
    records, summary = split(CONTENT, block_size)
    assert records == WHOLE
    assert len(records) == 21
    assert not summary.damages


@pytest.mark.parametrize("cut", range(1, len(CONTENT)))
def test_truncation_loses_only_the_rest(cut: int) -> None:
    records, summary = split(CONTENT[:cut], 37)
    whole = sum(begin + len(record) + 16 <= cut for begin, record in zip(BEGINS, WHOLE, strict=True))
    assert records == WHOLE[:whole]
    at_border = cut in BEGINS
    assert [damage.byte for damage in summary.damages] == ([] if at_border else [BEGINS[whole]])


@given(st.integers(0, len(CONTENT) - 1), st.integers(0, 7), st.integers(1, 200))
def test_any_flipped_bit_is_noticed_and_costs_one_record(place: int, bit: int, block_size: int) -> None:
    damaged = bytearray(CONTENT)
    damaged[place] ^= 1 << bit
    records, summary = split(bytes(damaged), block_size)
    hit = max(index for index, begin in enumerate(BEGINS) if begin <= place)
    assert records == WHOLE[:hit] + WHOLE[hit + 1 :]
    assert [damage.byte for damage in summary.damages] == [BEGINS[hit]]


@given(st.binary(max_size=300), st.integers(1, 64))
def test_any_content_is_processed(content: bytes, block_size: int) -> None:
    records, summary = split(content, block_size)
    assert records == []
    assert bool(summary.damages) == bool(content)


def test_a_gap_is_reported_with_its_length() -> None:
    begin, end = BEGINS[5], BEGINS[7]
    records, summary = split(CONTENT[:begin] + b"\x01" * 1000 + CONTENT[end:])
    assert records == WHOLE[:5] + WHOLE[7:]
    (damage,) = summary.damages
    assert (damage.byte, "1000 bytes belong to no record" in damage.finding) == (begin, True)


def test_damage_in_many_places_is_counted() -> None:
    damaged = bytearray(frame(scalar("a", step, 1.0) for step in range(100)))
    # The last byte of each record's checksum.
    records, position = split(bytes(damaged))[0], 0
    for record in records:
        position += len(record) + 16
        damaged[position - 1] ^= 1
    records, summary = split(bytes(damaged))
    assert records == []
    assert len(summary.damages) == 20
    assert summary.skipped["more damaged places"].count == 81


def test_recognition() -> None:
    assert looks_like_event_file(CONTENT[:100])
    assert not looks_like_event_file(CONTENT[1:100])
    assert not looks_like_event_file(frame([scalar("a", 1, 1)], version=False))
    assert not looks_like_event_file(b"")
