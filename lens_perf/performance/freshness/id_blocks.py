"""New records by blocks of ids: of very many that are not settled, only the blocks that have changed are read again."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from lens_perf.performance.freshness.statements import MOST_NEW_RECORDS, NewRecord, select_new_records
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction

# Ids of one block.
BLOCK = 1_024

# The digest of the records of each block that has any.
BlockDigests = Mapping[int, str]


def list_new_blocks(
    transaction: Transaction, selection: Selection, *, settled_id: int, oldest_xid: int
) -> Iterator[tuple[int, list[NewRecord]]]:
    """Yield each block that has new records, by id, with all of them, in flat memory however many there are."""
    waiting: list[NewRecord] = []
    while True:
        page = select_new_records(transaction, selection, settled_id=settled_id, oldest_xid=oldest_xid)
        is_last = len(page) <= MOST_NEW_RECORDS
        blocks = [
            (block, list(records)) for block, records in groupby([*waiting, *page], lambda each: each.id // BLOCK)
        ]
        # What the next page begins with may belong to the last block.
        waiting = [] if is_last else blocks.pop()[1]
        yield from blocks
        if is_last:
            return
        settled_id = page[-1].id
