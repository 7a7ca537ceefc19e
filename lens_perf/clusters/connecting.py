"""Opens connections to a cluster: the DSN, the source of the password, and network timeouts."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, named in lower case by the driver
from psycopg2.extensions import parse_dsn

from lens_perf.errors import ConfigError
from lens_perf.settings import ClusterSettings

# The kernel notices a vanished peer 2 seconds after sending to it, or after about 20 seconds of silence. A busy peer is
# not affected, because its kernel acknowledges.
NETWORK_LIMITS = {
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "2000",
}
# The keywords that determine the database, the role and the search path, and the variables from which libpq takes those
# that are missing.
IDENTITY = {
    "host": "PGHOST",
    "hostaddr": "PGHOSTADDR",
    "port": "PGPORT",
    "dbname": "PGDATABASE",
    "user": "PGUSER",
    "options": "PGOPTIONS",
    "service": "PGSERVICE",
    "servicefile": "PGSERVICEFILE",
}


def read_connection_arguments(where: str, settings: ClusterSettings, connect_seconds: int) -> Mapping[str, str]:
    """Return libpq's keywords for a cluster; the DSN overrides the limits set here.

    Raises ConfigError, which names ``where`` and the key but never a value: libpq's own message would quote it.
    """
    given = _parse_dsn(where, settings)
    limits = {"connect_timeout": str(connect_seconds), "fallback_application_name": "lens_perf", **NETWORK_LIMITS}
    return {**limits, **_read_password(where, settings), **given, "client_encoding": "UTF8"}


def identify_database(where: str, settings: ClusterSettings) -> str:
    """Return a digest of the address of a cluster's database and of the role, from which neither can be read.

    Raises ConfigError, as ``read_connection_arguments`` does.
    """
    given = _parse_dsn(where, settings)
    values = [given.get(keyword, os.environ.get(variable)) for keyword, variable in IDENTITY.items()]
    return hashlib.blake2b(json.dumps(values).encode(), digest_size=16).hexdigest()


def _parse_dsn(where: str, settings: ClusterSettings) -> Mapping[str, str]:
    try:
        given: Mapping[str, str] = parse_dsn(settings.dsn)
    except (psycopg2.Error, UnicodeError):
        raise ConfigError(
            f"{where}.dsn: expected a libpq connection string, as key=value pairs or postgresql://"
        ) from None
    return given


def connect(where: str, settings: ClusterSettings, connect_seconds: int) -> Connection:
    """Open a connection to a cluster in autocommit mode.

    The password is read for each connection, so that a changed file takes effect. Raises psycopg2.Error and
    ConfigError.
    """
    arguments: dict[str, Any] = dict(read_connection_arguments(where, settings, connect_seconds))
    connection: Connection = psycopg2.connect(**arguments)
    connection.autocommit = True
    return connection


def _read_password(where: str, settings: ClusterSettings) -> Mapping[str, str]:
    sources = [key for key in ("password", "password_file", "password_env") if getattr(settings, key) is not None]
    if len(sources) > 1:
        raise ConfigError(f"{where}: expected only one of {' and '.join(sources)}")
    if settings.password_file is not None:
        return {"password": _read_password_file(where, Path(settings.password_file))}
    if settings.password_env is not None:
        if settings.password_env not in os.environ:
            raise ConfigError(f"{where}.password_env: the environment variable it names is not set")
        return {"password": os.environ[settings.password_env]}
    return {} if settings.password is None else {"password": settings.password}


def _read_password_file(where: str, path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as file:
            password = file.readline().rstrip("\r\n")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{where}.password_file: expected a readable text file") from None
    if "\0" in password:
        raise ConfigError(f"{where}.password_file: expected a password without NUL characters")
    return password
