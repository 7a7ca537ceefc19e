"""Remembers heavy queries, so that the next ones wait for a slot before they start."""

import threading
from collections import OrderedDict
from collections.abc import Hashable

MOST_QUERIES = 512


class HeavyQueries:
    """The latest queries with many data points. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queries: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, query: Hashable) -> bool:
        return query in self._queries

    def add(self, query: Hashable) -> None:
        """Add a query, and remove the oldest if there are too many."""
        with self._lock:
            self._queries[query] = None
            self._queries.move_to_end(query)
            if len(self._queries) > MOST_QUERIES:
                self._queries.popitem(last=False)
