"""The records of one workload as a source for its copy: snapshots of the table, with what is new since a checkpoint."""

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from lens_perf.performance.columns.source import Changes
from lens_perf.performance.columns.statements import copy_ids, copy_records
from lens_perf.performance.freshness.checkpoint import (
    SMALL_WORKLOAD,
    Checkpoint,
    Position,
    digest_records,
    read_position,
    read_unsettled,
)
from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.freshness.statements import (
    MOST_NEW_RECORDS,
    NewRecord,
    select_count,
    select_ids,
    select_new_records,
    select_rewrites,
)
from lens_perf.performance.freshness.tokens import NotATokenError, read_token, write_token
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RowSink, Transaction


class Clusters(Protocol):
    """What is needed of the registry."""

    def read(self, asked: str | None, within: float | None = None) -> AbstractContextManager[Transaction]:
        """Borrow a connection for at most ``within`` seconds."""

    def read_in_background(self, asked: str | None, seconds: float) -> AbstractContextManager[Transaction]:
        """Borrow a connection for ``seconds``, whatever the deadline of requests."""

    def admit_heavy_read(self, asked: str | None) -> AbstractContextManager[None]:
        """Hold one of the few places for reads of many records, or raise ClusterSaturatedError."""


# What a request reads in the snapshot that its copy is exact at.
Observe = Callable[[Transaction, Position], None]


@dataclass(frozen=True)
class TableSource:
    """The workload ``workload_uid`` of a cluster. Every method raises the LensErrors of the cluster.

    ``observe`` is called in each snapshot; the last call is in the one whose state the copy has when it is opened.
    """

    clusters: Clusters
    cluster: str
    workload_uid: str
    observe: Observe | None = None

    @contextmanager
    def open_snapshot(self, deadline: float, *, heavy: bool) -> Iterator["TableSnapshot"]:
        """Open a snapshot for use in one thread until ``deadline``, a time of ``time.monotonic``."""
        seconds = max(0.001, deadline - time.monotonic())
        selection = Selection(self.workload_uid)
        with ExitStack() as stack:
            if heavy:
                if self._is_large(seconds):
                    stack.enter_context(self.clusters.admit_heavy_read(self.cluster))
                transaction = stack.enter_context(self.clusters.read_in_background(self.cluster, seconds))
            else:
                transaction = stack.enter_context(self.clusters.read(self.cluster, seconds))
            rewrites = select_rewrites(transaction)
            stack.enter_context(transaction.snapshot())
            position = read_position(transaction, rewrites)
            if self.observe is not None and not heavy:
                self.observe(transaction, position)
            yield TableSnapshot(transaction, selection, position)

    def _is_large(self, seconds: float) -> bool:
        """Return whether reading all records is worth a place among the heavy reads."""
        with self.clusters.read_in_background(self.cluster, seconds) as transaction:
            return select_count(transaction, Selection(self.workload_uid), SMALL_WORKLOAD + 1) > SMALL_WORKLOAD


@dataclass(frozen=True)
class TableSnapshot:
    """One snapshot of the workload's records."""

    transaction: Transaction
    selection: Selection
    position: Position

    def find_changes(self, checkpoint: str | None) -> Changes:
        """Return what has changed since ``checkpoint``, the text of an earlier one; None stands for no copy."""
        known = None if checkpoint is None else _parse(checkpoint)
        if known is None or not known[0].continues(self.transaction, self.position.snapshot):
            return self._begin()
        return self._compare(*known)

    def _begin(self) -> Changes:
        unsettled = read_unsettled(self.transaction, self.selection, self.position)
        records = self._count()
        return Changes(_write(self.position.begin(unsettled), records), reset=True, records=records)

    def _compare(self, known: Checkpoint, records: int) -> Changes:
        compare = known.must_compare(records, self.position.rewrites, self.position.snapshot)
        if not compare and known.is_quiet(self.position.snapshot):
            return Changes(_write(known, records), unchanged=True)
        found = self._find_new(known, 0 if compare else known.settled_id)
        is_new = any(each.id <= known.settled_id for each in found) or digest_records(found) != known.unsettled
        present = self._count() if compare else records
        if len(found) > MOST_NEW_RECORDS:
            return Changes(_write(self.position.begin(found), present), reset=True, records=present)
        checkpoint = self.position.advance(known, found, compared=compare)
        if not is_new and present == records:
            return Changes(_write(checkpoint, records), unchanged=True)
        pairs = Pairs.of((each.data_source, each.iteration) for each in found)
        return Changes(
            _write(checkpoint, present if compare else records + len(found)),
            ids=[*self._list_ids_of(pairs), *(each.id for each in found)],
            pairs=pairs,
            # Records without an iteration may be corrections of any other such record.
            must_compare_ids=compare or bool(pairs.without_iteration),
        )

    def _list_ids_of(self, pairs: Pairs) -> Iterator[int]:
        for source, ranges in pairs.ranges.items():
            yield from select_ids(self.transaction, self.selection.workload_uid, source, ranges, none=False)

    def _find_new(self, known: Checkpoint, settled_id: int) -> list[NewRecord]:
        return select_new_records(self.transaction, self.selection, settled_id=settled_id, oldest_xid=known.oldest_xid)

    def _count(self) -> int:
        return select_count(self.transaction, self.selection)

    def copy_records(self, ids: Sequence[int] | None, sink: RowSink) -> None:
        """Copy the records with ``ids``, or all for None, to ``sink``; see ``columns.statements.copy_records``."""
        selection = self.selection if ids is None else replace(self.selection, ids=tuple(ids))
        copy_records(self.transaction, selection, sink)

    def list_ids(self) -> bytes:
        """Return the ids of all records, as native int64."""
        ids = _IdSink()
        copy_ids(self.transaction, self.selection, ids)
        return ids.packed.tobytes()


class _IdSink:
    """Takes the ids of a COPY, one a row."""

    def __init__(self) -> None:
        self.packed = array("q")

    def write(self, row: bytes) -> None:
        self.packed.append(int(row))


def _write(checkpoint: Checkpoint, records: int) -> str:
    return write_token(checkpoint.write(), records)


def _parse(text: str) -> tuple[Checkpoint, int] | None:
    """Return a checkpoint and the number of records then; None for what another version wrote."""
    try:
        values, records = read_token(text)
        return Checkpoint.parse(values), int(records)
    except (NotATokenError, ValueError, TypeError):
        return None
