"""The statements that find new, updated and deleted records of a workload without reading its metrics."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from lens_perf.performance.metric_fields import DATA_SOURCES
from lens_perf.performance.selection import Selection
from lens_perf.performance.statements import RECORDS, Transaction

# With more new records than this, everything is read again.
MOST_NEW_RECORDS = 50_000
# The number of newest records that identify a history.
WITNESSES = 8
# Longer values are left out of the witness, because every checkpoint reads it.
LONGEST_WITNESS = 100_000

# Statements about the state of the server normally read the table and all of its records.
TABLE = {"relation": "'training_performance'::regclass::oid", "scope": "true"}
# On Citus, they read the workload's shard, whose server has its own statistics and transaction ids. A SELECT that names
# the same workload at each reference to the table is executed entirely on that server, including all of its functions.
SHARD = {
    "relation": """(
        SELECT tableoid
        FROM training_performance
        WHERE workload_uid = %(workload_uid)s
        ORDER BY id DESC
        LIMIT 1
    )""",
    "scope": "workload_uid = %(workload_uid)s",
}


def _read_where(transaction: Transaction, statement: str) -> str:
    """Return ``statement`` for the whole table or, on Citus, for the workload's shard."""
    return statement.format(**(SHARD if transaction.is_citus else TABLE))


# A digest of the start of the server process, the table, and its file in its database. While it is the same, the table
# was not restored or loaded again.
SERVER = """md5(concat_ws('/',
        extract(epoch FROM pg_postmaster_start_time()), relation, pg_relation_filepath(relation)
    ))"""

SELECT_REWRITES = f"""
/* lens_perf: select_rewrites */
SELECT {SERVER} AS server,
    CASE
        WHEN NOT pg_is_in_recovery() THEN pg_stat_get_tuples_updated(relation) + pg_stat_get_tuples_deleted(relation)
    END AS rewrites
FROM (SELECT {{relation}} AS relation OFFSET 0) AS read_from
ORDER BY server
"""


class Rewrites(NamedTuple):
    """The number of updates and deletions in the table as counted by ``server``; None on a standby."""

    server: str
    rewritten: int | None


def select_rewrites(transaction: Transaction, workload_uid: str) -> Rewrites:
    """Return the number of updates and deletions. Raises psycopg2.Error.

    Call it in a transaction that ends before the snapshot of a checkpoint begins, so that the snapshot shows all of the
    counted changes.
    """
    (row,) = transaction.fetch_all(_read_where(transaction, SELECT_REWRITES), {"workload_uid": workload_uid})
    return Rewrites(*row)


# A digest of the newest records. It includes the identifier of the data directory, because a server that is set up
# again by the same script has the same ids and transaction ids, and the directory of the database in it, because a
# database that was created from a template has the records of the template.
DIRECTORY = "regexp_replace(pg_relation_filepath('pg_class'), '[^/]+$', '')"
WITNESS = f"""(
        SELECT md5((pg_control_system()).system_identifier || '/' || {DIRECTORY} || string_agg(
            concat_ws('/', id, xmin, workload_uid, extract(epoch FROM created_at), CASE
                WHEN pg_column_size(performance) < {LONGEST_WITNESS} THEN md5(performance::text)
            END), ',' ORDER BY id
        ))
        FROM (
            SELECT id, xmin, workload_uid, created_at, performance
            FROM training_performance
            WHERE id <= {{latest_id}}
            AND {{{{scope}}}}
            ORDER BY id DESC
            LIMIT {WITNESSES}
        ) AS newest
    )"""

# age() and xmin have only the lower 32 of the 64 bits of a transaction id; the snapshot's upper bound has the others.
UPPER_XID = "pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
NEXT_XID = f"{UPPER_XID} + (age('3'::xid)::bigint + 3 - {UPPER_XID} & 4294967295)"
RECORD_XID = f"({UPPER_XID} - ({UPPER_XID} - xmin::text::bigint & 4294967295))"

