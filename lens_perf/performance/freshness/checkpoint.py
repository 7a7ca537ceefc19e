"""A checkpoint: the state of the table up to which a workload has been read, and the checks for later changes."""

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

# Ids that a writer may take before its transaction has an id: COPY buffers 1,000 rows, and ORMs fetch blocks of ids.
UNSETTLED_IDS = 10_000
# On Citus, the coordinator assigns the ids, and later the server of the shard assigns the transaction id. In between, a
# COPY buffers up to 4 MB of rows for each shard.
UNSETTLED_IDS_OF_CITUS = 100_000
# Comparing up to this number of records with a checkpoint takes a few milliseconds.
SMALL_WORKLOAD = 10_000
# The interval between comparisons if there may have been updates or deletions: this many seconds, and one more for each
# RECORDS_PER_COMPARE_SECOND records.
COMPARE_SECONDS = 5
RECORDS_PER_COMPARE_SECOND = 50_000
# The interval between comparisons if the server has counted no update and no deletion: this many seconds, and one more
# for each RECORDS_PER_COMPARE_ANYWAY_SECOND records. The counters can be inaccurate or reset, and a record can have an
# id that was taken long ago or chosen by the writer.
COMPARE_ANYWAY_SECONDS = 600
RECORDS_PER_COMPARE_ANYWAY_SECOND = 10_000
# The types of the fields of a checkpoint, in order.
FIELD_TYPES = (int, int, int, int, str, str, int | None, int, int, str)


