"""The table as the source of a copy: reads snapshots of one workload's records, and the changes since a checkpoint."""

import time
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Self

from lens_perf.performance.cluster_interface import Clusters
from lens_perf.performance.columns.source import Changes
from lens_perf.performance.columns.statements import copy_ids, copy_records, copy_stored_records
from lens_perf.performance.freshness.checkpoint import (
    SMALL_WORKLOAD,
    Checkpoint,
    Position,
    digest_records,
    read_position,
)
from lens_perf.performance.freshness.id_blocks import BlockDigests, list_new_blocks
from lens_perf.performance.freshness.pairs import Pairs
from lens_perf.performance.freshness.statements import (
    MOST_NEW_RECORDS,
    NewRecord,
    select_count,
    select_ids,
    select_rewrites,
)
from lens_perf.performance.freshness.tokens import NotATokenError, read_token, write_token
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RowSink, Transaction

# Called by a request to read more in the snapshot whose state its copy has.
Observe = Callable[[Transaction, Position], None]


@dataclass(frozen=True)
class TableSource:
    """The records of ``workload_uid`` in a cluster. All methods raise ClusterError and DeadlineExceededError.

    ``observe`` is called in the snapshot whose state the copy has when it is opened.
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
            rewrites = select_rewrites(transaction, self.workload_uid)
            stack.enter_context(transaction.snapshot())
            position = read_position(transaction, self.workload_uid, rewrites)
            yield TableSnapshot(transaction, selection, position, self.observe)

    def _is_large(self, seconds: float) -> bool:
        """Return whether reading all records needs a heavy-read slot."""
        with self.clusters.read_in_background(self.cluster, seconds) as transaction:
            return select_count(transaction, Selection(self.workload_uid), SMALL_WORKLOAD + 1) > SMALL_WORKLOAD


@dataclass(frozen=True)
class TableSnapshot:
    """One snapshot of the workload's records. All methods raise ClusterError and DeadlineExceededError."""

    transaction: Transaction
    selection: Selection
    position: Position
    observer: Observe | None = None

    def observe(self) -> None:
        """Let the request read more in the snapshot, because its copy has this state."""
        if self.observer is not None:
            self.observer(self.transaction, self.position)

    def find_changes(self, checkpoint: str | None, *, compare: bool = False) -> Changes:
        """Return the changes since ``checkpoint``, the text from earlier changes; None if there is no copy yet.

        With ``compare``, updates and deletions are searched for even if that is not due yet.
        """
        known = None if checkpoint is None else _State.parse(checkpoint)
        if known is None or not self._continues(known.checkpoint):
            return self._begin()
        is_due = known.checkpoint.must_compare(known.records, self.position.rewrites, self.position.snapshot)
        return self._compare(known, compare=compare or is_due)

    def _continues(self, known: Checkpoint) -> bool:
        return known.continues(self.transaction, self.selection.workload_uid, self.position.snapshot)

    def _begin(self) -> Changes:
        snapshot = self.position.snapshot
        is_quiet = snapshot.oldest_xid == snapshot.next_xid
        blocks = () if is_quiet else self._list_new(0, snapshot.oldest_xid)
        digests = {block: digest_records(records) for block, records in blocks}
        records = self._count()
        return Changes(_State(self.position.begin(()), records, digests).write(), reset=True, records=records)

    def _compare(self, known: "_State", *, compare: bool) -> Changes:
        before = known.checkpoint
        if not compare and before.is_quiet(self.position.snapshot):
            return Changes(known.write(), unchanged=True)
        checkpoint = self.position.advance(before, (), compared=compare)
        found: list[NewRecord] = []
        digests: dict[int, str] = {}
        gone = set(known.blocks)
        for block, records in self._list_new(*before.choose_range(compare=compare)):
            new = [each for each in records if each.xid >= before.oldest_xid]
            if new:
                gone.discard(block)
            if new and digest_records(new) != known.blocks.get(block):
                found += new
            # Records since the last comparison: they were copied already, but may have been updated afterwards.
            found += [each for each in records if each.xid < before.oldest_xid]
            unsettled = checkpoint.choose_unsettled(records)
            if unsettled:
                digests[block] = digest_records(unsettled)
            if len(found) > MOST_NEW_RECORDS:
                return self._begin()
        present = self._count() if compare else known.records
        if not found and not gone and present == known.records:
            state = _State(checkpoint, known.records, digests)
            return Changes(state.write(), unchanged=True, compared_all=compare and present > SMALL_WORKLOAD)
        pairs = Pairs.of((each.data_source, each.iteration) for each in found)
        return Changes(
            _State(checkpoint, present if compare else known.records + len(found), digests).write(),
            ids=[*self._list_ids_of(pairs), *(each.id for each in found)],
            pairs=pairs,
            # A record without an iteration may replace any other such record.
            must_compare_ids=compare or bool(pairs.without_iteration),
        )

    def has_records(self) -> bool:
        """Return whether the workload has records."""
        return select_count(self.transaction, self.selection, 1) > 0

    def _list_ids_of(self, pairs: Pairs) -> Iterator[int]:
        for source, ranges in pairs.ranges.items():
            yield from select_ids(self.transaction, self.selection.workload_uid, source, ranges, include_null=False)

    def _list_new(self, settled_id: int, oldest_xid: int) -> Iterator[tuple[int, list[NewRecord]]]:
        return list_new_blocks(self.transaction, self.selection, settled_id=settled_id, oldest_xid=oldest_xid)

    def _count(self) -> int:
        return select_count(self.transaction, self.selection)

    def copy_records(self, ids: Sequence[int] | None, sink: RowSink) -> None:
        """Copy the records with ``ids``, or all for None, to ``sink``, as ``columns.statements.copy_records`` does."""
        selection = self.selection if ids is None else replace(self.selection, ids=tuple(ids))
        copy_records(self.transaction, selection, sink)

    def copy_stored_records(self, sink: RowSink) -> None:
        """Copy all records to ``sink``, as ``columns.statements.copy_stored_records`` does; on Citus, in order of time.

        The settings of that statement do not reach the servers of the shards, which might use several processes or an
        index with another order.
        """
        if self.transaction.is_citus:
            copy_records(self.transaction, self.selection, sink)
        else:
            copy_stored_records(self.transaction, self.selection, sink)

    def list_ids(self) -> bytes:
        """Return the ids of all records, as native int64."""
        ids = _IdSink()
        copy_ids(self.transaction, self.selection, ids)
        return ids.packed.tobytes()


class _IdSink:
    """Collects the ids of a COPY."""

    def __init__(self) -> None:
        self.packed = array("q")

    def write(self, row: bytes) -> None:
        self.packed.append(int(row))


@dataclass(frozen=True)
class _State:
    """The state of a copy: its checkpoint, the number of its records, and the digests of unsettled records."""

    checkpoint: Checkpoint
    records: int
    blocks: BlockDigests

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Return the state from the result of ``write``; None if it has another format."""
        try:
            checkpoint, records, blocks = read_token(text, longest=None)
            return cls(Checkpoint.parse(checkpoint), int(records), {int(block): str(each) for block, each in blocks})
        except (NotATokenError, ValueError, TypeError):
            return None

    def write(self) -> str:
        return write_token(self.checkpoint.write(), self.records, list(self.blocks.items()))
