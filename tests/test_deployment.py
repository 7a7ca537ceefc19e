"""Files that operators install with the service: the role of roles.sql, and the systemd units."""

import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
import requests

from lens_perf.access.token_file import create_token, load_tokens, revoke_token
from lens_perf.capacity import count_tasks
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import Row, Store, running_app
from tests.documented.blocks import find_blocks
from tests.faults import wait_until
from tests.front.jail import Jail, need_jail
from tests.front.programs import find_program, needs, open_directory
from tests.test_serving import free_port, wait_for

CONFIG = Path(__file__).parent.parent / "config"
UNIT = CONFIG / "lens_perf@.service"
LENS_PERF = f"{sys.executable} -m lens_perf"
PASSWORD = 'it\'s "hunter2"'


def run_roles(postgres: EmbeddedPostgres, role: str, *arguments: str) -> str:
    """Run roles.sql as its first lines explain; return its output."""
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
    """A role created twice, with a name that needs quoting."""
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
    """Neither with its default settings nor after it has reset its own limits."""
    with closing(psycopg2.connect(postgres.dsn("alpha", role))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for _ in range(2):
            with pytest.raises(psycopg2.Error, match=r"read-only|permission denied|must be owner"):
                cursor.execute(statement)
            cursor.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(statement)


def test_the_limits_of_the_role(postgres: EmbeddedPostgres, role: str) -> None:
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


def test_privileges_of_public_are_reported(postgres: EmbeddedPostgres, role: str) -> None:
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
def test_a_unit_is_valid_and_restricted(tmp_path: Path, template: str, instance: str, command: str) -> None:
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


def find_recipe(words: str) -> str:
    """Return the code block of docs/deployment.rst that contains ``words``."""
    (text,) = [each.text for each in find_blocks(CONFIG.parent / "docs/deployment.rst") if words in each.text]
    return text


def run_recipe(directory: Path, lines: list[str]) -> None:
    """Run the lines of a recipe in ``directory``."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("LENS_PERF_")}
    command = ["bash", "-euc", "\n".join(lines)]
    ended = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("lens_")


def test_the_documented_commands_install_settings_and_a_token(tmp_path: Path) -> None:
    (tmp_path / "lens_perf.toml").write_text(find_recipe('password_file = "alpha-password"'), "utf-8")
    (tmp_path / "alpha-password").write_text("secret\n", "utf-8")
    recipe = find_recipe("systemd-sysusers").replace("/usr/local/lib/lens_perf/.venv/bin/lens-perf", LENS_PERF)
    recipe = recipe.replace("-g lens_perf-config", "").replace("/etc/lens_perf", f"{tmp_path}/installed")
    run_recipe(tmp_path, re.findall(r"^install .*|^.* token create .*", recipe, re.MULTILINE))
    installed = tmp_path / "installed"
    assert [token.name for token in load_tokens(installed / "tokens.toml")] == ["grafana"]
    assert (installed / "tokens.toml").stat().st_mode & 0o777 == 0o640
    assert (
        load_settings(installed / "lens_perf.toml", {}).clusters["alpha"].password_file == f"{installed}/alpha-password"
    )
    assert (installed / "alpha-password").read_text("utf-8") == "secret\n"


def test_the_documented_command_creates_the_token_file_of_a_secret(tmp_path: Path) -> None:
    (tmp_path / "config/kubernetes").mkdir(parents=True)
    shutil.copy(CONFIG / "kubernetes/lens_perf.toml", tmp_path / "config/kubernetes")
    recipe = find_recipe("kubectl apply -k").replace("\\\n", "").replace("lens-perf token", f"{LENS_PERF} token")
    run_recipe(tmp_path, re.findall(r"^.* token create .*", recipe, re.MULTILINE))
    assert [token.name for token in load_tokens(tmp_path / "tokens.toml")] == ["grafana"]


@pytest.fixture
def reading_group(tmp_path: Path) -> int:
    """The id of the group that sysusers.conf creates."""
    program = find_program("systemd-sysusers")
    (tmp_path / "etc").mkdir()
    subprocess.run([program, f"--root={tmp_path}", CONFIG / "sysusers.conf"], check=True, capture_output=True)
    ((name, _, gid, members),) = [line.split(":") for line in (tmp_path / "etc/group").read_text().splitlines()]
    assert re.findall(r"^SupplementaryGroups=(.*)$", UNIT.read_text("utf-8"), re.MULTILINE) == [name]
    assert members == ""
    # systemd gives this name to the dynamic user, unless a group has it.
    assert name != UNIT.stem.partition("@")[0]
    return int(gid)


@needs("systemd-sysusers")
def test_the_service_reads_its_files_as_a_member_of_the_group(reading_group: int) -> None:
    """With the unit's user and group, the service notices changes of the token file by root."""
    need_jail()
    with open_directory() as directory:
        settings, tokens = directory / "lens_perf.toml", directory / "tokens.toml"
        settings.write_text('[clusters.alpha]\ndsn = ""\n[access]\ntoken_file = "tokens.toml"\n', "utf-8")
        for path, mode in ((directory, 0o750), (settings, 0o640)):
            path.chmod(mode)
            os.chown(path, 0, reading_group)
        revoked = create_token(tokens, "revoked", [], settings)
        with serve_as_the_unit(directory, reading_group) as address:
            wait_until(lambda: statuses(address, revoked) == {200})
            kept = create_token(tokens, "kept", [], settings)
            wait_until(lambda: statuses(address, kept) == {200})
            revoke_token(tokens, "revoked")
            wait_until(lambda: statuses(address, revoked) == {401})
            tokens.chmod(0o600)
            wait_until(lambda: "lens_perf_token_file_unreadable 1.0" in requests.get(f"{address}/metrics").text)
            assert statuses(address, revoked) == {401}
            assert statuses(address, kept) == {200}


@contextmanager
def serve_as_the_unit(directory: Path, group: int) -> Iterator[str]:
    """Serve as the unit's user and group do, with ``directory`` as /etc/lens_perf; systemd itself is not needed."""
    port = free_port()
    jail = Jail(
        binds={"/etc/lens_perf": directory, "/srv/lens_perf": CONFIG.parent},
        scratch={"/tmp": 64},
        groups=[group],
        variables={"LENS_PERF_CONFIG": "/etc/lens_perf/lens_perf.toml"},
    )
    command = [sys.executable, "-m", "gunicorn", "-c", "config/gunicorn.conf.py", "-b", f"127.0.0.1:{port}", "wsgi:app"]
    with jail.run(*command, cwd="/srv/lens_perf"):
        wait_for(port)
        yield f"http://127.0.0.1:{port}"


def statuses(address: str, secret: str) -> set[int]:
    """Return the statuses of enough requests for each worker to answer some."""
    headers = {"Authorization": f"Bearer {secret}"}
    return {requests.get(f"{address}/lens/v1/clusters", headers=headers, timeout=10).status_code for _ in range(20)}


def test_the_limit_of_tasks_follows_from_the_settings(write_settings: Callable[[str], Path]) -> None:
    unit = (CONFIG / "lens_perf@.service").read_text("utf-8")
    limit = re.search(r"^TasksMax=(\d+)$", unit, re.MULTILINE)
    assert limit is not None
    needed = count_tasks(load_settings(write_settings('[clusters.a]\ndsn = "host=x"'), {}), 2)
    assert int(limit.group(1)) >= 2 * needed
    assert f"is {needed} by default" in unit


def test_stopping_may_take_longer_than_a_request() -> None:
    stop = re.search(r"^TimeoutStopSec=(\d+)$", UNIT.read_text("utf-8"), re.MULTILINE)
    graceful = re.search(r"^graceful_timeout = (\d+)$", (CONFIG / "gunicorn.conf.py").read_text("utf-8"), re.MULTILINE)
    assert stop is not None
    assert graceful is not None
    assert int(stop.group(1)) > int(graceful.group(1)) > 30
