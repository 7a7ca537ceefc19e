"""What operators install beside the service: the role of roles.sql, and the systemd units."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, running_app
from tests.front.programs import find_program, needs

CONFIG = Path(__file__).parent.parent / "config"
PASSWORD = 'it\'s "hunter2"'


def run_roles(postgres: EmbeddedPostgres, role: str, *arguments: str) -> str:
    """Run roles.sql as its first lines say; return what it prints."""
    command = [str(postgres.bin_dir / "psql"), "-X", "-q", "-t", *arguments, "-v", f"role={role}", "-f"]
    environment = {**os.environ, "LENS_PERF_ROLE_PASSWORD": PASSWORD}
    ended = subprocess.run(
        [*command, str(CONFIG / "roles.sql"), postgres.dsn("alpha")],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "hunter2" not in ended.stdout
    return ended.stdout


@pytest.fixture
def role(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A role made twice, under a name that needs quoting."""
    name = f'Reader "{uuid.uuid4().hex[:8]}"'
    run_roles(postgres, name)
    run_roles(postgres, name)
    yield name
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        quoted = '"' + name.replace('"', '""') + '"'
        cursor.execute(f"DROP OWNED BY {quoted}; DROP ROLE {quoted}")
        connection.commit()


@pytest.fixture
def other_table(postgres: EmbeddedPostgres) -> Iterator[None]:
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE salaries (name text)")
        connection.commit()
        yield
        cursor.execute("DROP TABLE salaries")
        connection.commit()


def test_the_service_works_with_the_role(
    postgres: EmbeddedPostgres, role: str, write_settings: Callable[[str], Path], store: Store, uid: str
) -> None:
    store(uid, [Row({"loss": 1})])
    with running_app(write_settings(f"[clusters.alpha]\ndsn = '''{postgres.dsn('alpha', role)}'''")) as app:
        for endpoint in ("sources", "available", "data", "iteration-times"):
            response = app.test_client().get(f"/lens/v1/workloads/{uid}/metrics/{endpoint}")
            assert response.status_code == 200
            assert b"1" in response.data
        assert app.test_client().get("/readyz").status_code == 200


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO training_performance DEFAULT VALUES",
        "UPDATE training_performance SET iteration = 0",
        "DELETE FROM training_performance",
        "TRUNCATE training_performance",
        "SELECT nextval('training_performance_id_seq')",
        "CREATE TABLE mine (name text)",
        "ALTER TABLE training_performance ADD mine text",
        "SELECT * FROM salaries",
        "CREATE ROLE another",
        "COPY training_performance TO PROGRAM 'cat'",
    ],
)
@pytest.mark.usefixtures("other_table")
def test_the_role_may_do_nothing_else(postgres: EmbeddedPostgres, role: str, statement: str) -> None:
    """Neither as it comes nor after it has laid down its own bounds."""
    with closing(psycopg2.connect(postgres.dsn("alpha", role))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(2):
            with pytest.raises(psycopg2.Error, match=r"read-only|permission denied|must be owner"):
                cursor.execute(statement)
            cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


def test_the_bounds_of_the_role(postgres: EmbeddedPostgres, role: str) -> None:
    with closing(psycopg2.connect(postgres.dsn("alpha", role))) as connection, connection.cursor() as cursor:
        for name, value in (("default_transaction_read_only", "on"), ("statement_timeout", "1min")):
            cursor.execute(f"SHOW {name}")
            assert cursor.fetchone() == (value,)
        cursor.execute(
            "SELECT rolconnlimit, rolsuper, rolcreatedb, rolcreaterole FROM pg_roles WHERE rolname = %s", (role,)
        )
        assert cursor.fetchone() == (40, False, False, False)
    run_roles(postgres, role, "-v", "connections=3")
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT rolconnlimit, rolpassword FROM pg_authid WHERE rolname = %s", (role,))
        limit, secret = cursor.fetchone() or (None, "")
        assert (limit, secret.partition("$")[0]) == (3, "SCRAM-SHA-256")


def test_what_everybody_may_is_told(postgres: EmbeddedPostgres, role: str) -> None:
    assert "temporary tables" in run_roles(postgres, role)
    assert "create tables in public" not in run_roles(postgres, role)


@needs("systemd-analyze")
@pytest.mark.parametrize(
    ("template", "instance", "command"),
    [
        ("lens_perf@.service", "lens_perf@8081.service", "gunicorn"),
        ("lens_perf-watch.service", "lens_perf-watch.service", "lens-perf"),
    ],
)
def test_a_unit_is_accepted_and_tight(tmp_path: Path, template: str, instance: str, command: str) -> None:
    program, installed = find_program("systemd-analyze"), f"/usr/local/lib/lens_perf/.venv/bin/{command} "
    text = (CONFIG / template).read_text("utf-8")
    assert text.count(installed) == 1
    (tmp_path / template).write_text(text.replace(installed, f"{Path(sys.executable).with_name(command)} "), "utf-8")
    unit = tmp_path / instance
    if instance != template:
        shutil.copy(tmp_path / template, unit)
    verified = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    complaints = [line for line in verified.stderr.splitlines() if "lens_perf" in line]
    assert (verified.returncode, complaints) == (0, [])
    rating = [program, "security", "--offline=yes", "--threshold=20", "--no-pager", unit]
    rated = subprocess.run(rating, capture_output=True, text=True, check=False)
    assert rated.returncode == 0, rated.stdout


def test_stopping_takes_longer_than_a_request_may() -> None:
    stop = re.search(r"^TimeoutStopSec=(\d+)$", (CONFIG / "lens_perf@.service").read_text("utf-8"), re.MULTILINE)
    graceful = re.search(r"^graceful_timeout = (\d+)$", (CONFIG / "gunicorn.conf.py").read_text("utf-8"), re.MULTILINE)
    assert stop is not None
    assert graceful is not None
    assert int(stop.group(1)) > int(graceful.group(1)) > 30