SELECT_SNAPSHOT = f"""
/* lens_perf: select_snapshot */
SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_xid, {NEXT_XID} AS next_xid, latest_id,
    {SERVER} AS server, coalesce({WITNESS.format(latest_id="latest_id")}, '') AS witness,
    extract(epoch FROM statement_timestamp())::bigint AS seconds
FROM (
    SELECT {{relation}} AS relation, coalesce(max(id), 0) AS latest_id
    FROM training_performance
    WHERE {{scope}}
) AS newest
ORDER BY latest_id
"""


class Snapshot(NamedTuple):
    """The state of a server in a snapshot.

    - ``oldest_xid``, ``next_xid``: the ids of the oldest running and of the next transaction.
    - ``latest_id``, ``witness``: the newest id and a digest of the newest records, of the table or, on Citus, of the
      workload.
    - ``server``: a digest that identifies the server process and the table's file.
    - ``seconds``: the time of the server's clock in seconds since 1970.
    """

    oldest_xid: int
    next_xid: int
    latest_id: int
    server: str
    witness: str
    seconds: int


def select_snapshot(transaction: Transaction, workload_uid: str) -> Snapshot:
    """Return the state of the server in the transaction's snapshot. Raises psycopg2.Error."""
    (row,) = transaction.fetch_all(_read_where(transaction, SELECT_SNAPSHOT), {"workload_uid": workload_uid})
    return Snapshot(*row)


SELECT_WITNESS = f"""
/* lens_perf: select_witness */
SELECT coalesce({WITNESS.format(latest_id="%(latest_id)s")}, '') AS witness
ORDER BY witness
"""


def select_witness(transaction: Transaction, workload_uid: str, latest_id: int) -> str:
    """Return the digest of the newest records up to ``latest_id``. Raises psycopg2.Error."""
    parameters = {"workload_uid": workload_uid, "latest_id": latest_id}
    ((witness,),) = transaction.fetch_all(_read_where(transaction, SELECT_WITNESS), parameters)
    return str(witness)


# A seed distinguishes NULL from values: hashint8extended accepts every bigint as a value, so none is left for NULL.
PAIR_HASH = """hashint8extended(coalesce(iteration, 0), hashtextextended(
            coalesce(data_source::text, ''), 2 * (data_source IS NULL)::int + (iteration IS NULL)::int))"""

# OFFSET 0 keeps the planner from scanning the whole table in the order of ids because of the limit.
SELECT_NEW_RECORDS = f"""
/* lens_perf: select_new_records */
SELECT id, xid, data_source, iteration, pair_hash
FROM (
    SELECT id, {RECORD_XID} AS xid, data_source::text AS data_source, iteration, {PAIR_HASH} AS pair_hash
    {RECORDS}
    AND id > %(settled_id)s
    AND {RECORD_XID} >= %(oldest_xid)s
    OFFSET 0
) AS record
ORDER BY id
LIMIT {MOST_NEW_RECORDS + 1}
"""


class NewRecord(NamedTuple):
    """A record that may be new to a reader; ``pair_hash`` is the hash of its data source and iteration."""

    id: int
    xid: int
    data_source: str | None
    iteration: int | None
    pair_hash: int


def select_new_records(
    transaction: Transaction, selection: Selection, *, settled_id: int, oldest_xid: int
) -> list[NewRecord]:
    """Return the records of the workload and data source above ``settled_id`` and from ``oldest_xid`` on, by id.

    At most ``MOST_NEW_RECORDS + 1`` records are returned: one more than a reader accepts. Raises psycopg2.Error.
    """
    parameters = {**selection.parameters(), "settled_id": settled_id, "oldest_xid": oldest_xid}
    return [NewRecord(*row) for row in transaction.fetch_all(SELECT_NEW_RECORDS, parameters)]


