"""Stores records so that repeating an import changes nothing: in batches, each one transaction."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - likewise

from lens_perf.ingest.records import Record

BATCH_SIZE = 5000


@dataclass
class WriteSummary:
    """How many records were new, replaced one that differed, or were there already."""

    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0

    def format(self) -> str:
        """Return one line that tells the counts."""
        return f"wrote {self.inserted} new records, replaced {self.replaced}, left {self.unchanged} unchanged"


def write_records(
    connection: Connection, workload_uid: str, data_source: str, records: Iterable[Record]
) -> WriteSummary:
    """Store ``records`` of one workload and data source.

    A record is known by its serial and iteration. One that is stored already stays as it is if its performance is the
    same; else it is deleted and inserted anew, keeping its ``created_at``. Raises psycopg2.Error; the batches before
    stay stored, and writing the same records again completes them.
    """
    connection.autocommit = False
    summary = WriteSummary()
    remaining = iter(records)
    while batch := list(islice(remaining, BATCH_SIZE)):
        with connection, connection.cursor() as cursor:
            _write_batch(cursor, {"workload_uid": workload_uid, "data_source": data_source}, batch, summary)
    return summary


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
    created_at  timestamptz,
    performance jsonb
) ON COMMIT DROP
"""

COPY_INCOMING = "COPY incoming FROM STDIN WITH (FORMAT csv)"

ANALYZE_INCOMING = "ANALYZE incoming"

# Which stored record an incoming one is. Other writers leave serial NULL where nothing was restarted.
SAME_RECORD = """
    stored.workload_uid = %(workload_uid)s
    AND stored.data_source = %(data_source)s
    AND stored.iteration = incoming.iteration
    AND coalesce(stored.serial, 0) = incoming.serial
"""

REPLACE_RECORDS = f"""
/* lens_perf: replace_records */
WITH outdated AS (
    DELETE FROM training_performance AS stored
    USING incoming
    WHERE {SAME_RECORD}
    AND stored.performance IS DISTINCT FROM incoming.performance
    RETURNING incoming.position, stored.created_at, stored.pod_uuid
)
INSERT INTO training_performance
    (workload_uid, data_source, pod_uuid, serial, iteration, created_at, performance)
SELECT DISTINCT ON (incoming.position) %(workload_uid)s, %(data_source)s, outdated.pod_uuid, incoming.serial,
    incoming.iteration, outdated.created_at, incoming.performance
FROM incoming
JOIN outdated USING (position)
ORDER BY incoming.position, outdated.created_at
"""  # noqa: S608 - the fragment is a constant

INSERT_RECORDS = f"""
/* lens_perf: insert_records */
INSERT INTO training_performance (workload_uid, data_source, serial, iteration, created_at, performance)
SELECT %(workload_uid)s, %(data_source)s, serial, iteration, created_at, performance
FROM incoming
WHERE NOT EXISTS (SELECT FROM training_performance AS stored WHERE {SAME_RECORD})
ORDER BY position
"""  # noqa: S608 - the fragment is a constant


def _write_batch(cursor: Cursor, target: dict[str, str], batch: list[Record], summary: WriteSummary) -> None:
    # Two imports of one workload at once wait for each other, so that neither misses what the other stores.
    cursor.execute(LOCK_WORKLOAD, target)
    cursor.execute(CREATE_INCOMING)
    cursor.copy_expert(COPY_INCOMING, _format_rows(batch))
    cursor.execute(ANALYZE_INCOMING)
    cursor.execute(REPLACE_RECORDS, target)
    replaced = cursor.rowcount
    cursor.execute(INSERT_RECORDS, target)
    summary.replaced += replaced
    summary.inserted += cursor.rowcount
    summary.unchanged += len(batch) - replaced - cursor.rowcount


def _format_rows(batch: list[Record]) -> io.StringIO:
    rows = io.StringIO()
    csv.writer(rows).writerows(
        (position, record.serial, record.iteration, record.created_at and record.created_at.isoformat(), _dump(record))
        for position, record in enumerate(batch)
    )
    rows.seek(0)
    return rows


def _dump(record: Record) -> str:
    # JSONB holds no NUL character, and no log means one.
    return json.dumps(record.performance, ensure_ascii=False, allow_nan=False).replace("\\u0000", "")
