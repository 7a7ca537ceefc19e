"""Reads the wire format of Protocol Buffers, as far as event files and W&B files need it: fields by number.

https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator

CONTINUED = 0x80
LONGEST_VARINT = 10
VARINT, FIXED64, LENGTH_DELIMITED, FIXED32 = 0, 1, 2, 5


class MessageError(ValueError):
    """Bytes that are not a message."""


def read_varint(buffer: bytes, position: int) -> tuple[int, int]:
    """Return the unsigned integer at ``position`` and the position after it. Raises MessageError."""
    if position < len(buffer) and (first := buffer[position]) < CONTINUED:
        return first, position + 1
    result = shift = 0
    while shift < 7 * LONGEST_VARINT and position < len(buffer):
        byte = buffer[position]
        position += 1
        result |= (byte & ~CONTINUED) << shift
        if byte < CONTINUED:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
    raise MessageError("an integer that does not end")


def read_fields(buffer: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Yield number, wire type and value of each field: an unsigned integer for a varint, else the bytes.

    Raises MessageError if the buffer is truncated or contains groups, which are obsolete.
    """
    position = 0
    while position < len(buffer):
        tag, position = read_varint(buffer, position)
        wire_type = tag & 7
        if wire_type == VARINT:
            value, position = read_varint(buffer, position)
            yield tag >> 3, wire_type, value
            continue
        if wire_type == LENGTH_DELIMITED:
            length, position = read_varint(buffer, position)
        elif wire_type in (FIXED64, FIXED32):
            length = 8 if wire_type == FIXED64 else 4
        else:
            raise MessageError(f"a field of wire type {wire_type}")
        if position + length > len(buffer):
            raise MessageError("a field that is cut off")
        yield tag >> 3, wire_type, buffer[position : position + length]
        position += length


def as_signed(value: int) -> int:
    """Return the int64 of a varint: negative numbers are in two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value


def as_int(value: int | bytes) -> int:
    """Return the value of a field that must be a varint. Raises MessageError."""
    if isinstance(value, bytes):
        raise MessageError("bytes in the place of an integer")
    return value


def as_bytes(value: int | bytes) -> bytes:
    """Return the value of a field that must not be a varint. Raises MessageError."""
    if isinstance(value, int):
        raise MessageError("an integer in the place of bytes")
    return value
