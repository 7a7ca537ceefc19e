"""Builds read records as they are stored, and sort them only as far as needed."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from lens_perf.performance.columns import part_writer, row_blocks
from lens_perf.performance.columns.columns import Columns
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.settings import ColumnSettings
from tests.conftest import Ask, Row, Store, at
from tests.performance.columns.fake_source import FakeSource, Record, expect_records
from tests.performance.columns.reading import measure_space, read_blocks

KEY = CopyKey("alpha", "w", "a database")
BLOCK, PART = 8, 32
COUNT = 20 * PART


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_blocks, "BLOCK_ROWS", BLOCK)
    monkeypatch.setattr(part_writer, "MOST_RECORDS", PART)


def shuffle_within(distance: int) -> list[int]:
    """All times, none of them further than ``distance`` from its place."""
    choice = random.Random(1)
    return sorted(range(COUNT), key=lambda number: number + choice.random() * distance)


def shuffle() -> list[int]:
    times = list(range(COUNT))
    random.Random(1).shuffle(times)
    return times


def make_source(times: Sequence[int | None]) -> FakeSource:
    """Records with these times, stored in this order; those of equal times with ascending ids."""
    source = FakeSource()
    source.change(
        [
            Record(number, created, COUNT - number, 0, "log", {"loss": f"{number}.5"})
            for number, created in enumerate(times)
        ]
    )
    return source


ORDERS = {
    "sorted": list(range(COUNT)),
    "nearly sorted": shuffle_within(BLOCK),
    "halves exchanged": [*range(COUNT // 2, COUNT), *range(COUNT // 2)],
    "one late block": [*range(BLOCK, COUNT), *range(BLOCK)],
    "equal times": [number // 50 for number in range(COUNT)],
    "without times": [None] * COUNT,
    "two sources, one after the other": [*range(0, COUNT, 2), *range(1, COUNT, 2)],
}
DISORDERS = {
    "mixed": shuffle(),
    "reversed": list(range(COUNT))[::-1],
    "some without times": [number if number % 3 else None for number in range(COUNT)],
}


@pytest.mark.parametrize("times", ORDERS.values(), ids=ORDERS)
def test_read_once(tmp_path: Path, times: Sequence[int | None]) -> None:
    source = make_source(times)
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns")))
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        assert read_blocks(copy) == expect_records(source)
        assert len(copy.parts) <= COUNT / PART * 1.5
    assert source.builds == 1


@pytest.mark.parametrize("times", DISORDERS.values(), ids=DISORDERS)
def test_read_again_in_order(tmp_path: Path, times: Sequence[int | None]) -> None:
    source = make_source(times)
    columns = Columns(ColumnSettings(directory=str(tmp_path / "columns")))
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        assert read_blocks(copy) == expect_records(source)
        assert len(copy.parts) <= COUNT / PART + 2
        # Nothing of the first attempt is left.
        assert len(list(columns.root.glob("*/*.part"))) == len(copy.parts)
    assert source.builds == 2
    columns.drop(KEY)
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        assert read_blocks(copy) == expect_records(source)
    assert source.builds == 3  # which begins with the sort


def test_the_limit_is_for_the_second_attempt_alone(tmp_path: Path) -> None:
    columns = Columns(ColumnSettings(directory=str(tmp_path / "one")))
    with columns.open(KEY, make_source(range(COUNT)), time.monotonic() + 30):
        size = sum(map(measure_space, columns.root.glob("*/*.part")))
    source = make_source(shuffle())
    columns = Columns(ColumnSettings(directory=str(tmp_path / "two"), max_gib=1.1 * size / 2**30))
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        assert copy.records == COUNT
    assert source.builds == 2


def test_the_limit_excludes_rewritten_parts(tmp_path: Path) -> None:
    late = range(5, COUNT, 2 * PART)
    times = [*(number for number in range(COUNT) if number not in late), *late]
    columns = Columns(ColumnSettings(directory=str(tmp_path / "one")))
    with columns.open(KEY, make_source(times), time.monotonic() + 30):
        sizes = [measure_space(path) for path in columns.root.glob("*/*.part")]
    source = make_source(times)
    limit = sum(sizes) + max(sizes)
    columns = Columns(ColumnSettings(directory=str(tmp_path / "two"), max_gib=limit / 2**30))
    with columns.open(KEY, source, time.monotonic() + 30) as copy:
        assert read_blocks(copy) == expect_records(source)
    assert source.builds == 1


@pytest.mark.parametrize("order", [lambda number: number, lambda number: number * 37 % COUNT], ids=["sorted", "mixed"])
def test_records_of_a_table(ask: Ask, store: Store, uid: str, order: object) -> None:
    numbers = [order(number) for number in range(COUNT)]  # type: ignore[operator]
    store(uid, [Row({"loss": number}, number, at(number)) for number in numbers])
    assert [point["value"] for point in ask("data")["data"]] == list(range(COUNT))