@dataclass(frozen=True)
class Checkpoint:
    """The state of a server when a reader read a workload, and a digest of the unsettled records at that time.

    - ``oldest_xid``, ``next_xid``: the ids of the oldest running and of the next transaction.
    - ``latest_id``, ``settled_id``: the newest id, and the id up to which all ids are settled.
    - ``server``, ``witness``: digests that identify the server process and the table's file, and the newest records.
    - ``rewrites``: the number of updates and deletions, None if the server does not count them.
    - ``compared_at``, ``compared_xid``: when updates and deletions were last searched for, in seconds since 1970, and
      the oldest running transaction at that time.
    - ``unsettled``: a digest of the visible records above ``settled_id`` whose transaction is at or above
      ``oldest_xid``. While it is the same, no record was added.
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
        """Return the checkpoint from the result of ``write``. Raises NotATokenError."""
        if type(values) is not list or len(values) != len(FIELD_TYPES):
            raise NotATokenError
        if not all(is_token_value(value, kind) for value, kind in zip(values, FIELD_TYPES, strict=True)):
            raise NotATokenError
        return cls(*values)

    def write(self) -> list[Any]:
        """Return the fields as JSON values for a token."""
        return list(vars(self).values())

    def is_quiet(self, snapshot: Snapshot) -> bool:
        """Return whether nothing has been written since: no transaction was running, and none has begun."""
        return self.server == snapshot.server and self.next_xid == self.oldest_xid == snapshot.oldest_xid == (
            snapshot.next_xid
        )

    def continues(self, transaction: Transaction, workload_uid: str, snapshot: Snapshot) -> bool:
        """Return whether the table still has the history of the checkpoint: it was not restored or loaded again."""
        if self.server == snapshot.server:
            return True
        # An empty table has no witness. If transaction ids have decreased, the server has been restored.
        if not self.witness or snapshot.next_xid < self.next_xid:
            return False
        return select_witness(transaction, workload_uid, self.latest_id) == self.witness

    def must_compare(self, records: int, rewrites: Rewrites, snapshot: Snapshot) -> bool:
        """Return whether updates and deletions must be searched for now, in a workload of ``records`` records."""
        if records <= SMALL_WORKLOAD:
            return True
        if self.has_same(rewrites):
            interval = COMPARE_ANYWAY_SECONDS + records // RECORDS_PER_COMPARE_ANYWAY_SECOND
        else:
            interval = COMPARE_SECONDS + records // RECORDS_PER_COMPARE_SECOND
        return not 0 <= snapshot.seconds - self.compared_at < interval

    def choose_range(self, *, compare: bool) -> tuple[int, int]:
        """Return the lower bounds of the search for records: an id (exclusive) and a transaction id (inclusive).

        With ``compare``, the search includes settled ids, because an update in place keeps the id, and all transactions
        since the last comparison, because an update may no longer be new to this checkpoint.
        """
        return (0, min(self.compared_xid, self.oldest_xid)) if compare else (self.settled_id, self.oldest_xid)

    def has_same(self, rewrites: Rewrites) -> bool:
        """Return whether the server has counted no updates or deletions since; False if it does not count them."""
        return self.rewrites is not None and self.rewrites == rewrites.rewritten and self.server == rewrites.server

    def choose_unsettled(self, records: Iterable[NewRecord]) -> list[NewRecord]:
        """Return the ``records`` that a later search finds again. All were visible at the checkpoint."""
        return [each for each in records if each.xid >= self.oldest_xid and each.id > self.settled_id]

    def settle(self, snapshot: Snapshot, unsettled_ids: int) -> int:
        """Return the settled id as of ``snapshot``. The last ``unsettled_ids`` ids are never settled."""
        if snapshot.oldest_xid < self.next_xid:
            return self.settled_id
        return max(self.settled_id, self.latest_id - unsettled_ids)


@dataclass(frozen=True)
class Position:
    """The state of a server in the snapshot of a reader, and the count of rewrites before the snapshot.

    ``unsettled_ids`` is the number of the last ids that are never settled.
    """

    rewrites: Rewrites
    snapshot: Snapshot
    unsettled_ids: int

    def begin(self, unsettled: Iterable[NewRecord]) -> Checkpoint:
        """Return the first checkpoint of a reader, which reads everything; ``unsettled`` are its unsettled records."""
        return self._make(self.snapshot.oldest_xid, self.settled_id, unsettled, None)

    @property
    def settled_id(self) -> int:
        """The settled id of a first checkpoint, 0 if a transaction was running."""
        quiet = self.snapshot.oldest_xid == self.snapshot.next_xid
        return max(0, self.snapshot.latest_id - self.unsettled_ids) if quiet else 0

    def advance(self, before: Checkpoint, found: Sequence[NewRecord], *, compared: bool) -> Checkpoint:
        """Return the next checkpoint of a reader that has read ``found``, the new records since ``before``.

        ``compared`` says whether updates and deletions were also searched for.
        """
        # On a lagging standby, this state may be older than the one that the reader has read elsewhere.
        oldest_xid = max(before.oldest_xid, self.snapshot.oldest_xid)
        settled_id = before.settle(self.snapshot, self.unsettled_ids)
        checkpoint = self._make(oldest_xid, settled_id, (), None if compared else before)
        return replace(checkpoint, unsettled=digest_records(checkpoint.choose_unsettled(found)))

    def _make(
        self, oldest_xid: int, settled_id: int, unsettled: Iterable[NewRecord], before: Checkpoint | None
    ) -> Checkpoint:
        snapshot = self.snapshot
        # Behind a load balancer, another server may have returned the rewrites.
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
    """Return the position of the transaction's snapshot. ``rewrites`` were read before it. Raises psycopg2.Error."""
    unsettled_ids = UNSETTLED_IDS_OF_CITUS if transaction.is_citus else UNSETTLED_IDS
    return Position(rewrites, select_snapshot(transaction, workload_uid), unsettled_ids)


def read_unsettled(transaction: Transaction, selection: Selection, position: Position) -> list[NewRecord]:
    """Return the unsettled records for the first checkpoint of a reader. Raises psycopg2.Error."""
    snapshot = position.snapshot
    if snapshot.oldest_xid == snapshot.next_xid:
        return []
    return select_new_records(transaction, selection, settled_id=0, oldest_xid=snapshot.oldest_xid)


def digest_records(records: Iterable[NewRecord]) -> str:
    """Return a digest of the ids and the transaction ids of ``records``, in any order."""
    return digest(sorted((each.id, each.xid) for each in records))
