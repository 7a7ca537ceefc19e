"""Turns what the driver raises into the service's own errors, so that no text of the driver goes any further."""

import logging

import psycopg2

from lens_perf.errors import (
    ClusterMisconfiguredError,
    ClusterUnreachableError,
    ConfigError,
    DeadlineExceededError,
    LensError,
    QueryFailedError,
)

log = logging.getLogger(__name__)

PAST_DEADLINE = "The query ran past its deadline; ask for less: fewer metrics, one data_source, a shorter time range"
QUERY_CANCELED = "57014"
# SQLSTATE classes and codes, https://www.postgresql.org/docs/current/errcodes-appendix.html
UNREACHABLE = (
    "08",  # connection exception
    "53",  # insufficient resources: connections, memory, disk
    "57P",  # operator intervention: shutdown, crash, still starting
    "58",  # system error outside PostgreSQL
    "40",  # transaction rollback: a standby's replay came first, or a deadlock
    "55P03",  # lock not available
    "25006",  # the server has become a read-only standby
)
MISCONFIGURED = (
    "28",  # invalid authorisation
    "3D",  # no such database
    "3F",  # no such schema
    "42501",  # insufficient privilege
    "42P01",  # no such table
    "42703",  # no such column
    "42804",  # a column of another type than the service expects
    "42883",  # likewise, seen as an operator that does not exist
    "22P02",  # the column's enum lacks a data source
)


def translate(cluster: str, error: psycopg2.Error | ConfigError) -> LensError:
    """Return the LensError for what the driver raised while it worked with ``cluster``, or for a lost password source.

    Logs the SQLSTATE, which tells an operator what happened; the driver's text may quote values or the DSN.
    """
    if isinstance(error, ConfigError):
        log.warning("%s", error.message)
        return _misconfigured(cluster)
    code = error.pgcode or ""
    log.warning("cluster %s: %s, SQLSTATE %s", cluster, type(error).__name__, code or "none")
    if code == QUERY_CANCELED:
        return DeadlineExceededError(PAST_DEADLINE)
    if code.startswith(MISCONFIGURED):
        return _misconfigured(cluster)
    # Without a code, libpq lost or never made the connection; a wrong password is told this way, too.
    if code.startswith(UNREACHABLE) or (
        not code and isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError))
    ):
        return ClusterUnreachableError(f"Cluster {cluster} cannot be reached now; try again later")
    return QueryFailedError("Internal server error")


def _misconfigured(cluster: str) -> LensError:
    return ClusterMisconfiguredError(f"Cluster {cluster} is not set up for this service; tell its operator")
