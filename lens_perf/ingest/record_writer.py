"""Stores records in batches, one transaction each, so that repeating an import changes nothing."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise

from lens_perf.ingest.read_summary import format_count
from lens_perf.ingest.records import Record

BATCH_SIZE = 5000


@dataclass
class WriteSummary:
    """Numbers of records that were inserted, replaced, and unchanged."""

    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0

    def format(self) -> str:
        """Return the counts in one line."""
        wrote = format_count(self.inserted, "new records")
        return f"wrote {wrote}, replaced {self.replaced:,}, left {self.unchanged:,} unchanged"


def batch_records(records: Iterable[Record | None]) -> Iterator[list[Record]]:
    """Yield the records in batches of BATCH_SIZE, or fewer at a None.

    Records with one key are merged within a batch.
    """
    batch: dict[tuple[int, int | None, int], Record] = {}
    for record in records:
        if record is not None:
            earlier = batch.get(record.key)
            batch[record.key] = record if earlier is None else _add(earlier, record)
        if batch and (record is None or len(batch) == BATCH_SIZE):
            yield list(batch.values())
            batch = {}
    if batch:
        yield list(batch.values())


def _add(earlier: Record, later: Record) -> Record:
    created_at = later.created_at if earlier.created_at is None else earlier.created_at
    return replace(earlier, created_at=created_at, performance={**earlier.performance, **later.performance})


def write_batch(
    connection: Connection, workload_uid: str, data_source: str, batch: Sequence[Record], summary: WriteSummary
) -> None:
    """Store ``batch``, records with different keys, in one transaction.

    A stored record is unchanged if it has the same metrics with the same values, and a time if the new one has; else it
    is deleted and inserted again with the additions and corrections, keeping its ``created_at``. ``summary`` counts
    what is committed. Raises psycopg2.Error; writing the same records again is always safe.
    """
    connection.autocommit = False
    target = {"workload_uid": workload_uid, "data_source": data_source}
    with connection, connection.cursor() as cursor:
        cursor.execute(LOCK_WORKLOAD, target)
        cursor.execute(CREATE_INCOMING)
        cursor.copy_expert(COPY_INCOMING, _format_rows(batch))
        cursor.execute(ANALYZE_INCOMING)
        inserted, replaced = _store(cursor, target)
    summary.inserted += inserted
    summary.replaced += replaced
    summary.unchanged += len(batch) - inserted - replaced


# Two imports of one workload at once wait for each other, so that neither misses what the other stores.
LOCK_WORKLOAD = """
/* lens_perf: lock_workload */
SELECT pg_advisory_xact_lock(hashtextextended(%(workload_uid)s, 0))
"""

CREATE_INCOMING = """
/* lens_perf: create_incoming */
CREATE TEMPORARY TABLE incoming (
    position    int,
    serial      int,
    iteration   int,
    ordinal     int,
    created_at  timestamptz,
    performance jsonb
) ON COMMIT DROP
"""

COPY_INCOMING = "COPY incoming FROM STDIN WITH (FORMAT csv)"

ANALYZE_INCOMING = "ANALYZE incoming"

# A record is identified by its serial, its iteration and its position by id among those that share both. To preserve
# these positions, replacing a record also replaces those after it. Other writers leave serial NULL without restarts.
# Records whose iteration is NULL are matched separately, since no index supports IS NOT DISTINCT FROM.
STORE_RECORDS = """
/* lens_perf: store_records */
WITH candidates AS (
    SELECT id, coalesce(serial, 0) AS serial, iteration, created_at, pod_uuid, performance
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND data_source = %(data_source)s
    AND iteration IN (SELECT iteration FROM incoming)
    UNION ALL
    SELECT id, coalesce(serial, 0), iteration, created_at, pod_uuid, performance
    FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND data_source = %(data_source)s
    AND iteration IS NULL
    AND EXISTS (SELECT FROM incoming WHERE iteration IS NULL)
), stored AS (
    SELECT *, row_number() OVER (PARTITION BY serial, iteration ORDER BY id) - 1 AS ordinal
    FROM candidates
), compared AS (
    SELECT
        stored.id,
        incoming.position,
        coalesce(incoming.serial, stored.serial) AS serial,
        coalesce(incoming.iteration, stored.iteration) AS iteration,
        coalesce(incoming.ordinal, stored.ordinal) AS ordinal,
        coalesce(stored.created_at, incoming.created_at) AS created_at,
        stored.pod_uuid,
        merged.performance,
        stored.id IS NOT NULL AND incoming.position IS NOT NULL AND (
            merged.performance IS DISTINCT FROM stored.performance
            OR stored.created_at IS NULL AND incoming.created_at IS NOT NULL
        ) AS differs
    FROM stored
    FULL JOIN incoming
    ON incoming.serial = stored.serial
    AND coalesce(incoming.iteration::bigint, -3000000000) = coalesce(stored.iteration::bigint, -3000000000)
    AND incoming.ordinal = stored.ordinal
    CROSS JOIN LATERAL (
        SELECT CASE
            WHEN incoming.position IS NULL THEN stored.performance
            WHEN jsonb_typeof(stored.performance) = 'object' THEN stored.performance || incoming.performance
            ELSE incoming.performance
        END AS performance
    ) AS merged
), placed AS (
    SELECT
        *,
        bool_or(differs) OVER (PARTITION BY serial, iteration ORDER BY ordinal) AS moves,
        max(position) OVER (PARTITION BY serial, iteration ORDER BY ordinal) AS place
    FROM compared
), outdated AS (
    DELETE FROM training_performance
    WHERE workload_uid = %(workload_uid)s
    AND id IN (SELECT id FROM placed WHERE moves)
), inserted AS (
    INSERT INTO training_performance
        (workload_uid, data_source, pod_uuid, serial, iteration, created_at, performance)
    SELECT %(workload_uid)s, %(data_source)s, pod_uuid, serial, iteration, created_at, performance
    FROM placed
    WHERE id IS NULL OR moves
    ORDER BY place, serial, iteration, ordinal
)
SELECT count(*) FILTER (WHERE id IS NULL), count(*) FILTER (WHERE differs)
FROM placed
"""


def _store(cursor: Cursor, target: dict[str, str]) -> tuple[int, int]:
    """Store ``incoming``; return how many records were inserted and how many replaced."""
    cursor.execute(STORE_RECORDS, target)
    ((inserted, replaced),) = cursor.fetchall()
    return inserted, replaced


def _format_rows(batch: Sequence[Record]) -> io.StringIO:
    rows = io.StringIO()
    csv.writer(rows).writerows(
        (position, *record.key, record.created_at and record.created_at.isoformat(), _dump(record))
        for position, record in enumerate(batch)
    )
    rows.seek(0)
    return rows


def _dump(record: Record) -> str:
    return json.dumps(record.performance, ensure_ascii=False, allow_nan=False)
