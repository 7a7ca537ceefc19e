"""The header and the trailer of a binary COPY are found wherever they are, and fields may be NULL."""

import struct

import pytest

from lens_perf.performance.columns.binary_rows import SIGNATURE, TRAILER, read_rows
from tests.performance.columns.fake_source import Record

HEADER = SIGNATURE + struct.pack(">ii", 0, 0)
EXTENDED = SIGNATURE + struct.pack(">ii", 0, 3) + b"abc"
RECORDS = [
    Record(1, 2**63 - 1, -3, 4, "wandb", '{"löss": 0.10}'),
    Record(2**40, None, None, None, None, None),
    Record(-5, -(2**63), 2**31 - 1, -(2**31), "", "null"),
]
ROWS = [record.row() for record in RECORDS]
VALUES = [(record.id, record.created_us, record.iteration, record.serial, record.data_source, record.text())
          for record in RECORDS]  # fmt: skip


@pytest.mark.parametrize(
    "messages",
    [
        ROWS,
        [*ROWS, TRAILER],
        [HEADER, *ROWS, TRAILER],
        [HEADER + ROWS[0], *ROWS[1:]],
        [EXTENDED + ROWS[0], *ROWS[1:], TRAILER],
    ],
)
def test_rows(messages: list[bytes]) -> None:
    assert read_rows(messages).rows() == VALUES


@pytest.mark.parametrize("messages", [[HEADER + TRAILER], [HEADER, TRAILER], [HEADER], [TRAILER]])
def test_no_rows(messages: list[bytes]) -> None:
    assert read_rows(messages).shape == (0, 6)


def test_an_id_of_type_integer() -> None:
    row = bytearray(ROWS[0])
    row[2:14] = struct.pack(">ii", 4, 77)
    assert read_rows([bytes(row)])["id"].item() == 77
