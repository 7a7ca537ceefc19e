"""Remembers heavy queries, so that they wait for a heavy-read slot before they start the next time."""

import threading
from collections.abc import Hashable

from cachetools import LRUCache

MOST_QUERIES = 512


class HeavyQueries:
    """The latest queries with many data points. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries = LRUCache[Hashable, bool](MOST_QUERIES)

    def __contains__(self, query: Hashable) -> bool:
        with self._lock:
            return self._queries.get(query, False)

    def add(self, query: Hashable) -> None:
        """Add a query, and remove the one used least recently if there are too many."""
        with self._lock:
            self._queries[query] = True
