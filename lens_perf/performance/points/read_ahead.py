"""Computes items ahead: the next ones in a thread while the caller uses the one before."""

from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

# One item more than the next, since they do not all take the same time.
AHEAD = 2
Item = TypeVar("Item")


def read_ahead(items: Iterator[Item], is_worth: Callable[[Item], bool]) -> Generator[Item]:
    """Yield ``items``; if the first one ``is_worth`` a thread, the others are computed ahead in one.

    Where no thread can be started, they are computed one after the other. To be closed, which waits for the thread.
    """
    item = _take_one(items)
    if not item or not is_worth(item[0]):
        yield from item
        yield from items
        return
    with ThreadPoolExecutor(1, "lens_perf-ahead") as thread:
        try:
            ahead = deque(thread.submit(_take_one, items) for _ in range(AHEAD))
        except RuntimeError:  # the limit of tasks, or of memory
            yield from item
            yield from items
            return
        while item:
            yield from item
            item = ahead.popleft().result()
            ahead.append(thread.submit(_take_one, items))


def _take_one(items: Iterator[Item]) -> list[Item]:
    """Return the next item, or nothing at the end."""
    return list(islice(items, 1))
