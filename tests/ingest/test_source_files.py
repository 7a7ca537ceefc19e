"""Reading files: plain, gzipped, damaged, growing, rotated, and a pipe."""

import gzip
import os
import re
import threading
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.errors import ImportInputError
from lens_perf.ingest import source_files
from lens_perf.ingest.read_summary import ReadSummary
from lens_perf.ingest.source_files import BLANK_RUN, follow_blocks, pass_over_blanks, read_blocks, read_head, read_pipe

CONTENT = b"".join(b"line %d\n" % number for number in range(50_000))


def read(path: Path) -> tuple[bytes, ReadSummary]:
    summary = ReadSummary()
    return b"".join(read_blocks(path, summary)), summary


@pytest.mark.parametrize("zipped", [False, True])
def test_content_and_progress(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(gzip.compress(CONTENT) if zipped else CONTENT)
    reported: list[int] = []
    assert b"".join(read_blocks(path, ReadSummary(), reported.append)) == CONTENT
    assert sum(reported) == path.stat().st_size
    assert read_head(path, 10) == CONTENT[:10]


def test_gzip_members_one_after_the_other(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"one\n") + gzip.compress(CONTENT) + gzip.compress(b"three\n"))
    content, summary = read(path)
    assert content == b"one\n" + CONTENT + b"three\n"
    assert not summary.damages


