"""Finds what keeps the service from reading the table, or limits it, for ``check-config``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver

# Names of types depend on a setting of the role.
SELECT_CONDITIONS = """
/* lens_perf: find_conditions */
SET LOCAL quote_all_identifiers = off;
SELECT relation.relkind::text AS kind,
    (
        SELECT format_type(atttypid, NULL)
        FROM pg_attribute
        WHERE attrelid = relation.oid
        AND attname = 'created_at'
        AND NOT attisdropped
    ) AS time_type,
    current_setting('server_encoding') AS encoding,
    role.rolconnlimit AS role_limit,
    database.datconnlimit AS database_limit,
    current_setting('max_connections')::int
        - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0) AS server_limit
FROM pg_class AS relation
CROSS JOIN pg_roles AS role
CROSS JOIN pg_database AS database
WHERE relation.oid = to_regclass('training_performance')
AND role.rolname = current_user
AND database.datname = current_database()
ORDER BY relation.oid
"""

# The category distinguishes texts and enums from other types. For a domain, the type is the one that it restricts.
SELECT_COLUMNS = """
/* lens_perf: find_wrong_columns */
SET LOCAL quote_all_identifiers = off;
SELECT attname::text AS name, format_type(coalesce(nullif(typbasetype, 0), pg_type.oid), NULL) AS type,
    typcategory::text AS category
FROM pg_attribute
JOIN pg_type
ON pg_type.oid = atttypid
WHERE attrelid = to_regclass('training_performance')
AND attnum > 0
AND NOT attisdropped
ORDER BY attnum
"""

TABLE_KINDS = frozenset({"r", "p", "m"})
TIME_ZONED = "timestamp with time zone"
TIMES = frozenset({TIME_ZONED, "timestamp without time zone"})
INTEGERS = frozenset({"smallint", "integer", "bigint"})
TEXT_CATEGORY, ENUM_CATEGORY = "S", "E"
UTF8 = "UTF8"
NO_LIMIT = -1


@dataclass(frozen=True)
class Requirement:
    """The types that a column may have: those named, and those of the named categories of PostgreSQL."""

    usual: str
    types: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()

    def admits(self, type_name: str, category: str) -> bool:
        """Return whether the service can read a column of this type."""
        return type_name in self.types or category in self.categories


# The columns that the service reads.
REQUIREMENTS: Mapping[str, Requirement] = {
    "id": Requirement("integer", INTEGERS),
    "performance": Requirement("jsonb", frozenset({"jsonb"})),
    "iteration": Requirement("integer", INTEGERS),
    "created_at": Requirement(TIME_ZONED, TIMES),
    "serial": Requirement("integer", INTEGERS),
    "workload_uid": Requirement("character varying or text", categories=frozenset({TEXT_CATEGORY})),
    "data_source": Requirement("an enum or text", categories=frozenset({TEXT_CATEGORY, ENUM_CATEGORY})),
}


@dataclass(frozen=True)
class Conditions:
    """Properties of the table, the database and the role.

    ``kind`` is a ``relkind`` of PostgreSQL, ``time_type`` the type of ``created_at``, None if the column is missing.
    The limits are numbers of connections; for roles and databases, -1 means no limit.
    """

    kind: str
    time_type: str | None
    encoding: str
    role_limit: int
    database_limit: int
    server_limit: int


def find_conditions(connection: Connection) -> Conditions:
    """Return the properties of the cluster, whose table must exist. Raises psycopg2.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_CONDITIONS)
        (row,) = cursor.fetchall()
        return Conditions(*row)


def find_obstacle(conditions: Conditions) -> str | None:
    """Return the reason why most of the API cannot work, and what to change; None if there is none."""
    if conditions.kind not in TABLE_KINDS:
        return (
            "training_performance is a view or a foreign table: data, iteration-times, available and progress need the "
            "system column xmin, which only a table has; let the search_path of the role lead to the table itself"
        )
    return None


def find_wrong_columns(connection: Connection) -> list[str]:
    """Return a finding for each column that the service reads and that is missing or has an unsuitable type.

    The table must exist. Raises psycopg2.Error.
    """
    with connection.cursor() as cursor:
        cursor.execute(SELECT_COLUMNS)
        present = {name: (type_name, category) for name, type_name, category in cursor.fetchall()}
    missing = [
        f"column {name} is missing: add it with ALTER TABLE training_performance ADD COLUMN; its type is {each.usual}"
        for name, each in REQUIREMENTS.items()
        if name not in present
    ]
    return missing + [
        f"column {name} is of the type {present[name][0]}, which the service cannot read: it must be {each.usual}"
        for name, each in REQUIREMENTS.items()
        if name in present and not each.admits(*present[name])
    ]


def list_warnings(conditions: Conditions, connections: int) -> Iterator[str]:
    """Yield a warning for each limitation. ``connections`` is the maximum number that all workers may open."""
    if conditions.time_type not in {TIME_ZONED, None}:
        yield f"created_at is of the type {conditions.time_type}: the service takes its times for UTC"
    if conditions.encoding != UTF8:
        yield (
            f"its encoding is {conditions.encoding}: names with characters that it lacks are answered 400, "
            "and text that is not UTF-8 cannot be returned"
        )
    limits = {
        "the CONNECTION LIMIT of the role": conditions.role_limit,
        "the CONNECTION LIMIT of the database": conditions.database_limit,
        "max_connections, less those reserved,": conditions.server_limit,
    }
    for name, limit in limits.items():
        if NO_LIMIT < limit < connections:
            yield (
                f"{name} is {limit}, below the {connections} connections that the workers may open "
                "(workers x pool.size): some requests will get 503"
            )
