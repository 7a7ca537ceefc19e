"""TLS to PostgreSQL: the requirements of sslmode are met, or the cluster is unreachable, without details in answers."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from flask import Flask

from tests.conftest import Row, insert_rows, running_app
from tests.faults import frozen
from tests.front.programs import needs
from tests.front.tls_postgres import TlsPostgres, run_tls_postgres

pytestmark = needs("postgres", "openssl")

WriteSettings = Callable[[str], Path]
PATH = "/lens/v1/workloads/w/metrics"


@pytest.fixture(scope="module")
def server() -> Iterator[TlsPostgres]:
    with run_tls_postgres() as server:
        rows = [Row({f"metric_{name}": index / 7 for name in range(100)}, index) for index in range(300)]
        insert_rows(server.local_dsn(), "w", rows)
        yield server


@contextmanager
def app_over(write_settings: WriteSettings, dsn: str, deadline_seconds: float = 30) -> Iterator[Flask]:
    text = f'[limits]\ndeadline_seconds = {deadline_seconds}\n[pool]\nsize = 1\n[clusters.alpha]\ndsn = "{dsn}"'
    with running_app(write_settings(text)) as app:
        yield app


def ask_server(server: TlsPostgres, statement: str) -> list[tuple[object, ...]]:
    with closing(psycopg2.connect(server.local_dsn())) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall())


CONNECTIONS = """
SELECT pid, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'lens_perf'
"""


@pytest.mark.parametrize("words", ["", "sslmode=require", "sslmode=verify-ca {root}", "sslmode=verify-full {root}"])
def test_encrypted(server: TlsPostgres, write_settings: WriteSettings, words: str) -> None:
    dsn = server.dsn(words.format(root=f"sslrootcert={server.authority}"))
    with app_over(write_settings, dsn) as app:
        for _ in range(5):
            answer = app.test_client().get(f"{PATH}/data")
            assert answer.status_code == 200
            assert answer.json["total_count"] == len(answer.json["data"]) == 30_000
        # All requests used one connection, which is encrypted.
        assert [encrypted for _, encrypted in ask_server(server, CONNECTIONS)] == [True]


REFUSED = {
    "wrong authority": ("sslmode=verify-full sslrootcert={server.stranger}", "db.example.org"),
    "wrong name": ("sslmode=verify-full sslrootcert={server.authority}", "another.example.org"),
    "wrong authority, name unasked": ("sslmode=verify-ca sslrootcert={server.stranger}", "db.example.org"),
    "no authority": ("sslmode=verify-full sslrootcert=/nonexistent/root.crt", "db.example.org"),
    "no encryption": ("sslmode=disable", "db.example.org"),
}
DRIVER_WORDS = (
    "ssl",
    "certificate",
    "pg_hba",
    "127.0.0.1",
    "example.org",
    "nonexistent",
    "authority",
    "stranger",
    "postgres",
)


# A server that requires encryption has responded; in the other cases, the certificate is not trusted.
ANSWERS = dict.fromkeys(REFUSED, "Cluster alpha cannot be reached now") | {
    "no encryption": "Cluster alpha is not set up for this service"
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(
    server: TlsPostgres, write_settings: WriteSettings, case: str, caplog: pytest.LogCaptureFixture
) -> None:
    words, name = REFUSED[case]
    with app_over(write_settings, server.dsn(words.format(server=server), name)) as app:
        answer = app.test_client().get(f"{PATH}/sources")
    assert answer.status_code == 503
    assert answer.json["message"].startswith(ANSWERS[case])
    assert "cluster alpha: OperationalError" in caplog.text
    for word in DRIVER_WORDS:
        assert word not in answer.text.lower()
        assert word not in caplog.text.lower().replace("lens_perf", "")


def test_a_deadline_holds_over_tls(server: TlsPostgres, write_settings: WriteSettings) -> None:
    """The backend is frozen, so that only shutting the socket under OpenSSL can end the wait."""
    with app_over(write_settings, server.dsn("sslmode=require"), deadline_seconds=1) as app:
        assert app.test_client().get(f"{PATH}/sources").status_code == 200
        ((backend, _),) = ask_server(server, CONNECTIONS)
        with frozen(int(str(backend))):
            assert app.test_client().get(f"{PATH}/sources").status_code == 504
        assert app.test_client().get(f"{PATH}/sources").status_code == 200
