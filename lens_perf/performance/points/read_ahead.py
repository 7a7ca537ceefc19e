"""Computes the next items of an iterator in a thread while the caller uses the current one."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# Two, because items do not all take the same time.
AHEAD = 2
Item = TypeVar("Item")


def read_ahead(items: Iterator[Item], is_worth_a_thread: Callable[[Item], bool]) -> Generator[Item]:
    """Yield ``items``. If the first one ``is_worth_a_thread``, the following ones are computed ahead in a thread.

    If no thread can be started, items are computed on demand. Close the generator: that waits for the thread.
    """
    item = _take_one(items)
    if not item or not is_worth_a_thread(item[0]):
        yield from item
        yield from items
        return
    with ThreadPoolExecutor(1, "lens_perf-ahead") as thread:
        try:
            ahead = deque(thread.submit(_take_one, items) for _ in range(AHEAD))
        except RuntimeError:  # the limit of threads or of memory is reached
            yield from item
            yield from items
            return
        while item:
            yield from item
            item = ahead.popleft().result()
            ahead.append(thread.submit(_take_one, items))


def _take_one(items: Iterator[Item]) -> list[Item]:
    """Return a list with the next item, empty at the end."""
    return list(islice(items, 1))
