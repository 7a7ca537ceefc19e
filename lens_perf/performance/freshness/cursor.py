"""Cursors: find the data points that a polling client must drop and read again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

from lens_perf.performance.freshness.checkpoint import (
    SMALL_WORKLOAD,
    Checkpoint,
    Position,
    digest_records,
    read_unsettled,
)
from lens_perf.performance.freshness.pairs import MOST_PAIRS, Pair, Pairs
from lens_perf.performance.freshness.removals import MASK, MOST_CANDIDATES, find_replaced
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
    """A checksum of the records before a checkpoint's ``oldest_xid``: their number, and the XOR of their ``pair_hash``.

    The XOR is unsigned, though PostgreSQL's bigint is not: hashes of equal bits must be equal after ``parse``, too.

    The difference between two ledgers is the number of removed records, and the XOR of their pair hashes.
    """

    count: int
    pair_hashes: int

    @classmethod
    def parse(cls, count: int, pair_hashes: str) -> Self:
        """Return the ledger from the result of ``write``. Raises NotATokenError, TypeError, ValueError."""
        if not is_token_value(count, int):
            raise NotATokenError
        return cls(count, int(pair_hashes, 16))

    def write(self) -> list[Any]:
        """Return the ledger as JSON values for a token."""
        return [self.count, f"{self.pair_hashes:x}"]

    def add(self, records: Sequence[NewRecord] | Sequence[OldRecords]) -> "Ledger":
        """Return the ledger with ``records`` added."""
        count, pair_hashes = self.count, self.pair_hashes
        for each in records:
            count += each.records if isinstance(each, OldRecords) else 1
            pair_hashes ^= each.pair_hashes if isinstance(each, OldRecords) else each.pair_hash
        return Ledger(count, pair_hashes & MASK)


EMPTY = Ledger(0, 0)


@dataclass(frozen=True)
class Cursor:
    """The state of the data that a client has.

    - ``subject``: a digest of the workload and the data source.
    - ``checkpoint``: the state of the table up to which the client has read.
    - ``ledger``: the checksum of the records before the checkpoint, None if it was not computed.
    - ``last_iterations``: the highest iteration of each data source.
    - ``unsettled``: the pairs (data source, iteration) of the unsettled records of the checkpoint.
    - ``pending``: the pairs that were sent again since updates and deletions were last searched for. Records that were
      deleted meanwhile may have belonged to them.

    The last three are None if they would make the token too long. A change that depends on them then resets the client.
    """

    subject: str
    checkpoint: Checkpoint
    ledger: Ledger | None
    last_iterations: Mapping[str | None, int] | None
    unsettled: Pairs | None
    pending: Pairs | None

    @classmethod
    def parse(cls, text: str, subject: str) -> Self:
        """Return the cursor in ``text``. Raises NotATokenError, also if it has another subject."""
        try:
            own_subject, checkpoint, ledger, last_iterations, unsettled, pending = read_token(text)
            cursor = cls(
                own_subject,
                Checkpoint.parse(checkpoint),
                None if ledger is None else Ledger.parse(*ledger),
                None if last_iterations is None else dict(last_iterations),
                Pairs.parse(unsettled),
                Pairs.parse(pending),
            )
            valid = all(
                (source is None or type(source) is str) and type(iteration) is int
                for source, iteration in (cursor.last_iterations or {}).items()
            )
        except (TypeError, ValueError):
            raise NotATokenError from None
        if own_subject != subject or not valid:
            raise NotATokenError
        return cursor

    def encode(self) -> str:
        """Return the text for ``parse``, without lists that would make it too long. That causes more resets."""
        for cursor in (self, replace(self, pending=None)):
            is_listed = all(each is None or each.size <= MOST_PAIRS for each in (cursor.unsettled, cursor.pending))
            text = cursor._write() if is_listed else ""
            if text and len(text) <= LONGEST_TOKEN:
                return text
        return replace(self, unsettled=None, pending=None, last_iterations=None)._write()

    def _write(self) -> str:
        return write_token(
            self.subject,
            self.checkpoint.write(),
            None if self.ledger is None else self.ledger.write(),
            None if self.last_iterations is None else list(self.last_iterations.items()),
            None if self.unsettled is None else self.unsettled.write(),
            None if self.pending is None else self.pending.write(),
        )


@dataclass(frozen=True)
class Delta:
    """The pairs whose data points a client must drop and read again, and its next cursor."""

    cursor: Cursor
    pairs: Pairs


def begin(transaction: Transaction, selection: Selection, position: Position, subject: str) -> Cursor:
    """Return the first cursor of a client, which reads everything. Reads all records, not only an index.

    Raises psycopg2.Error.
    """
    unsettled = read_unsettled(transaction, selection, position)
    checkpoint = position.begin(unsettled)
    old = select_old_records(transaction, selection, checkpoint.oldest_xid)
    last = {each.data_source: each.last_iteration for each in old if each.last_iteration is not None}
    pairs = Pairs.of(map(_pair, unsettled)) if len(unsettled) <= MOST_NEW_RECORDS else None
    return Cursor(subject, checkpoint, EMPTY.add(old), _raise(last, unsettled), pairs, Pairs())


def begin_without_ledger(transaction: Transaction, selection: Selection, position: Position, subject: str) -> Cursor:
    """Return a first cursor without reading all records. Possible updates or deletions then reset the client.

    Raises psycopg2.Error.
    """
    unsettled = read_unsettled(transaction, selection, position)
    pairs = Pairs.of(map(_pair, unsettled)) if len(unsettled) <= MOST_NEW_RECORDS else None
    return Cursor(subject, position.begin(unsettled), None, {}, pairs, None)


def find_delta(transaction: Transaction, selection: Selection, position: Position, before: Cursor) -> Delta | None:
    """Return the changes since ``before``, None if everything must be read again. Raises psycopg2.Error."""
    known = before.checkpoint
    if not known.continues(transaction, selection.workload_uid, position.snapshot):
        return None
    records = SMALL_WORKLOAD + 1 if before.ledger is None else before.ledger.count
    compare = known.must_compare(records, position.rewrites, position.snapshot)
    if not compare and known.is_quiet(position.snapshot):
        return Delta(before, Pairs())
    if compare and before.ledger is None and not known.has_same(position.rewrites):
        return None
    settled_id, oldest_xid = known.choose_range(compare=compare)
    listed = select_new_records(transaction, selection, settled_id=settled_id, oldest_xid=oldest_xid)
    if len(listed) > MOST_NEW_RECORDS:
        return None
    found = [each for each in listed if each.xid >= known.oldest_xid]
    pairs = _find_changed(before, found)
    ledger = before.ledger
    if pairs is not None and compare and ledger is not None:
        ledger = EMPTY.add(select_old_records(transaction, selection, known.oldest_xid))
        pairs = _find_replaced(transaction, before, ledger, pairs)
    if pairs is None:
        return None
    # Records since the last comparison have been sent, but may have been updated afterwards.
    pairs |= Pairs.of(_pair(each) for each in listed if each.xid < known.oldest_xid)
    return Delta(_advance(before, position, found, ledger, pairs, compared=compare), pairs)


def _find_changed(before: Cursor, found: Sequence[NewRecord]) -> Pairs | None:
    """Return the pairs of new records, which must be sent again; None if they are not known."""
    known = before.checkpoint
    if all(each.id > known.settled_id for each in found) and digest_records(found) == known.unsettled:
        return Pairs()
    if before.unsettled is None or before.last_iterations is None:
        return None
    return before.unsettled | Pairs.of(map(_pair, found))


def _find_replaced(transaction: Transaction, before: Cursor, ledger: Ledger, changed: Pairs) -> Pairs | None:
    """Return ``changed`` and the pairs that have lost records; None if those cannot be determined.

    ``ledger`` covers the records of the cursor's ledger that still exist.
    """
    known = before.ledger or EMPTY
    removed, difference = known.count - ledger.count, known.pair_hashes ^ ledger.pair_hashes
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
    before: Cursor,
    position: Position,
    found: Sequence[NewRecord],
    ledger: Ledger | None,
    pairs: Pairs,
    *,
    compared: bool,
) -> Cursor:
    """Return the cursor after ``found`` was sent; ``ledger`` covers the records before the previous checkpoint."""
    checkpoint = position.advance(before.checkpoint, found, compared=compared)
    if ledger is not None:
        ledger = ledger.add([each for each in found if each.xid < checkpoint.oldest_xid])
    last = before.last_iterations
    if last is None:
        return replace(before, checkpoint=checkpoint, ledger=ledger)
    pending = Pairs() if compared else before.pending
    if pending is not None:
        # A record above the highest known iteration cannot have replaced another.
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
