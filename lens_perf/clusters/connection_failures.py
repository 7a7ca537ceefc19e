"""Explains to an operator why a connection failed, without any text of the driver, the DSN or the server."""

import re
from collections.abc import Sequence

import psycopg2

from lens_perf.errors import ConfigError

# Patterns of the texts of libpq, of English servers and of PgBouncer, and what they mean; the first match applies. An
# explanation is one of these texts as it is.
EXPLANATIONS: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"definition of service|service file", "the service that the DSN names is not defined"),
        (r"invalid port number|invalid \w+ value|invalid integer value", "the DSN has an invalid value"),
        (r"root certificate file", "the file of sslrootcert cannot be used"),
        (
            r"certificate verify failed|server certificate for",
            "the certificate of the server is not trusted, or does not match the host name",
        ),
        (r"server does not support ssl", "the server does not support encryption, which sslmode requires"),
        (
            r"invalid response to ssl|expected authentication request",
            "what answers at this host and port is not PostgreSQL",
        ),
        (r"could not translate host name|could not parse network address", "the name of the host cannot be resolved"),
        (r"on socket [^\n]* failed: permission denied", "this user has no access to the Unix socket"),
        (r"on socket [^\n]* failed: no such file", "there is no Unix socket at this path: is the server running here?"),
        (r"connection refused", "the connection was refused: nothing listens at this host and port"),
        (r"timeout expired|timed out", "the connection timed out: the host or a firewall does not answer"),
        (r"no route to host|(?:network|host) is unreachable", "the network has no route to the host"),
        (r"no password supplied", "the server requires a password, and the settings have none"),
        (r"password authentication failed|sasl authentication failed", "the role or the password was rejected"),
        (r"authentication failed", "the role was rejected: its authentication method failed"),
        (r"no pg_hba\.conf entry", "pg_hba.conf of the server does not admit this client, role and database"),
        (r"role \"[^\n]*\" does not exist|no such user", "the role does not exist"),
        (r"not permitted to log in", "the role may not log in"),
        (r"database \"[^\n]*\" does not exist|no such database", "the database does not exist"),
        (r"permission denied for database", "the role may not connect to the database"),
        (r"database system is", "the server is starting up, shutting down or recovering"),
        (r"server closed the connection", "the server closed the connection"),
    )
)
QUOTED = re.compile(r'"[^"\n]*"')


def explain_failure(error: psycopg2.Error | ConfigError) -> str | None:
    """Return a text of EXPLANATIONS, the SQLSTATE, or the message about a password source; None if unknown."""
    if isinstance(error, ConfigError):
        return error.message
    if error.pgcode:
        return f"SQLSTATE {error.pgcode}"
    # A name of a database, a role or a host may contain any words.
    text = QUOTED.sub('""', str(error))
    return next((words for pattern, words in EXPLANATIONS if pattern.search(text)), None)
