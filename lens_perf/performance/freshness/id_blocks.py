"""Lists new records in blocks of ids, so that only changed blocks of unsettled records are read again."""

from collections.abc import Iterator, Mapping
from itertools import groupby

from lens_perf.performance.freshness.statements import MOST_NEW_RECORDS, NewRecord, select_new_records
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import Transaction

# The number of ids in a block.
BLOCK = 1_024

# The digest of the records in each block, by the number of the block; blocks without records are left out.
BlockDigests = Mapping[int, str]


def list_new_blocks(
    transaction: Transaction, selection: Selection, *, settled_id: int, oldest_xid: int
) -> Iterator[tuple[int, list[NewRecord]]]:
    """Yield the number of each block with new records, and these records by id, in constant memory.

    Raises psycopg2.Error.
    """
    waiting: list[NewRecord] = []
    while True:
        page = select_new_records(transaction, selection, settled_id=settled_id, oldest_xid=oldest_xid)
        is_last = len(page) <= MOST_NEW_RECORDS
        blocks = [
            (block, list(records)) for block, records in groupby([*waiting, *page], lambda each: each.id // BLOCK)
        ]
        # The next page may have more records of the last block.
        waiting = [] if is_last else blocks.pop()[1]
        yield from blocks
        if is_last:
            return
        settled_id = page[-1].id
