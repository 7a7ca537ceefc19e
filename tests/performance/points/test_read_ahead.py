"""Items that are computed ahead are the same, in the same order, with the same errors."""

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from lens_perf.performance.points.read_ahead import AHEAD, read_ahead
from tests.faults import no_new_threads


def count(most: int, threads: set[str], fail_at: int | None = None) -> Iterator[int]:
    for number in range(most):
        threads.add(threading.current_thread().name)
        if number == fail_at:
            raise OSError("damaged")
        yield number


@pytest.mark.parametrize("most", [0, 1, 2, AHEAD, AHEAD + 1, 20])
@pytest.mark.parametrize("is_worth", [True, False])
def test_all_items_in_order(most: int, is_worth: bool) -> None:
    threads: set[str] = set()
    assert list(read_ahead(count(most, threads), lambda _: is_worth)) == list(range(most))
    assert len(threads) == (2 if is_worth and most > 1 else min(most, 1))


def test_without_a_thread_to_spare() -> None:
    threads: set[str] = set()
    with no_new_threads():
        assert list(read_ahead(count(20, threads), lambda _: True)) == list(range(20))
    assert threads == {threading.current_thread().name}


@pytest.mark.parametrize("fail_at", [0, 1, 2, 10])
def test_an_error_comes_after_the_items_before_it(fail_at: int) -> None:
    found: list[int] = []
    with closing(read_ahead(count(20, set(), fail_at), lambda _: True)) as items:
        taken = map(found.append, items)
        with pytest.raises(OSError, match="damaged"):
            list(taken)
    assert found == list(range(fail_at))


def test_closing_waits_for_the_thread() -> None:
    before = threading.active_count()
    threads: set[str] = set()
    with closing(read_ahead(count(20, threads), lambda _: True)) as items:
        assert next(items) == 0
    assert threading.active_count() == before
    assert len(threads) == 2
