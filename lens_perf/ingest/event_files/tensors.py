"""Reads the tensors of event files that contain a single number.

Field numbers are those of tensor.proto, tensor_shape.proto and types.proto:
https://github.com/tensorflow/tensorboard/tree/master/tensorboard/compat/proto
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from lens_perf.ingest.protobuf_wire import as_bytes, as_int, as_signed, read_fields, read_varint

FLOAT = struct.Struct("<f")
FLOAT_FIELD, DOUBLE_FIELD, HALF_FIELD = 5, 6, 13
DIMENSION = 2


def _from_bfloat16(bits: int) -> float:
    number: float = FLOAT.unpack(struct.pack("<HH", 0, bits))[0]
    return number


def _from_half(bits: int) -> float:
    number: float = struct.unpack("<e", struct.pack("<H", bits))[0]
    return number


@dataclass(frozen=True)
class TensorType:
    """The representation of the numbers of a dtype.

    ``code`` is that of ``struct`` for raw content; ``field`` has the numbers without raw content. ``convert`` converts
    the stored value to a number.
    """

    code: str
    field: int
    convert: Callable[[int], float | int] | None = None


# By DataType of types.proto.
TENSOR_TYPES: Mapping[int, TensorType] = {
    1: TensorType("f", FLOAT_FIELD),
    2: TensorType("d", DOUBLE_FIELD),
    3: TensorType("i", 7, as_signed),
    4: TensorType("B", 7, as_signed),
    5: TensorType("h", 7, as_signed),
    6: TensorType("b", 7, as_signed),
    9: TensorType("q", 10, as_signed),
    10: TensorType("B", 11),
    14: TensorType("H", 13, _from_bfloat16),
    17: TensorType("H", 7, as_signed),
    19: TensorType("H", 13, _from_half),
    22: TensorType("I", 16),
    23: TensorType("Q", 17),
}


def read_tensor(tensor: bytes) -> float | int | None:
    """Return the number of a TensorProto with a single number; None for any other.

    Raises MessageError and struct.error.
    """
    fields: dict[int, list[int | bytes]] = {}
    for number, _, value in read_fields(tensor):
        fields.setdefault(number, []).append(value)
    kind = TENSOR_TYPES.get(as_int(fields.get(1, [0])[-1]))
    if kind is None or not _is_single(fields.get(2, [])):
        return None
    content = fields.get(4, [b""])[-1]
    if isinstance(content, bytes) and content:
        (number,) = struct.unpack(f"<{kind.code}", content)
        # Raw content has the number itself, except for types that struct does not support.
        return kind.convert(number) if kind.convert and kind.field == HALF_FIELD else number
    # A second one is enough to know that there are several.
    values = list(islice(_read_values(kind, fields.get(kind.field, [])), 2))
    return values[0] if len(values) == 1 else None


def _is_single(shapes: list[int | bytes]) -> bool:
    """Return whether a tensor has one number by its shape: no dimensions, or all of size 1."""
    return all(
        as_int(size) == 1
        for shape in shapes
        for number, _, dimension in read_fields(as_bytes(shape))
        if number == DIMENSION
        for inner, _, size in read_fields(as_bytes(dimension))
        if inner == 1
    )


def _read_values(kind: TensorType, values: list[int | bytes]) -> Iterator[float | int]:
    """Yield the numbers of a repeated field, packed or not."""
    for value in values:
        if kind.field in (FLOAT_FIELD, DOUBLE_FIELD):
            yield from (number for (number,) in struct.iter_unpack(f"<{kind.code}", as_bytes(value)))
            continue
        for number in [value] if isinstance(value, int) else _read_varints(value):
            yield kind.convert(number) if kind.convert else number


def _read_varints(content: bytes) -> Iterator[int]:
    position = 0
    while position < len(content):
        value, position = read_varint(content, position)
        yield value
