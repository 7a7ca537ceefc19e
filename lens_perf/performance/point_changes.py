"""Finds the changes since a cursor, and makes the ETag or the cursor of a response."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from lens_perf.performance.columns.statements import copy_records
from lens_perf.performance.copy_interface import Copy
from lens_perf.performance.freshness.checkpoint import SMALL_WORKLOAD, Position, read_unsettled
from lens_perf.performance.freshness.cursor import Cursor, begin, begin_without_ledger, find_delta
from lens_perf.performance.freshness.entity_tag import EntityTag
from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.freshness.statements import NewRecord, select_count, select_ids
from lens_perf.performance.points.fetched_records import FetchedRecords, fetch_records
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction


class Changes(NamedTuple):
    """The next cursor, the pairs of data source and iteration to drop, and all current records of these pairs."""

    cursor: str
    pairs: Pairs
    records: FetchedRecords


def find_changes(
    transaction: Transaction,
    position: Position,
    query: PointQuery,
    before: Cursor,
    *,
    most_fields: int,
    check: Callable[[], None],
) -> Changes | None:
    """Return the changes since ``before``, or None if everything has to be read again."""
    if query.kind == "iteration-times" and before.ledger is None:
        return None  # without a ledger, the data sources are unknown that can have the earliest record of an iteration
    delta = find_delta(transaction, query.selection, position, before)
    if delta is None:
        return None
    pairs = _widen(delta.pairs, delta.cursor) if query.kind == "iteration-times" else delta.pairs
    if pairs is None:
        return None
    # The query's ranges are applied later, to data points. The pairs must include all records that were removed.
    ids = tuple(_list_ids(transaction, query.selection, pairs))
    selection = Selection(query.selection.workload_uid, query.selection.data_source, ids=ids)
    records = fetch_records(
        lambda sink: copy_records(transaction, selection, sink), most_fields, check, names=query.names
    )
    return Changes(delta.cursor.encode(), pairs, records)


def _widen(pairs: Pairs, cursor: Cursor) -> Pairs | None:
    """Return the pairs of the same iterations in all data sources, since the earliest record can be in any of them.

    Return None if the data sources are unknown.
    """
    if pairs and cursor.last_iterations is None:
        return None
    iterations = dict.fromkeys(iteration for _, iteration in pairs if iteration is not None)
    sources = dict.fromkeys([*(cursor.last_iterations or ()), *pairs.sources])
    return Pairs.of((source, iteration) for source in sources for iteration in iterations)


def _list_ids(transaction: Transaction, selection: Selection, pairs: Pairs) -> Iterator[int]:
    for source in pairs.sources:
        none = source in pairs.without_iteration
        yield from select_ids(
            transaction, selection.workload_uid, source, pairs.ranges.get(source, ()), include_null=none
        )


def describe_changes(cursor: str, pairs: Pairs, *, reset: bool) -> dict[str, Any]:
    """Return the fields ``cursor``, ``reset`` and ``changed`` of a response to ``after``."""
    changed = [{"data_source": source, "iteration": iteration} for source, iteration in pairs]
    return {"cursor": cursor, "reset": reset, "changed": changed}


class Observation:
    """The state of the table in the snapshot of a response, for its ETag or, with ``after``, for its first cursor."""

    def __init__(self, query: PointQuery, subject: str, tag: str) -> None:
        self._query = query
        self._subject = subject
        self._tag = tag
        self._position: Position | None = None
        self._unsettled: list[NewRecord] = []
        self._cursor: Cursor | None = None

    def note(self, transaction: Transaction, position: Position) -> None:
        """Read the state of the table in the snapshot. If it is called several times, the last call counts."""
        selection = self._query.selection
        self._position = position
        if self._query.after is None:
            self._unsettled = read_unsettled(transaction, self._query.basis, position)
        elif self._is_sampled and position.rewrites.rewritten is not None and _is_large(transaction, selection):
            # Computing the ledger reads every record, which would take longer than a sampled answer. If the server does
            # not count rewrites, however, a cursor without a ledger would lead to a reset after a few seconds.
            self._cursor = begin_without_ledger(transaction, selection, position, self._subject)
        else:
            self._cursor = begin(transaction, selection, position, self._subject)

    @property
    def _is_sampled(self) -> bool:
        return self._query.kind == "data" and self._query.sampling is not None

    def make_etag(self, records: Callable[[], int]) -> str | None:
        """Return the ETag, None with ``after``; ``records`` counts the records of the query's basis."""
        if self._position is None or self._query.after is not None:
            return None
        return EntityTag(self._tag, self._position.begin(self._unsettled), records()).encode()

    def describe(self) -> tuple[str | None, Mapping[str, Any]]:
        """Return the first cursor and the fields of the response for it; None and no fields without ``after``."""
        if self._cursor is None:
            return None, {}
        cursor = self._cursor.encode()
        return cursor, describe_changes(cursor, Pairs(), reset=True)


def _is_large(transaction: Transaction, selection: Selection) -> bool:
    return select_count(transaction, selection, SMALL_WORKLOAD + 1) > SMALL_WORKLOAD


def count_records(copy: Copy, data_source: str | None) -> int:
    """Return the number of records of a data source, or of all for None."""
    return copy.records if data_source is None else copy.sources.get(data_source, 0)
