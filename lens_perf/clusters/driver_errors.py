"""Maps SQLSTATEs, and driver errors without one, to the service's own errors.

No text of the driver leaves this module: it may quote values or the DSN.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg2
from psycopg2.errorcodes import QUERY_CANCELED

from lens_perf.errors import (
    ClusterFailedError,
    ClusterMisconfiguredError,
    ClusterUnreachableError,
    ConfigError,
    ConnectionLimitError,
    InvalidParameterError,
    LensError,
    QueryFailedError,
    ResultTooLargeError,
)

log = logging.getLogger(__name__)

PAST_DEADLINE = "The query ran past its deadline; request fewer metrics, one data_source or a shorter time range"
UNREACHABLE = "Cluster {cluster} cannot be reached now; try again later"
NOT_SET_UP = "Cluster {cluster} is not set up for this service; ask its operator to run lens-perf check-config"
CONNECTION_LIMIT = (
    "Cluster {cluster} accepts no more connections; try again later, or ask its operator to raise the limit"
)
INTERNAL_ERROR = "Internal server error"


@dataclass(frozen=True)
class Rule:
    """The error for SQLSTATEs that begin with one of ``codes``; ``message`` may contain ``{cluster}``."""

    codes: tuple[str, ...]
    error: type[LensError]
    message: str


# https://www.postgresql.org/docs/current/errcodes-appendix.html; the first matching rule applies.
RULES: Sequence[Rule] = (
    Rule(("53300",), ConnectionLimitError, CONNECTION_LIMIT),
    Rule(
        ("53100",),
        ClusterFailedError,
        "Cluster {cluster} has no disk space left for the query; request less data, or try again later",
    ),
    Rule(
        ("53200",),
        ClusterFailedError,
        "Cluster {cluster} does not have enough memory for the query; request less data, or try again later",
    ),
    # insufficient resources: temp_file_limit
    Rule(("53",), ClusterFailedError, "The query exceeds a resource limit of cluster {cluster}; request less data"),
    # program limit exceeded: too many columns or arguments, a statement too complex
    Rule(("54",), ResultTooLargeError, "The query is too large for cluster {cluster}; request fewer metrics at once"),
    # untranslatable character
    Rule(
        ("22P05",),
        InvalidParameterError,
        "A parameter contains a character that the database of cluster {cluster} cannot store",
    ),
    # character not in repertoire: the service sends UTF-8, but a SQL_ASCII database may store anything
    Rule(
        ("22021",),
        ClusterFailedError,
        "The database of cluster {cluster} contains text that is not UTF-8; report this to its operator",
    ),
    # canceled: Cluster.read reports cancellation at the deadline; earlier, an administrator canceled the query
    Rule(("57014",), ClusterFailedError, "Cluster {cluster} canceled the query; try again"),
    # transaction rollback: a standby's replay came first, or a deadlock; lock not available
    Rule(
        ("40", "55P03"),
        ClusterFailedError,
        "The query conflicted with other work in cluster {cluster}; try again in a moment",
    ),
    # connection exception; operator intervention: shutdown, crash, still starting; the primary became a standby
    Rule(("08", "57P", "25006"), ClusterUnreachableError, UNREACHABLE),
    # system error outside PostgreSQL, damaged data or index
    Rule(
        ("58", "XX001", "XX002"),
        ClusterFailedError,
        "Cluster {cluster} failed to read its own files; report this to its operator",
    ),
    # invalid authorization; no such database, schema, table or column; privilege; a column's type; its enum
    Rule(
        ("28", "3D", "3F", "42501", "42P01", "42703", "42804", "42883", "22P02"),
        ClusterMisconfiguredError,
        NOT_SET_UP,
    ),
)

# libpq gives no SQLSTATE for a refused connection, only the server's text, here that of English servers and of
# PgBouncer. A refusal in another language counts as unreachable.
REFUSALS: Sequence[tuple[re.Pattern[str], type[LensError], str]] = (
    (
        re.compile(r"too many (?:clients|connections)|connection slots are reserved|no more connections allowed"),
        ConnectionLimitError,
        CONNECTION_LIMIT,
    ),
    (
        re.compile(
            r"authentication failed|no password supplied|no pg_hba\.conf entry|not permitted to log in"
            r"|(?:database|role) \"[^\n]*\" does not exist|permission denied for database|no such (?:database|user)"
        ),
        ClusterMisconfiguredError,
        NOT_SET_UP,
    ),
)


def translate(cluster: str, error: psycopg2.Error | ConfigError) -> LensError:
    """Return the LensError for a driver error of ``cluster``, or for a missing password source.

    Logs the SQLSTATE and the message it became.
    """
    translated = make_error(cluster, error)
    if isinstance(error, ConfigError):
        log.warning("%s", error.message)
    else:
        kind, code = type(error).__name__, error.pgcode or "none"
        log.warning("cluster %s: %s, SQLSTATE %s: %s", cluster, kind, code, translated.message)
    return translated


def make_error(cluster: str, error: psycopg2.Error | ConfigError, first: Sequence[Rule] = ()) -> LensError:
    """Return the LensError for a driver error of ``cluster``, or for a missing password source.

    The rules ``first`` apply before RULES.
    """
    if isinstance(error, ConfigError):
        return ClusterMisconfiguredError(NOT_SET_UP.format(cluster=cluster))
    kind, message = _classify(error, first)
    return kind(message.format(cluster=cluster))


def is_connection_limit(error: psycopg2.Error) -> bool:
    """Return whether the server answered that its connection limit is reached."""
    return _classify(error)[0] is ConnectionLimitError


def is_refusal(error: psycopg2.Error) -> bool:
    """Return whether the server answered, but refused the connection: at a limit, or for its credentials."""
    return _classify(error)[0] is not ClusterUnreachableError


def is_canceled(error: psycopg2.Error) -> bool:
    """Return whether the server canceled the statement: at its timeout, or on request."""
    return error.pgcode == QUERY_CANCELED


def _classify(error: psycopg2.Error, first: Sequence[Rule] = ()) -> tuple[type[LensError], str]:
    if error.pgcode:
        return next(
            ((rule.error, rule.message) for rule in (*first, *RULES) if error.pgcode.startswith(rule.codes)),
            (QueryFailedError, INTERNAL_ERROR),
        )
    if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        refused = ((kind, message) for pattern, kind, message in REFUSALS if pattern.search(str(error)))
        return next(refused, (ClusterUnreachableError, UNREACHABLE))
    return QueryFailedError, INTERNAL_ERROR
