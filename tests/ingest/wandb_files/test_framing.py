"""The framing of ``.wandb`` files: complete, truncated anywhere, with any bit flipped, in blocks of any size."""

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lens_perf.ingest.read_summary import Damage, ReadSummary
from lens_perf.ingest.wandb_files.framing import RecordSplitter, looks_like_wandb_file
from tests.ingest.wandb_files.run_files import BLOCK_SIZE, FILE_HEADER, frame
from tests.real_data import REAL_DATA, needs_real_data

# Sizes at which a record ends near the end of a block, with no space, or no space for a header, after it.
EDGES = st.integers(BLOCK_SIZE - 30, BLOCK_SIZE + 5)
SIZES = st.lists(st.one_of(st.integers(0, 300), EDGES, st.integers(0, 3 * BLOCK_SIZE)), max_size=5)


def make_records(sizes: list[int]) -> list[bytes]:
    return [bytes((index * 37 + place * 11) % 251 for place in range(size)) for index, size in enumerate(sizes)]


def split(content: bytes, block_size: int = 1 << 20) -> tuple[list[bytes], list[Damage]]:
    summary = ReadSummary()
    splitter = RecordSplitter("run.wandb", summary)
    blocks = [content[start : start + block_size] for start in range(0, len(content), block_size)]
    records = [record for block in blocks for record in splitter.feed(block)]
    splitter.finish()
    return records, summary.damages


@given(SIZES, st.integers(1, 2 * BLOCK_SIZE))
def test_blocks_of_any_size(sizes: list[int], block_size: int) -> None:
    records = make_records(sizes)
    # Blocks of one byte are slow, so the size is at least 1000 here.
    assert split(frame(records), max(block_size, 1000)) == (records, [])
    small = make_records([size % 500 for size in sizes])
    assert split(frame(small), block_size % 9 + 1) == (small, [])


@settings(max_examples=200)
@given(SIZES, st.data())
def test_truncation_loses_only_the_rest(sizes: list[int], data: st.DataObject) -> None:
    records = make_records(sizes)
    content = frame(records)
    ends = [len(frame(records[:count])) for count in range(len(records) + 1)]
    near = st.sampled_from(ends).flatmap(lambda end: st.integers(max(end - 9, 0), min(end + 9, len(content))))
    cut = data.draw(near | st.integers(0, len(content)))
    found, damages = split(content[:cut])
    whole = sum(end <= cut for end in ends) - 1
    assert found == records[: max(whole, 0)]
    end = ends[max(whole, 0)]
    padding = BLOCK_SIZE - end % BLOCK_SIZE
    is_clean = whole >= 0 and cut - end in range(padding + 1 if padding < 7 else 1)
    assert [damage.finding for damage in damages] == (
        [] if is_clean else ["an empty file"] if cut == 0 else ["ends inside a record"] if cut >= 7 else [
            "ends inside the file header"
        ]
    )  # fmt: skip
    if damages and cut >= 7:
        assert damages[0].byte == (end if padding >= 7 else end + padding)


@settings(max_examples=200)
@given(SIZES, st.data())
def test_a_flipped_bit_is_noticed_and_yields_no_wrong_record(sizes: list[int], data: st.DataObject) -> None:
    records = make_records(sizes)
    content = bytearray(frame(records))
    bit = data.draw(st.integers(0, 8 * len(content) - 1))
    content[bit // 8] ^= 1 << bit % 8
    found, damages = split(bytes(content))
    assert len(damages) == 1
    assert damages[0].byte <= bit // 8
    remaining = iter(records)
    assert all(record in remaining for record in found)  # in order, none that was not written
    if bit // 8 < 7:
        assert found == records


def test_damage_costs_its_block_only() -> None:
    records = make_records([1000] * 200)
    content = bytearray(frame(records))
    content[3 * BLOCK_SIZE + 100] ^= 1
    found, damages = split(bytes(content))
    assert [damage.byte // BLOCK_SIZE for damage in damages] == [3]
    # Records that are entirely in other blocks are found.
    assert 0 < len(records) - len(found) <= BLOCK_SIZE // 1007 + 2
    assert found[0] == records[0]
    assert found[-1] == records[-1]


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize("place", [6, 50], ids=["kind", "data"])
@pytest.mark.parametrize("block_size", [100, 1 << 20])
def test_a_record_with_a_damaged_part_is_lost_as_a_whole(block: int, place: int, block_size: int) -> None:
    # The first record contains bytes that look like another file.
    records = [frame([b"inner"] * 10)[7:] * 1000, b"last" * BLOCK_SIZE]
    content = bytearray(frame(records))
    start = max(block * BLOCK_SIZE, 7)
    content[start + place] ^= 8
    found, damages = split(bytes(content), block_size)
    assert found == records[1:]
    assert [damage.byte for damage in damages] == [start]


def test_padding_is_checked() -> None:
    records = [b"x" * (BLOCK_SIZE - 7 - 7 - 3), b"y"]
    content = bytearray(frame(records))
    assert split(bytes(content)) == (records, [])
    content[BLOCK_SIZE - 2] = 1
    assert split(bytes(content)) == (records, [Damage("run.wandb", BLOCK_SIZE - 3, "a padding that is not zero")])


def test_long_damage_is_reported_once() -> None:
    content = frame(make_records([1000] * 100)) + bytes(40 * BLOCK_SIZE)
    found, damages = split(content)
    assert len(found) == 100
    assert len(damages) == 1


def test_the_checksum_covers_the_kind() -> None:
    content = bytearray(frame([b"record"]))
    content[7 + 6] = 4
    assert split(bytes(content))[0] == []
    content[7:11] = zlib.crc32(b"\x04record").to_bytes(4, "little")
    assert split(bytes(content)) == ([], [Damage("run.wandb", 7, "a record without its beginning")])


@pytest.mark.parametrize("head", [b"", FILE_HEADER[:6], b":W&B\xe1\xbe\x01", b"{}"])
def test_files_that_are_not_wandb_files(head: bytes) -> None:
    assert not looks_like_wandb_file(head)
    assert looks_like_wandb_file(FILE_HEADER + head)


@needs_real_data
def test_the_framing_of_the_tests_is_equal_to_that_of_real_files() -> None:
    paths = sorted(REAL_DATA.glob("wandb/**/*.wandb"))
    assert len(paths) == 5
    for path in paths:
        content = path.read_bytes()
        records, _ = split(content, 10_000)
        again = frame(records)
        assert content.startswith(again)
        assert len(content) - len(again) < 300  # two of the files are truncated
