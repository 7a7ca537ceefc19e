"""Rows arrive in blocks of whole rows, in order, whether or not a thread takes them; errors go through."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest

from lens_perf.performance import row_blocks
from lens_perf.performance.row_blocks import collect_rows
from tests.faults import no_new_threads


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_SIZE", 100)


def write_rows(count: int) -> Iterator[bytes]:
    return (b"%d\t%s\n" % (number, b"x" * (number % 150)) for number in range(count))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 500])
@pytest.mark.parametrize("surroundings", [nullcontext, no_new_threads], ids=["threads", "no threads"])
def test_whole_rows_in_order(count: int, surroundings: Callable[[], AbstractContextManager[None]]) -> None:
    blocks: list[bytes] = []
    before = threading.active_count()
    with surroundings(), collect_rows(blocks.append) as rows:
        for row in write_rows(count):
            rows.write(row)
    assert b"".join(blocks) == b"".join(write_rows(count))
    assert all(block.endswith(b"\n") for block in blocks if block)
    assert threading.active_count() == before


@pytest.mark.parametrize("fail_at", [0, 2, 5])
def test_what_take_raises_goes_through(fail_at: int) -> None:
    taken: list[bytes] = []

    def take(block: bytes) -> None:
        if len(taken) == fail_at:
            raise ValueError("too large")
        taken.append(block)

    before = threading.active_count()
    with pytest.raises(ValueError, match="too large"), collect_rows(take) as rows:
        rows.writelines(write_rows(500))
    assert len(taken) == fail_at
    assert threading.active_count() == before


def break_off(rows: io.BufferedIOBase) -> None:
    rows.write(b"1\n")
    raise ConnectionError


def test_a_copy_that_fails_drops_the_rest() -> None:
    taken: list[bytes] = []
    with pytest.raises(ConnectionError), collect_rows(taken.append) as rows:
        break_off(rows)
    assert taken == []