SELECT_OLD_RECORDS = f"""
/* lens_perf: select_old_records */
SELECT data_source::text AS data_source, count(*) AS records, bit_xor({PAIR_HASH}) AS pair_hashes,
    max(iteration) AS last_iteration
{RECORDS}
AND {RECORD_XID} < %(oldest_xid)s
GROUP BY data_source
ORDER BY data_source::text
"""


class OldRecords(NamedTuple):
    """The records of a data source before a transaction: their number and the XOR of their pair hashes."""

    data_source: str | None
    records: int
    pair_hashes: int
    last_iteration: int | None


def select_old_records(transaction: Transaction, selection: Selection, oldest_xid: int) -> list[OldRecords]:
    """Return the records before ``oldest_xid`` by data source. Reads all records, not only an index.

    Raises psycopg2.Error.
    """
    rows = transaction.fetch_all(SELECT_OLD_RECORDS, {**selection.parameters(), "oldest_xid": oldest_xid})
    return [OldRecords(*row) for row in rows]


SELECT_PAIR_HASHES = f"""
/* lens_perf: select_pair_hashes */
SELECT {PAIR_HASH} AS pair_hash
FROM unnest(%(sources)s::text[], %(iterations)s::int[]) WITH ORDINALITY AS pair (data_source, iteration, ordinality)
ORDER BY ordinality
"""


def select_pair_hashes(transaction: Transaction, pairs: Sequence[tuple[str | None, int | None]]) -> list[int]:
    """Return the hash of each pair (data source, iteration), in the order of ``pairs``. Raises psycopg2.Error."""
    parameters = {"sources": [source for source, _ in pairs], "iterations": [iteration for _, iteration in pairs]}
    return [row[0] for row in transaction.fetch_all(SELECT_PAIR_HASHES, parameters)]


# An index-only scan of (workload_uid, data_source, iteration) answers it.
SELECT_COUNT = f"""
/* lens_perf: select_count */
SELECT count(*) AS count
FROM (
    SELECT
    {RECORDS}
    LIMIT %(most)s
) AS record
ORDER BY count
"""


def select_count(transaction: Transaction, selection: Selection, most: int | None = None) -> int:
    """Return the number of records of the workload and data source, at most ``most``. Raises psycopg2.Error."""
    ((count,),) = transaction.fetch_all(SELECT_COUNT, {**selection.parameters(), "most": most})
    return int(count)


# The planner expects thousands of records in each range. OFFSET 0 makes it search the index for each range instead of
# scanning the table once for all of them.
SELECT_IDS = """
/* lens_perf: select_ids */
SELECT id
FROM unnest(%(firsts)s::int[], %(lasts)s::int[]) AS requested (first, last)
CROSS JOIN LATERAL (
    SELECT id
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND {of_source}
    AND iteration BETWEEN requested.first AND requested.last
    OFFSET 0
) AS record
UNION ALL
SELECT id
FROM training_performance
WHERE workload_uid = %(workload_uid)s
AND {of_source}
AND iteration IS NULL
AND %(without_iteration)s
ORDER BY id
"""


def select_ids(
    transaction: Transaction,
    workload_uid: str,
    source: str | None,
    ranges: Sequence[tuple[int, int]],
    *,
    include_null: bool,
) -> list[int]:
    """Return the ids of a data source's records with an iteration in ``ranges``.

    With ``include_null``, those of records without an iteration are included. Raises psycopg2.Error.
    """
    parameters: dict[str, Any] = {
        "workload_uid": workload_uid,
        "source": source,
        "firsts": [first for first, _ in ranges],
        "lasts": [last for _, last in ranges],
        "without_iteration": include_null,
    }
    return [row[0] for row in transaction.fetch_all(SELECT_IDS.format(of_source=_match(source)), parameters)]


def _match(source: str | None) -> str:
    if source is None:
        return "data_source IS NULL"
    # A forged cursor can have any source, and comparing an enum with an unknown value is an error. A comparison as text
    # cannot use the index.
    return "data_source = %(source)s" if source in DATA_SOURCES else "data_source::text = %(source)s"
