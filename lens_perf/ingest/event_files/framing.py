"""Splits event files into records and verifies both checksums of each: the framing of TFRecord.

Length (uint64), masked CRC32C of the length, data, masked CRC32C of the data, all little-endian:
https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details
"""

import re
import struct
from collections.abc import Iterator

from google_crc32c import value as crc32c

from lens_perf.ingest.read_summary import Damage, ReadSummary

HEADER = struct.Struct("<QI")
CHECKSUM = struct.Struct("<I")
FRAME_SIZE = HEADER.size + CHECKSUM.size
MASK_DELTA = 0xA282EAD8
# A longer record counts as damage, because it would have to fit in memory.
LONGEST_RECORD = 1 << 28
# The upper half of any plausible length is zero; a run of zeros is not a header.
UPPER_HALF = b"\0\0\0\0"
POSSIBLE_HEADER = re.compile(rb"(?!\0{12}).{4}\0{4}", re.DOTALL)
NOT_ZERO = re.compile(rb"[^\0]")
FILE_VERSION = b"brain.Event:"
MOST_KNOWN_HEADERS = 4096


def mask(checksum: int) -> int:
    """Return the masked form of a CRC32C that is stored with the data it covers."""
    return ((checksum >> 15 | checksum << 17) + MASK_DELTA) & 0xFFFF_FFFF


def looks_like_event_file(head: bytes) -> bool:
    """Return whether ``head`` is the beginning of an event file, whose first record is its version."""
    length = read_length(head[: HEADER.size]) if len(head) >= HEADER.size else None
    return length is not None and FILE_VERSION in head[HEADER.size : HEADER.size + length]


def read_length(header: bytes) -> int | None:
    """Return the length of the record that ``header``, 12 bytes, begins; None if its checksum is wrong."""
    length, checksum = HEADER.unpack(header)
    return int(length) if length <= LONGEST_RECORD and checksum == mask(crc32c(header[:8])) else None


def _pass_over_zeros(buffer: bytes, position: int) -> int:
    """Return a position from ``position`` on before which no header begins, faster than the pattern."""
    zeros = buffer.find(UPPER_HALF, position + len(UPPER_HALF))
    if zeros < 0:
        return len(buffer)
    begin = max(position, zeros - len(UPPER_HALF))
    if not buffer.startswith(bytes(HEADER.size), begin):
        return begin
    end = NOT_ZERO.search(buffer, begin)
    return max(begin, end.start() - HEADER.size + 1) if end else len(buffer)


class RecordSplitter:
    """Takes the blocks of one file in order, and yields the data of its records.

    Damage is noted in ``summary``, with the offset of the record. After damaged data, the next record follows as usual.
    After a damaged length, the splitter searches for the next position where the checksum of a length is valid.
    """

    def __init__(self, path: str, summary: ReadSummary) -> None:
        self._path = path
        self._summary = summary
        self._parts: list[bytes] = []
        self._size = 0
        self._needed = HEADER.size
        # The offset of the first of the parts, and of bytes that belong to no record.
        self._offset = 0
        self._loss: int | None = None
        # Lengths repeat, so most headers were verified before.
        self._lengths: dict[bytes, int | None] = {}

    def feed(self, block: bytes) -> Iterator[bytes]:
        """Yield the data of the records that end in ``block``."""
        self._parts.append(block)
        self._size += len(block)
        if self._size < self._needed:
            return
        buffer = b"".join(self._parts)
        position, self._needed = 0, HEADER.size
        while len(buffer) - position >= HEADER.size:
            length = self._verify(buffer[position : position + HEADER.size])
            if length is None:
                position = self._pass_over(buffer, position)
                continue
            self._end_loss(position)
            end = position + HEADER.size + length
            if end + CHECKSUM.size > len(buffer):
                self._needed = length + FRAME_SIZE
                break
            data = buffer[position + HEADER.size : end]
            if CHECKSUM.unpack_from(buffer, end)[0] == mask(crc32c(data)):
                yield data
            else:
                self._note(self._offset + position, "a record with a wrong checksum")
            position = end + CHECKSUM.size
        rest = buffer[position:]
        self._parts, self._size = [rest], len(rest)
        self._offset += position

    def finish(self) -> None:
        """Note incomplete data at the end of the file."""
        if self._loss is None and self._size:
            self._note(self._offset, "ends inside a record")
        self._end_loss(self._size)

    def _verify(self, header: bytes) -> int | None:
        """Return the length in ``header``, or None if its checksum is wrong."""
        if header not in self._lengths:
            if len(self._lengths) == MOST_KNOWN_HEADERS:
                self._lengths.clear()
            self._lengths[header] = read_length(header)
        return self._lengths[header]

    def _pass_over(self, buffer: bytes, position: int) -> int:
        """Return the next position after ``position`` where a header may begin."""
        if self._loss is None:
            self._loss = self._offset + position
        found = POSSIBLE_HEADER.search(buffer, _pass_over_zeros(buffer, position + 1))
        return found.start() if found else max(position + 1, len(buffer) - HEADER.size + 1)

    def _end_loss(self, position: int) -> None:
        if self._loss is not None:
            lost = self._offset + position - self._loss
            self._note(self._loss, f"a length with a wrong checksum; {lost} bytes belong to no record")
            self._loss = None

    def _note(self, byte: int, finding: str) -> None:
        self._summary.note_damage(Damage(self._path, byte, finding))
