"""Reads the bytes of an import in blocks: plain and gzipped files, growing files and standard input."""

import os
import queue
import re
import stat
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, overload

from lens_perf.errors import ImportInputError
from lens_perf.ingest.read_summary import Damage, ReadSummary

GZIP_MAGIC = b"\x1f\x8b"
BLOCK_SIZE = 1 << 20
# Small, so that damage in gzipped data loses little of the good data before it.
ZIPPED_BLOCK_SIZE = 1 << 14
# Buffer for standard input, so that a program that writes into a pipe does not wait while a database is unreachable.
MOST_WAITING_BLOCKS = 256
PIPE_BLOCK_SIZE = 1 << 16

# Limit for unpacked data: deflate compresses up to a thousand to one, and everything unpacked has to be read.
MOST_UNPACKED = 4 << 30
LIMIT_SETTING = "imports.max_unpacked_mib"
# Longer runs of these are skipped: blank lines, or zero bytes of sparse files.
LONG_RUN = 1024
LONG_RUNS = tuple(char * (LONG_RUN // len(char)) for char in (b"\n", b"\r\n", b"\0", b" ", b"\t"))
# Only at the beginning of a run: otherwise each character of a shorter run would start another attempt.
BLANK_RUN = re.compile(rb"(?<![\n\r\t \0])[\n\r\t \0]{%d,}+" % LONG_RUN)

Progress = Callable[[int], None]


def open_source(path: Path) -> BufferedReader:
    """Open a file for reading. Raises ImportInputError."""
    try:
        return path.open("rb")
    except OSError as error:
        raise ImportInputError(f"{path}: cannot be read: {error.strerror}") from None


def read_blocks(
    path: Path, summary: ReadSummary, on_progress: Progress | None = None, max_unpacked: int = MOST_UNPACKED
) -> Iterator[bytes]:
    """Yield the content of a file, unzipped if it is gzipped; ``on_progress`` gets the number of bytes read.

    Gzip data end at damage or after ``max_unpacked`` unpacked bytes, with a Damage in ``summary``. Raises
    ImportInputError if the file cannot be read.
    """
    report = on_progress or (lambda _: None)
    with open_source(path) as file:
        zipped = _peek(path, file) == GZIP_MAGIC
        yield from _unzip(path, file, summary, report, max_unpacked) if zipped else _read_plain(path, file, report)


def read_head(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a file, unzipped. Raises ImportInputError."""
    return _take(read_blocks(path, ReadSummary()), size)


def read_text_head(path: Path, size: int) -> bytes:
    """Return the first ``size`` bytes of a text like ``read_head``, without long runs of blanks."""
    summary = ReadSummary()
    return _take(pass_over_blanks(read_blocks(path, summary), summary), size)


def _take(blocks: Iterable[bytes], size: int) -> bytes:
    head = bytearray()
    for block in blocks:
        head += block
        if len(head) >= size:
            break
    return bytes(head[:size])


@overload
def pass_over_blanks(blocks: Iterable[bytes], summary: ReadSummary) -> Iterator[bytes]: ...
@overload
def pass_over_blanks(blocks: Iterable[bytes | None], summary: ReadSummary) -> Iterator[bytes | None]: ...
def pass_over_blanks(blocks: Iterable[bytes | None], summary: ReadSummary) -> Iterator[bytes | None]:
    """Yield the blocks of a text with long runs of blank characters shortened; ``summary`` counts their lines."""

    def shorten(run: re.Match[bytes]) -> bytes:
        blank = run.group()
        if b"\0" in blank:
            summary.skip("runs of zeros, where the file may have holes")
        if lines := blank.count(b"\n"):
            summary.read["lines"] += lines - 1
            return b"\n"
        return blank[:1]

    for block in blocks:
        if block is not None and any(run in block for run in LONG_RUNS):
            yield BLANK_RUN.sub(shorten, block)
        else:
            yield block


def _peek(path: Path, file: BufferedReader) -> bytes:
    """Return the beginning of a file without consuming it, since a pipe cannot be read twice."""
    try:
        return file.peek(len(GZIP_MAGIC))[: len(GZIP_MAGIC)]
    except OSError as error:
        raise ImportInputError(f"{path}: cannot be read: {error.strerror}") from None


def _read_some(path: Path, file: BufferedReader, size: int) -> bytes:
    try:
        # Only what is available: a pipe that fills slowly must not delay the data it has.
        return file.read1(size)
    except OSError as error:
        raise ImportInputError(f"{path}: cannot be read: {error.strerror}") from None


def _read_plain(path: Path, file: BufferedReader, report: Progress) -> Iterator[bytes]:
    while block := _read_some(path, file, BLOCK_SIZE):
        yield block
        report(len(block))


def _unzip(
    path: Path, file: BufferedReader, summary: ReadSummary, report: Progress, max_unpacked: int
) -> Iterator[bytes]:
    unzipper = zlib.decompressobj(wbits=31)
    waiting, unpacked = b"", 0
    while block := waiting or _read_some(path, file, ZIPPED_BLOCK_SIZE):
        if unzipper.eof:  # another member follows
            unzipper = zlib.decompressobj(wbits=31)
        try:
            content = unzipper.decompress(block, BLOCK_SIZE)
        except zlib.error:
            summary.note_damage(Damage(str(path), file.tell() - len(block), "gzip data that cannot be unzipped"))
            return
        unpacked += len(content)
        if content:
            yield content[: len(content) - max(unpacked - max_unpacked, 0)]
        if unpacked > max_unpacked:
            finding = f"unpacks to more than {max_unpacked >> 20} MiB: raise {LIMIT_SETTING}, or unpack it first"
            summary.note_damage(Damage(str(path), file.tell(), finding))
            return
        report(0 if waiting else len(block))
        waiting = unzipper.unused_data if unzipper.eof else unzipper.unconsumed_tail
    if not unzipper.eof:
        summary.note_damage(Damage(str(path), file.tell(), "ends inside gzip data"))


def follow_blocks(path: Path, stopped: Callable[[], bool]) -> Iterator[bytes | None]:
    """Yield the content of a growing file, and None whenever there is no more data for now, without waiting.

    Continues with a new file at the same path, and from the beginning of a truncated file, and yields an empty block
    before that. Waits for a missing file. Ends when there is no more data after ``stopped``. Raises ImportInputError.
    """
    file = open_source(path)
    try:
        if _peek(path, file) == GZIP_MAGIC:
            raise ImportInputError(f"{path}: is gzipped, and so does not grow: import it without --follow")
        while True:
            while block := _read_some(path, file, BLOCK_SIZE):
                yield block
            if _was_cut(file):
                file.seek(0)
                yield b""
            elif _was_replaced(path, file):
                # Data written between the last check and the replacement.
                while block := _read_some(path, file, BLOCK_SIZE):
                    yield block
                file.close()
                file = open_source(path)
                yield b""
            elif stopped():
                return
            else:
                yield None
    finally:
        file.close()


def _was_cut(file: BufferedReader) -> bool:
    return os.fstat(file.fileno()).st_size < file.tell()


def _was_replaced(path: Path, file: BufferedReader) -> bool:
    try:
        there = path.stat()
    except OSError:
        return False
    here = os.fstat(file.fileno())
    # Opening a pipe that took the place of a file would wait for a writer.
    return stat.S_ISREG(there.st_mode) and (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)


def read_pipe(file: BinaryIO, stopped: Callable[[], bool], wait_seconds: float = 0.2) -> Iterator[bytes | None]:
    """Yield data from a pipe, and None after ``wait_seconds`` without data, until its end or until ``stopped``."""
    arrived: queue.Queue[bytes] = queue.Queue(MOST_WAITING_BLOCKS)

    def collect() -> None:
        while block := os.read(file.fileno(), PIPE_BLOCK_SIZE):
            arrived.put(block)
        arrived.put(b"")

    threading.Thread(target=collect, name="pipe", daemon=True).start()
    while True:
        try:
            block = arrived.get(timeout=wait_seconds)
        except queue.Empty:
            if stopped():
                return
            yield None
            continue
        if not block:
            return
        yield block