@given(st.data())
def test_truncated_gzip_data_are_read_up_to_the_end(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    zipped = gzip.compress(CONTENT)
    cut = data.draw(st.integers(2, len(zipped) - 1))
    path = tmp_path_factory.mktemp("cut") / "a.gz"
    path.write_bytes(zipped[:cut])
    content, summary = read(path)
    assert CONTENT.startswith(content)
    assert [(each.path, each.byte) for each in summary.damages] == [(str(path), cut)]


def test_gzip_with_a_wrong_byte_is_noticed(tmp_path: Path) -> None:
    zipped = bytearray(gzip.compress(CONTENT))
    path = tmp_path / "a.gz"
    for place in range(100, len(zipped), 997):
        damaged = bytearray(zipped)
        damaged[place] ^= 0x10
        path.write_bytes(damaged)
        assert len(read(path)[1].damages) == 1


def test_unreadable_files(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(ImportInputError, match="cannot be read: "):
            read(path)
        with pytest.raises(ImportInputError, match="cannot be read: "):
            next(follow_blocks(path, threading.Event().is_set))


def test_gzipped_files_cannot_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(b"line\n"))
    with pytest.raises(ImportInputError, match="without --follow"):
        next(follow_blocks(path, threading.Event().is_set))


def test_a_growing_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    blocks = follow_blocks(path, threading.Event().is_set)
    assert list(islice(blocks, 3)) == [b"one\n", None, None]
    with path.open("ab") as file:
        file.write(b"two\nthr")
        file.flush()
        assert list(islice(blocks, 2)) == [b"two\nthr", None]
        file.write(b"ee\n")
    assert list(islice(blocks, 2)) == [b"ee\n", None]


def test_following_ends_with_the_data(tmp_path: Path) -> None:
    path, stopped = tmp_path / "a.log", threading.Event()
    path.write_bytes(b"one\n")
    blocks = follow_blocks(path, stopped.is_set)
    assert list(islice(blocks, 2)) == [b"one\n", None]
    with path.open("ab") as file:
        file.write(b"two\n")
    stopped.set()
    assert list(blocks) == [b"two\n"]


def test_a_rotated_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\n")
    blocks = follow_blocks(path, threading.Event().is_set)
    assert list(islice(blocks, 2)) == [b"one\n", None]
    with path.open("ab") as file:
        file.write(b"two\n")
        file.flush()
        path.rename(tmp_path / "a.log.1")
        assert list(islice(blocks, 2)) == [b"two\n", None]
        file.write(b"three\n")
    path.write_bytes(b"four\n")
    assert list(islice(blocks, 4)) == [b"three\n", b"", b"four\n", None]


def test_a_truncated_file(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo\n")
    blocks = follow_blocks(path, threading.Event().is_set)
    assert list(islice(blocks, 2)) == [b"one\ntwo\n", None]
    path.write_bytes(b"1\n")
    assert list(islice(blocks, 3)) == [b"", b"1\n", None]


def test_a_pipe_is_read_ahead_and_pauses() -> None:
    reader, writer = os.pipe()
    stop = threading.Event()
    with os.fdopen(reader, "rb") as file:
        blocks = read_pipe(file, stop.is_set, wait_seconds=0.01)
        os.write(writer, b"one\n")
        assert next(blocks) == b"one\n"
        assert next(blocks) is None
        # More than the buffer of a pipe: a writer does not wait for the reader.
        for _ in range(40):
            os.write(writer, b"x" * 65536)
        os.close(writer)
        assert sum(len(block or b"") for block in blocks) == 40 * 65536


def test_a_pipe_ends_when_it_is_stopped() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file:
        assert list(read_pipe(file, lambda: True, wait_seconds=0.01)) == []
        os.close(writer)


def test_a_pipe_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_files, "MOST_WAITING_BLOCKS", 2)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as file:
        blocks = read_pipe(file, lambda: False)
        os.write(writer, b"y")
        assert next(blocks) == b"y"
        os.set_blocking(writer, False)
        written = 0
        with suppress(BlockingIOError):
            while written < 1 << 24:
                written += os.write(writer, b"x" * 65536)
                threading.Event().wait(0.01)
        assert written < 1 << 20
        os.close(writer)
        assert sum(len(block or b"") for block in blocks) == written


def test_the_unpacked_size_of_a_file_is_limited(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(CONTENT))
    summary = ReadSummary()
    assert b"".join(read_blocks(path, summary, max_unpacked=100_000)) == CONTENT[:100_000]
    assert "unpacks to more than 0 MiB: raise imports.max_unpacked_mib" in str(summary.damages[0])
    summary = ReadSummary()
    assert b"".join(read_blocks(path, summary, max_unpacked=len(CONTENT))) == CONTENT
    assert summary.is_complete


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" ", b"\t", b"\0", b" \n"])
@pytest.mark.parametrize("block_size", [1000, 1 << 20])
def test_long_runs_of_blanks_are_skipped(blank: bytes, block_size: int) -> None:
    text = b"one\n" + blank * 50_000 + b"two\n" + blank * 3 + b"three\n"
    summary = ReadSummary()
    blocks = [text[begin : begin + block_size] for begin in range(0, len(text), block_size)]
    passed = b"".join(pass_over_blanks(blocks, summary))
    assert passed.split() == text.split() or b"\0" in blank
    assert passed.count(b"\n") + summary.read["lines"] == text.count(b"\n")
    assert passed.endswith(b"two\n" + blank * 3 + b"three\n")
    if len(blank) == 1 and block_size > len(text):
        assert len(passed) < 30
    assert ("runs of zeros, where the file may have holes" in summary.skipped) == (blank == b"\0" and block_size > 1024)


@given(st.lists(st.sampled_from([b"\n" * 1500, b" " * 1100, b"x", b"\n", b"iteration 1/ 2 |", b"\0" * 2000])))
def test_other_characters_are_kept(parts: list[bytes]) -> None:
    text, summary = b"".join(parts), ReadSummary()
    passed = b"".join(pass_over_blanks([text], summary))
    assert re.sub(rb"[\s\0]+", b"", passed) == re.sub(rb"[\s\0]+", b"", text)
    assert passed.count(b"\n") + summary.read["lines"] == text.count(b"\n")
    assert not BLANK_RUN.search(passed)


def test_pauses_are_passed_on(tmp_path: Path) -> None:
    assert list(pass_over_blanks([b"a", None, b"\n" * 5000], ReadSummary())) == [b"a", None, b"\n"]
