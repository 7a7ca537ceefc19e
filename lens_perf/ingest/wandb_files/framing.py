"""Splits the bytes of a ``.wandb`` file, a transaction log, into its records, verifying every checksum.

The framing is LevelDB's, with another checksum: https://github.com/google/leveldb/blob/main/doc/log_format.md
"""

import struct
from collections.abc import Iterator
from zlib import crc32

from lens_perf.ingest.read_summary import Damage, ReadSummary

FILE_HEADER = struct.pack("<4sHB", b":W&B", 0xBEE1, 0)
BLOCK_SIZE = 1 << 15
CHUNK_HEADER = struct.Struct("<IHB")
CHUNK_HEADER_SIZE = CHUNK_HEADER.size
# The checksum is of a chunk's type, the last byte of its header, and its data.
CHECKED_FROM = CHUNK_HEADER_SIZE - 1
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
# A record of more chunks counts as damage, because it would have to fit in memory.
MOST_CHUNKS = (1 << 28) // BLOCK_SIZE


def looks_like_wandb_file(head: bytes) -> bool:
    """Return whether ``head`` is the beginning of a W&B transaction log."""
    return head.startswith(FILE_HEADER)


class RecordSplitter:
    """Takes a file block by block and yields its records; damage is noted in ``summary``.

    A damaged chunk loses its record and the rest of its 32 KiB block. One Damage is noted until the next complete
    record.
    """

    def __init__(self, path: str, summary: ReadSummary) -> None:
        self.record_start = 0
        """The offset of the record that was yielded last."""
        self._path = path
        self._summary = summary
        self._rest = b""
        self._rest_start = 0
        self._passing_over = 0
        self._open_record: list[bytes] = []
        self._is_lost = False

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the records that ``block`` completes."""
        buffer = self._rest + self._pass_over(block)
        start = self._rest_start
        position = 0 if start else self._check_file_header(buffer)
        while True:
            left = _measure_left(start + position)
            if len(buffer) - position < min(left, CHUNK_HEADER_SIZE):
                break
            if left < CHUNK_HEADER_SIZE:
                self._check_padding(buffer[position : position + left], start + position)
                position += left
                continue
            checksum, length, kind = CHUNK_HEADER.unpack_from(buffer, position)
            end = position + CHUNK_HEADER_SIZE + length
            fits = length <= left - CHUNK_HEADER_SIZE and FULL <= kind <= LAST
            if fits and end > len(buffer):
                break
            if fits and crc32(buffer[position + CHECKED_FROM : end]) == checksum:
                record = self._join(kind, buffer[position + CHUNK_HEADER_SIZE : end], start + position)
                if record is not None:
                    yield record
                position = end
            else:
                self._lose(start + position, "a chunk with a wrong checksum" if fits else "no header of a chunk")
                position += left
        self._passing_over += max(position - len(buffer), 0)
        self._rest, self._rest_start = buffer[position:], start + position

    def finish(self) -> None:
        """Note a record that is truncated at the end of the file."""
        if self._open_record:
            self._lose(self.record_start, "ends inside a record")
        elif self._rest_start == 0:
            self._lose(0, "ends inside the file header" if self._rest else "an empty file")
        elif any(self._rest) or (self._rest and _measure_left(self._rest_start) >= CHUNK_HEADER_SIZE):
            self._lose(self._rest_start, "ends inside a record")

    def _pass_over(self, block: bytes) -> bytes:
        passed = min(self._passing_over, len(block))
        self._passing_over -= passed
        return block[passed:]

    def _check_file_header(self, buffer: bytes) -> int:
        """Return the offset of the first chunk. Without a file header, only the header may be damaged."""
        if len(buffer) < len(FILE_HEADER):
            return 0
        if not buffer.startswith(FILE_HEADER):
            self._lose(0, "no header of a W&B file")
        return len(FILE_HEADER)

    def _check_padding(self, padding: bytes, byte: int) -> None:
        if any(padding):
            self._lose(byte, "a padding that is not zero")

    def _join(self, kind: int, data: bytes, byte: int) -> bytes | None:
        """Return the record that the chunk completes, if it does."""
        if kind in (FULL, FIRST):
            if self._open_record:
                self._lose(self.record_start, "a record without its end")
            self.record_start, self._is_lost = byte, False
            self._open_record = [data] if kind == FIRST else []
            return data if kind == FULL else None
        if not self._open_record:
            self._lose(byte, "a record without its beginning")
            return None
        self._open_record.append(data)
        if len(self._open_record) > MOST_CHUNKS:
            self._lose(self.record_start, "a record that is too long")
            return None
        if kind == MIDDLE:
            return None
        record, self._open_record = b"".join(self._open_record), []
        return record

    def _lose(self, byte: int, finding: str) -> None:
        """Note damage, unless it has been noted; an open record is lost with it."""
        if not self._is_lost:
            self._summary.note_damage(Damage(self._path, byte, finding))
        self._is_lost, self._open_record = True, []


def _measure_left(byte: int) -> int:
    """Return the number of bytes of a block from ``byte`` on; if no chunk fits into them, they are padding."""
    return BLOCK_SIZE - byte % BLOCK_SIZE
