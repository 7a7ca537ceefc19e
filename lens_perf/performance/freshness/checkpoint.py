"""A checkpoint: up to where a reader has read a table, and whether its history still continues there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from lens_perf.performance.freshness.statements import (
    NewRecord,
    Rewrites,
    Snapshot,
    select_new_records,
    select_snapshot,
    select_witness,
)
from lens_perf.performance.freshness.tokens import NotATokenError, digest, is_token_value
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction

# Ids that a writer may take before its transaction has an id: COPY buffers 1,000 records, ORMs fetch blocks of ids.
UNSETTLED_IDS = 10_000
# On Citus, the coordinator takes the ids, and the server of the shard the transaction id. In between, a COPY of many
# workloads keeps up to 4 MB of rows of each shard.
UNSETTLED_IDS_OF_CITUS = 100_000
# Comparing so few records with a checkpoint takes a few milliseconds.
SMALL_WORKLOAD = 10_000
# Updates and removals in larger ones are noticed within so many seconds, and one more for each so many records.
COMPARE_SECONDS = 5
RECORDS_PER_COMPARE_SECOND = 50_000
# They are compared as often as this, and a second later for each so many records, even if the server has counted none:
# counters can be off or be reset, and a record can have an id that was taken long ago, or is of the writer's choice.
COMPARE_ANYWAY_SECONDS = 600
RECORDS_PER_UNPROMPTED_SECOND = 10_000
# Of the fields of a checkpoint, in their order.
FIELD_TYPES = (int, int, int, int, str, str, int | None, int, int, str)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a server when a reader read a workload, and the records that were not settled then.

    ``unsettled`` is a digest of the visible records above ``settled_id`` whose transaction is at or above
    ``oldest_xid``: while it is the same, none was added. ``rewrites`` is None where the server does not count them.
    Updates and removals were last searched for at ``compared_at``, in seconds since 1970, when ``compared_xid`` was the
    oldest running transaction.
    """

    oldest_xid: int
    next_xid: int
    latest_id: int
    settled_id: int
    server: str
    witness: str
    rewrites: int | None
    compared_at: int
    compared_xid: int
    unsettled: str

    @classmethod
    def parse(cls, values: Any) -> Self:
        """Return the checkpoint that ``write`` wrote. Raises NotATokenError."""
        if type(values) is not list or len(values) != len(FIELD_TYPES):
            raise NotATokenError
        if not all(is_token_value(value, kind) for value, kind in zip(values, FIELD_TYPES, strict=True)):
            raise NotATokenError
        return cls(*values)

    def write(self) -> list[Any]:
        """Return the fields for a token."""
        return list(vars(self).values())

    def is_quiet(self, snapshot: Snapshot) -> bool:
        """Return whether the server has written nothing at all since: nothing was running, and nothing has begun."""
        return self.server == snapshot.server and self.next_xid == self.oldest_xid == snapshot.oldest_xid == (
            snapshot.next_xid
        )

    def continues(self, transaction: Transaction, workload_uid: str, snapshot: Snapshot) -> bool:
        """Return whether the table has the history of the checkpoint, and not one restored or loaded since."""
        if self.server == snapshot.server:
            return True
        # An empty table has no witness, and a server that uses transaction ids again has been restored.
        if not self.witness or snapshot.next_xid < self.next_xid:
            return False
        return select_witness(transaction, workload_uid, self.latest_id) == self.witness

    def must_compare(self, records: int, rewrites: Rewrites, snapshot: Snapshot) -> bool:
        """Return whether a workload of ``records`` records has to be searched for updates and removals."""
        if records <= SMALL_WORKLOAD:
            return True
        if self.has_same(rewrites):
            interval = COMPARE_ANYWAY_SECONDS + records // RECORDS_PER_UNPROMPTED_SECOND
        else:
            interval = COMPARE_SECONDS + records // RECORDS_PER_COMPARE_SECOND
        return not 0 <= snapshot.seconds - self.compared_at < interval

    def choose_range(self, *, compare: bool) -> tuple[int, int]:
        """Return after which id and from which transaction on records are searched.

        An update in place leaves its id, and may have been too old to be new by the time that it is searched for.
        """
        return (0, min(self.compared_xid, self.oldest_xid)) if compare else (self.settled_id, self.oldest_xid)

    def has_same(self, rewrites: Rewrites) -> bool:
        """Return whether the server has counted no update and no removal since; False where it does not count them."""
        return self.rewrites is not None and self.rewrites == rewrites.rewritten and self.server == rewrites.server

    def choose_unsettled(self, records: Iterable[NewRecord]) -> list[NewRecord]:
        """Return those of ``records``, which were visible then, that may be new again."""
        return [each for each in records if each.xid >= self.oldest_xid and each.id > self.settled_id]

    def settle(self, snapshot: Snapshot, unsettled_ids: int) -> int:
        """Return the settled id as of ``snapshot``, where the last ``unsettled_ids`` never are."""
        if snapshot.oldest_xid < self.next_xid:
            return self.settled_id
        return max(self.settled_id, self.latest_id - unsettled_ids)


