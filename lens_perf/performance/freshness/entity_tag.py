"""ETags: find out whether the response that a client has is still current."""

from dataclasses import dataclass
from typing import Self

from lens_perf.performance.freshness.checkpoint import Checkpoint, Position, digest_records
from lens_perf.performance.freshness.statements import MOST_NEW_RECORDS, select_count, select_new_records
from lens_perf.performance.freshness.tokens import NotATokenError, is_token_value, read_token, write_token
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction


@dataclass(frozen=True)
class EntityTag:
    """The ETag of a response: a digest of the query, the checkpoint of the read, and the number of records."""

    query: str
    checkpoint: Checkpoint
    records: int

    @classmethod
    def parse(cls, text: str, query: str) -> Self:
        """Return the tag in ``text``. Raises NotATokenError, also if it belongs to another query."""
        values = read_token(text)
        if len(values) != 3 or values[0] != query or not is_token_value(values[2], int):  # noqa: PLR2004 - its fields
            raise NotATokenError
        return cls(query, Checkpoint.parse(values[1]), values[2])

    def encode(self) -> str:
        """Return the text for ``parse``."""
        return write_token(self.query, self.checkpoint.write(), self.records)

    def is_current(self, transaction: Transaction, selection: Selection, position: Position) -> bool:
        """Return whether the records are the same as when the response was read. Raises psycopg2.Error."""
        checkpoint = self.checkpoint
        if not checkpoint.continues(transaction, selection.workload_uid, position.snapshot):
            return False
        compare = checkpoint.must_compare(self.records, position.rewrites, position.snapshot)
        if not compare and checkpoint.is_quiet(position.snapshot):
            return True
        settled_id = checkpoint.settled_id
        found = select_new_records(
            transaction, selection, settled_id=0 if compare else settled_id, oldest_xid=checkpoint.oldest_xid
        )
        if len(found) > MOST_NEW_RECORDS or any(each.id <= settled_id for each in found):
            return False
        if digest_records(found) != checkpoint.unsettled:
            return False
        return not compare or select_count(transaction, selection) == self.records
