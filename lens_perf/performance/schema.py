"""Finds and creates the table and the recommended indexes in one cluster."""

from dataclasses import dataclass
from importlib.resources import files

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

TABLE = "training_performance"


@dataclass(frozen=True)
class Index:
    """A recommended index; ``columns`` has the format of PostgreSQL's ``pg_get_indexdef``."""

    name: str
    columns: str
    serves: str


RECOMMENDED_INDEXES = (
    Index("training_performance_data_source_idx", "data_source", "other users of the table"),
    Index(
        "training_performance_workload_source_iteration_idx",
        "workload_uid, data_source, iteration DESC",
        "every query about one workload",
    ),
    Index(
        "training_performance_workload_created_at_idx",
        "workload_uid, created_at, id",
        "time ranges, and data in order of time without a sort",
    ),
)

CREATE_TABLE = files(__package__).joinpath("schema.sql").read_text("utf-8")


def create_schema(connection: Connection) -> list[str]:
    """Create the table and the recommended indexes if they are missing; return the names of those created.

    Needs a connection outside a transaction, which it sets to autocommit. Raises psycopg2.Error.
    """
    connection.autocommit = True
    created = [] if has_table(connection) else [TABLE]
    with connection.cursor() as cursor:
        cursor.execute(CREATE_TABLE)
        for index in find_missing_indexes(connection):
            cursor.execute(_write_create_index(index))
            created.append(index.name)
    return created


def _write_create_index(index: Index) -> str:
    # A plain CREATE INDEX would block writers of the table.
    return f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {index.name} ON training_performance ({index.columns})"


SELECT_TABLE = """
/* lens_perf: has_table */
SELECT to_regclass('training_performance') IS NOT NULL
"""


def has_table(connection: Connection) -> bool:
    """Return whether the table exists. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_TABLE)
        (found,) = cursor.fetchone() or (False,)
        return bool(found)


SELECT_TABLE_READABLE = """
/* lens_perf: can_read_table */
SELECT has_table_privilege('training_performance', 'SELECT')
"""


def can_read_table(connection: Connection) -> bool:
    """Return whether the role may read the table, which must exist. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_TABLE_READABLE)
        (readable,) = cursor.fetchone() or (False,)
        return bool(readable)


# The text of a definition depends on a setting of the role.
SELECT_INDEXED_COLUMNS = r"""
/* lens_perf: find_missing_indexes */
SET LOCAL quote_all_identifiers = off;
SELECT substring(pg_get_indexdef(indexrelid) FROM E'USING btree \\((.*)\\)$') AS columns
FROM pg_index
WHERE indrelid = to_regclass('training_performance')
AND indisvalid
ORDER BY indexrelid
"""


def find_missing_indexes(connection: Connection) -> list[Index]:
    """Return the recommended indexes for which no index on the same columns exists. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_INDEXED_COLUMNS)
        present = {columns for (columns,) in cursor.fetchall()}
    return [index for index in RECOMMENDED_INDEXES if index.columns not in present]