@dataclass(frozen=True)
class Position:
    """Where a reader reads: the count of rewrites before its snapshot, and the snapshot.

    ``unsettled_ids`` is how many of the last ids a writer may have taken before its transaction had an id.
    """

    rewrites: Rewrites
    snapshot: Snapshot
    unsettled_ids: int

    def begin(self, unsettled: Iterable[NewRecord]) -> Checkpoint:
        """Return the checkpoint of a reader that has read everything; ``unsettled`` are the records to list."""
        return self._make(self.snapshot.oldest_xid, self.settled_id, unsettled, None)

    @property
    def settled_id(self) -> int:
        """The settled id of a first checkpoint: known only where no transaction was running."""
        quiet = self.snapshot.oldest_xid == self.snapshot.next_xid
        return max(0, self.snapshot.latest_id - self.unsettled_ids) if quiet else 0

    def advance(self, before: Checkpoint, found: Sequence[NewRecord], *, compared: bool) -> Checkpoint:
        """Return the next checkpoint of a reader that has read ``found``, the new records since ``before``.

        ``compared`` says whether updates and removals were searched for; if not, they still are to be.
        """
        # On a standby that lags, a reader knows more than the snapshot.
        oldest_xid = max(before.oldest_xid, self.snapshot.oldest_xid)
        settled_id = before.settle(self.snapshot, self.unsettled_ids)
        checkpoint = self._make(oldest_xid, settled_id, (), None if compared else before)
        return replace(checkpoint, unsettled=digest_records(checkpoint.choose_unsettled(found)))

    def _make(
        self, oldest_xid: int, settled_id: int, unsettled: Iterable[NewRecord], before: Checkpoint | None
    ) -> Checkpoint:
        snapshot = self.snapshot
        # Behind a balancer, the count may be another server's.
        rewrites = self.rewrites.rewritten if self.rewrites.server == snapshot.server else None
        return Checkpoint(
            oldest_xid=oldest_xid,
            next_xid=snapshot.next_xid,
            latest_id=snapshot.latest_id,
            settled_id=settled_id,
            server=snapshot.server,
            witness=snapshot.witness,
            rewrites=rewrites if before is None else before.rewrites,
            compared_at=snapshot.seconds if before is None else before.compared_at,
            compared_xid=snapshot.oldest_xid if before is None else before.compared_xid,
            unsettled=digest_records(unsettled),
        )


def read_position(transaction: Transaction, workload_uid: str, rewrites: Rewrites) -> Position:
    """Return the position of the transaction's snapshot; ``rewrites`` were counted before it."""
    unsettled_ids = UNSETTLED_IDS_OF_CITUS if transaction.is_citus else UNSETTLED_IDS
    return Position(rewrites, select_snapshot(transaction, workload_uid), unsettled_ids)


def read_unsettled(transaction: Transaction, selection: Selection, position: Position) -> list[NewRecord]:
    """Return the records that the first checkpoint of a reader has to list, since they may be new to it again."""
    snapshot = position.snapshot
    if snapshot.oldest_xid == snapshot.next_xid:
        return []
    return select_new_records(transaction, selection, settled_id=0, oldest_xid=snapshot.oldest_xid)


def digest_records(records: Iterable[NewRecord]) -> str:
    """Return a text that is the same for the same records, each as written by the same transaction."""
    return digest(sorted((each.id, each.xid) for each in records))
