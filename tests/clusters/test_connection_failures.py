"""The explanations of failed connections: of real failures, and of the texts of libpq, servers and PgBouncer."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lens_perf.clusters.connection_failures import EXPLANATIONS, explain_failure
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.errors import LensError

SECRETS = "password=hunter2 application_name=hidden"


@pytest.fixture
def explain(write_settings: Callable[[str], Path], caplog: pytest.LogCaptureFixture) -> Callable[[str], str | None]:
    """Return the reason of the failure of a DSN, with a password and a name that must not be printed."""

    def fail(dsn: str) -> str | None:
        settings = load_settings(write_settings(f"[clusters.alpha]\ndsn = '''{dsn} {SECRETS}'''"), {})
        with (
            closing(ClusterRegistry(settings)) as registry,
            pytest.raises(LensError) as caught,
            registry.open_connection(None),
        ):
            pass
        assert caplog.text == ""
        printed = f"{caught.value.message} {caught.value.reason}"
        assert not [word for word in ("hunter2", "hidden", "127.0.0.1", "nowhere") if word in printed]
        return caught.value.reason

    return fail


@pytest.fixture
def silent_port() -> Iterator[int]:
    """The port of a listener that never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_real_failures(explain: Callable[[str], str | None], postgres18: EmbeddedPostgres, silent_port: int) -> None:
    assert explain("host=127.0.0.1 port=1") == "the connection was refused: nothing listens at this host and port"
    assert explain("host=/nowhere") == "there is no Unix socket at this path: is the server running here?"
    assert explain(f"host=127.0.0.1 port={silent_port}") == (
        "the connection timed out: the host or a firewall does not answer"
    )
    assert explain(postgres18.dsn("nowhere")) == "the database does not exist"
    assert explain(postgres18.dsn("alpha", "nowhere_role")) == "the role does not exist"
    assert explain("service=nowhere") == "the service that the DSN names is not defined"


def test_a_failure_after_the_connection_has_its_sqlstate(
    write_settings: Callable[[str], Path], postgres18: EmbeddedPostgres
) -> None:
    settings = load_settings(write_settings(f"[clusters.alpha]\ndsn = '''{postgres18.dsn('alpha')}'''"), {})
    with pytest.raises(LensError) as caught, ClusterRegistry(settings).open_connection(None) as connection:
        connection.cursor().execute("SELECT hunter2")
    assert caught.value.reason == "SQLSTATE 42703"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('could not translate host name "db" to address: Name or service not known', "cannot be resolved"),
        ('FATAL:  password authentication failed for user "lens"', "the role or the password was rejected"),
        ("fe_sendauth: no password supplied", "requires a password"),
        ('FATAL:  Peer authentication failed for user "lens"', "its authentication method failed"),
        ('FATAL:  database "timed out" does not exist', "the database does not exist"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1", user "a", database "b", no encryption', "does not admit"),
        ('FATAL:  role "lens" is not permitted to log in', "may not log in"),
        ("FATAL:  no such user", "the role does not exist"),
        ('FATAL:  permission denied for database "lens"', "may not connect to the database"),
        ("FATAL:  the database system is starting up", "starting up"),
        ("No route to host\n\tIs the server running on that host?", "no route"),
        ("received invalid response to SSL negotiation: H", "is not PostgreSQL"),
        ("SSL error: certificate verify failed", "is not trusted"),
        ('server certificate for "a" does not match host name "b"', "is not trusted"),
        ('root certificate file "/nowhere" does not exist', "sslrootcert"),
        ("server does not support SSL, but SSL was required", "encryption"),
        ('invalid port number: "999999"', "invalid value"),
    ],
)
def test_texts(text: str, words: str) -> None:
    explained = explain_failure(psycopg2.OperationalError(f'connection to server at "db" failed: {text}\n'))
    assert explained is not None
    assert words in explained


@given(st.text(max_size=300) | st.sampled_from(["timed out", "connection refused"]))
def test_no_text_is_quoted(text: str) -> None:
    assert explain_failure(psycopg2.OperationalError(text)) in {None, *(words for _, words in EXPLANATIONS)}
