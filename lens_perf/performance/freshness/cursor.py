"""Cursors: what a client that keeps a copy of a workload's points has to remove from it and to add to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from lens_perf.performance.freshness.checkpoint import Checkpoint, Position, digest_records, read_unsettled
from lens_perf.performance.freshness.pairs import Pair, Pairs
from lens_perf.performance.freshness.removals import MOST_CANDIDATES, find_replaced
from lens_perf.performance.freshness.statements import (
    MOST_NEW_RECORDS,
    NewRecord,
    OldRecords,
    select_new_records,
    select_old_records,
    select_pair_hashes,
)
from lens_perf.performance.freshness.tokens import (
    LONGEST_TOKEN,
    NotATokenError,
    is_token_value,
    read_token,
    write_token,
)
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction


@dataclass(frozen=True)
class Ledger:
    """The records of transactions before a checkpoint's oldest: their number and the XOR of their pairs' hashes."""

    count: int
    pair_hashes: int

    def add(self, records: Sequence[NewRecord] | Sequence[OldRecords]) -> "Ledger":
        """Return the ledger with ``records`` added."""
        count, pair_hashes = self.count, self.pair_hashes
        for each in records:
            count += each.records if isinstance(each, OldRecords) else 1
            pair_hashes ^= each.pair_hashes if isinstance(each, OldRecords) else each.pair_hash
        return Ledger(count, pair_hashes)


EMPTY = Ledger(0, 0)


@dataclass(frozen=True)
class Cursor:
    """What a client has been sent of ``subject``, a digest of whose records they are.

    ``last_iterations`` are the highest iterations by data source, ``unsettled`` the pairs of the checkpoint's unsettled
    records, ``pending`` the pairs that were sent again since updates and removals were last searched for: they may
    account for records that are gone. Those that are too many to list are None; any change then resets the client.
    """

    subject: str
    checkpoint: Checkpoint
    ledger: Ledger
    last_iterations: Mapping[str | None, int] | None
    unsettled: Pairs | None
    pending: Pairs | None

    @classmethod
    def parse(cls, text: str, subject: str) -> Self:
        """Return the cursor in ``text``. Raises NotATokenError, also for one of another subject."""
        try:
            own_subject, checkpoint, count, pair_hashes, last_iterations, unsettled, pending = read_token(text)
            cursor = cls(
                own_subject,
                Checkpoint.parse(checkpoint),
                Ledger(count, int(pair_hashes, 16)),
                None if last_iterations is None else dict(last_iterations),
                Pairs.parse(unsettled),
                Pairs.parse(pending),
            )
            valid = all(type(each) is int for each in (cursor.last_iterations or {}).values())
        except (TypeError, ValueError):
            raise NotATokenError from None
        if own_subject != subject or not valid or not is_token_value(count, int):
            raise NotATokenError
        return cursor

    def encode(self) -> str:
        """Return the text for ``parse``, without what would make it too long; the client is then reset more often."""
        text = self._write()
        if len(text) <= LONGEST_TOKEN:
            return text
        return replace(self, unsettled=None, pending=None, last_iterations=None)._write()

    def _write(self) -> str:
        return write_token(
            self.subject,
            self.checkpoint.write(),
            self.ledger.count,
            f"{self.ledger.pair_hashes & (2**64 - 1):x}",
            None if self.last_iterations is None else list(self.last_iterations.items()),
            None if self.unsettled is None else self.unsettled.write(),
            None if self.pending is None else self.pending.write(),
        )


@dataclass(frozen=True)
class Delta:
    """What a client has to do: drop everything it has (``reset``), or its points of ``pairs``; then add the answer."""

    cursor: Cursor
    reset: bool
    pairs: Pairs = field(default_factory=Pairs)


def begin(transaction: Transaction, selection: Selection, position: Position, subject: str) -> Delta:
    """Return the delta of a client that has nothing yet."""
    unsettled = read_unsettled(transaction, selection, position)
    checkpoint = position.begin(unsettled)
    old = select_old_records(transaction, selection, checkpoint.oldest_xid)
    last = {each.data_source: each.last_iteration for each in old if each.last_iteration is not None}
    pairs = Pairs.of(map(_pair, unsettled)) if len(unsettled) <= MOST_NEW_RECORDS else None
    cursor = Cursor(subject, checkpoint, EMPTY.add(old), _raise(last, unsettled), pairs, Pairs())
    return Delta(cursor, reset=True)


def find_delta(transaction: Transaction, selection: Selection, position: Position, before: Cursor) -> Delta:
    """Return what has changed since ``before``."""
    known = before.checkpoint
    if not known.continues(transaction, position.snapshot):
        return begin(transaction, selection, position, before.subject)
    compare = known.must_compare(before.ledger.count, position.rewrites, position.snapshot)
    if not compare and known.is_quiet(position.snapshot):
        return Delta(before, reset=False)
    found = select_new_records(
        transaction, selection, settled_id=0 if compare else known.settled_id, oldest_xid=known.oldest_xid
    )
    pairs = _find_changed(before, found)
    ledger = before.ledger
    if pairs is not None and compare:
        ledger = EMPTY.add(select_old_records(transaction, selection, known.oldest_xid))
        pairs = _find_replaced(transaction, before, ledger, pairs)
    if pairs is None:
        return begin(transaction, selection, position, before.subject)
    return Delta(_advance(before, position, found, ledger, pairs, compared=compare), reset=False, pairs=pairs)


def _find_changed(before: Cursor, found: Sequence[NewRecord]) -> Pairs | None:
    """Return the pairs to send again; None where they cannot be told."""
    if len(found) > MOST_NEW_RECORDS:
        return None
    known = before.checkpoint
    if all(each.id > known.settled_id for each in found) and digest_records(found) == known.unsettled:
        return Pairs()
    if before.unsettled is None or before.last_iterations is None:
        return None
    return before.unsettled | Pairs.of(map(_pair, found))


def _find_replaced(transaction: Transaction, before: Cursor, ledger: Ledger, changed: Pairs) -> Pairs | None:
    """Return the pairs to send again, those that have lost records included; None where these cannot be told."""
    removed, difference = before.ledger.count - ledger.count, before.ledger.pair_hashes ^ ledger.pair_hashes
    if removed == 0 and difference == 0:
        return changed
    if before.pending is None or before.unsettled is None:
        return None
    candidates = before.pending | before.unsettled | changed
    if candidates.size > MOST_CANDIDATES:
        return None
    pairs = list(candidates)
    replaced = find_replaced(removed, difference, select_pair_hashes(transaction, pairs))
    return None if replaced is None else changed | Pairs.of(pairs[index] for index in replaced)


def _advance(
    before: Cursor, position: Position, found: Sequence[NewRecord], ledger: Ledger, pairs: Pairs, *, compared: bool
) -> Cursor:
    """Return the cursor after ``found`` was sent; ``ledger`` is that of the checkpoint before."""
    checkpoint = position.advance(before.checkpoint, found, compared=compared)
    ledger = ledger.add([each for each in found if each.xid < checkpoint.oldest_xid])
    last = before.last_iterations
    if last is None:
        return replace(before, checkpoint=checkpoint, ledger=ledger)
    pending = Pairs() if compared else before.pending
    if pending is not None:
        # A pair above the highest iteration that was known cannot have replaced a record.
        pending = pending | Pairs.of(pair for pair in pairs if _may_replace(pair, last))
    unsettled = Pairs.of(_pair(each) for each in found if each.xid >= checkpoint.oldest_xid)
    return Cursor(before.subject, checkpoint, ledger, _raise(last, found), unsettled, pending)


def _may_replace(pair: Pair, last_iterations: Mapping[str | None, int]) -> bool:
    source, iteration = pair
    return iteration is None or iteration <= last_iterations.get(source, iteration - 1)


def _pair(record: NewRecord) -> Pair:
    return record.data_source, record.iteration


def _raise(last: Mapping[str | None, int], records: Sequence[NewRecord]) -> dict[str | None, int]:
    raised = dict(last)
    for each in records:
        if each.iteration is not None:
            raised[each.data_source] = max(each.iteration, raised.get(each.data_source, each.iteration))
    return raised
