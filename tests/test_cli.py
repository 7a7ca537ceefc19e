"""The ``lens-perf`` command as a user runs it."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner, Result

from lens_perf import __version__
from lens_perf.access.token_file import create_token
from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.schema import RECOMMENDED_INDEXES
from tests.conftest import READER, two_clusters
from tests.front.programs import open_directory

Run = Callable[..., Result]
LOG = """\
 [2026-05-22 02:11:05.696508] iteration    14001/   15550 | consumed samples:      4704336 | lm loss: 2.399058E+00 |
 something else
 [2026-05-22 02:11:07.408737] iteration    14002/   15550 | consumed samples:      4704672 | lm loss: 2.406709E+00 |
"""


@pytest.fixture
def run() -> Run:
    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(argument) for argument in arguments], catch_exceptions=False)

    return invoke


@pytest.fixture
def new_database(postgres18: EmbeddedPostgres, uid: str) -> Iterator[str]:
    """The DSN of a new database."""
    with closing(psycopg2.connect(postgres18.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f'CREATE DATABASE "{uid}"')
        yield postgres18.dsn(uid)
        cursor.execute(f'DROP DATABASE "{uid}" WITH (FORCE)')


@pytest.fixture
def settings(new_database: str, write_settings: Callable[[str], Path]) -> Path:
    return write_settings(f'[clusters.new]\ndsn = "{new_database}"')


def schema_of(dsn: str) -> list[tuple[str, ...]]:
    """Return all columns, indexes and types that are not part of PostgreSQL."""
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        cursor.execute("""
            SELECT table_name, column_name, udt_name::text, column_default FROM information_schema.columns
            WHERE table_schema = 'public'
            UNION ALL SELECT tablename, indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public'
            UNION ALL SELECT typname, '', '', '' FROM pg_type WHERE typnamespace = 'public'::regnamespace
            ORDER BY 1, 2
        """)
        return cursor.fetchall()


def test_help_and_version(run: Run) -> None:
    assert __version__ in run("--version").output
    for command in ((), ("db",), ("import",), ("check-config",), ("db", "init"), ("demo",)):
        result = run(*command, "--help")
        assert (result.exit_code, "Usage:" in result.output) == (0, True)


def test_check_config(run: Run, postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]) -> None:
    result = run("check-config", write_settings(two_clusters(postgres18)))
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "Settings: valid",
        "2 workers: up to 93 processes and threads, and 16 connections to each cluster",
        "alpha: ready",
        "  reachable, has the table",
        "beta: ready",
        "  reachable, has the table",
        "unreachable: NOT READY",
        "  the connection was refused: nothing listens at this host and port",
        "without_table: NOT READY",
        "  table training_performance is missing: create it with lens-perf db init",
        "without_database: NOT READY",
        "  the database does not exist",
    ]


def test_check_config_by_variable(run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LENS_PERF_CONFIG", str(settings))
    result = run("check-config").output
    assert result.startswith("Settings: valid\n")
    assert "\nnew: NOT READY" in result
    monkeypatch.delenv("LENS_PERF_CONFIG")
    assert run("check-config", "--config", settings).output == result
    both = run("check-config", settings, "--config", settings)
    assert (both.exit_code, both.output) == (2, "lens-perf: Give either FILE or --config, not both\n")


@pytest.mark.parametrize("workers", ["abc", "0", "-1", "", "²"])
def test_check_config_of_an_invalid_number_of_workers(
    run: Run, settings: Path, monkeypatch: pytest.MonkeyPatch, workers: str
) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", workers)
    result = run("check-config", settings)
    words = "lens-perf: WEB_CONCURRENCY: expected a whole number of at least 1: gunicorn's worker processes\n"
    assert (result.exit_code, result.output) == (2, words)


def test_check_config_of_bad_settings(run: Run, write_settings: Callable[[str], Path]) -> None:
    path = write_settings("[clusters.alpha]\ndns = 'password=hunter2'")
    result = run("check-config", path)
    assert result.exit_code == 2
    assert result.output.startswith(f"lens-perf: {path}: clusters.alpha.dns: is not a setting; expected one of dsn,")
    assert "hunter2" not in result.output


def test_check_config_of_the_token_file(run: Run, write_settings: Callable[[str], Path], uid: str) -> None:
    with open_directory() as directory:
        path = write_settings(f'[clusters.alpha]\ndsn = "host=/{uid}"\n[access]\ntoken_file = "{directory}/t.toml"')
        missing = run("check-config", path)
        assert (missing.exit_code, "cannot be read: No such file" in missing.output) == (2, True)
        create_token(directory / "t.toml", "one", ["alpha", "gone"])
        lines = [
            "Settings: valid",
            "Token file: valid, 1 token",
            "  warning: a token names the unknown cluster gone",
        ]
        assert run("check-config", path).output.splitlines()[:3] == lines
        (directory / "t.toml").chmod(0o666)
        warning = f"  warning: {directory}/t.toml: others can write it: chmod go-w"
        checked = run("check-config", path)
        assert checked.output.splitlines()[:4] == [*lines[:2], warning, lines[2]]
        assert (checked.exit_code, "alpha: NOT READY" in checked.output) == (1, True)
        (directory / "t.toml").write_text("[tokens")
        bad = run("check-config", path)
        assert (bad.exit_code, "is not valid TOML (at " in bad.output) == (2, True)


def test_tokens_of_a_service_without_tokens(run: Run, write_settings: Callable[[str], Path]) -> None:
    path = write_settings("[clusters.alpha]\ndsn = ''")
    result = run("token", "list", "--config", path)
    assert result.exit_code == 2
    assert f"{path}: this service uses no tokens; to use some, set access.token_file" in result.output


def test_a_role_that_may_not_read(
    run: Run, postgres18: EmbeddedPostgres, uid: str, settings: Path, write_settings: Callable[[str], Path]
) -> None:
    assert run("db", "init", "--cluster", "new", "--config", settings).exit_code == 0
    result = run("check-config", write_settings(f'[clusters.new]\ndsn = "{postgres18.dsn(uid, READER)}"'))
    assert (result.exit_code, "may not SELECT" in result.output) == (1, True)


def test_db_init(run: Run, settings: Path, new_database: str) -> None:
    first = run("db", "init", "--cluster", "new", "--config", settings)
    names = ["training_performance", *(index.name for index in RECOMMENDED_INDEXES)]
    assert first.output == f"new: created {', '.join(names)}\n"
    made = schema_of(new_database)
    assert run("check-config", settings).output.endswith("new: ready\n  reachable, has the table\n")
    again = run("db", "init", "--cluster", "new", "--config", settings)
    assert (again.exit_code, again.output) == (0, "new: nothing is missing\n")
    assert schema_of(new_database) == made


def test_db_init_adds_to_a_foreign_table_only_indexes(run: Run, settings: Path, new_database: str) -> None:
    with closing(psycopg2.connect(new_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute("""
            CREATE TABLE training_performance (id bigserial PRIMARY KEY, performance jsonb, iteration int,
                created_at timestamptz, serial int, workload_uid text, data_source text, own_column int);
            CREATE INDEX own_name ON training_performance (workload_uid, data_source, iteration DESC);
            CREATE INDEX partial ON training_performance (data_source) WHERE own_column = 1;
        """)
    before = schema_of(new_database)
    assert run("check-config", settings).output.count("recommended index") == 2
    result = run("db", "init", "--cluster", "new", "--config", settings)
    created = [RECOMMENDED_INDEXES[0].name, RECOMMENDED_INDEXES[2].name]
    assert result.output == f"new: created {', '.join(created)}\n"
    after = schema_of(new_database)
    assert [row for row in after if row not in before] == [row for row in after if row[1] in created]
    assert [row for row in before if row not in after] == []


def test_db_init_of_an_unreachable_cluster(
    run: Run, postgres18: EmbeddedPostgres, write_settings: Callable[[str], Path]
) -> None:
    path = write_settings(two_clusters(postgres18))
    for cluster, words, status in (("unreachable", "cannot be reached", 1), ("nix", "Unknown cluster", 2)):
        result = run("db", "init", "--cluster", cluster, "--config", path)
        assert result.exit_code == status
        assert words in result.output
    assert run("db", "init", "--config", path).exit_code == 2


def test_import_log(run: Run, settings: Path, new_database: str, tmp_path: Path, uid: str) -> None:
    run("db", "init", "--cluster", "new", "--config", settings)
    log = tmp_path / "training.log"
    log.write_text(LOG)
    first = run("import", "log", log, "--workload", uid, "--config", settings)
    assert first.exit_code == 0
    again = run("import", "log", log, "--workload", uid, "--cluster", "new", "--config", settings)
    assert again.exit_code == 0
    with closing(psycopg2.connect(new_database)) as connection, connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT iteration, performance->>'lm_loss', data_source::text,
                (extract(epoch FROM created_at) * 1000)::bigint
            FROM training_performance WHERE workload_uid = %s ORDER BY iteration
            """,
            (uid,),
        )
        assert cursor.fetchall() == [
            (14001, "2.399058", "log", 1779415865697),
            (14002, "2.406709", "log", 1779415867409),
        ]


def test_import_of_a_file_that_is_not_a_log(run: Run, settings: Path, tmp_path: Path) -> None:
    run("db", "init", "--cluster", "new", "--config", settings)
    other = tmp_path / "other.txt"
    other.write_text("nothing\n")
    result = run("import", "log", other, "--workload", "w", "--config", settings)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert run("import", "log", tmp_path / "nowhere", "--workload", "w", "--config", settings).exit_code == 2


def test_interrupted(tmp_path: Path) -> None:
    """Any command can be interrupted; this one waits for the content of its settings file."""
    pipe = tmp_path / "settings.toml"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "lens_perf", "check-config", str(pipe)]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process, pipe.open("w"):
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors.decode()) == (130, "lens-perf: interrupted\n")


# A program that interrupts itself when a module of the command is imported.
INTERRUPTED_WHILE_IMPORTING = """
import os, signal, sys

class Interrupting:
    @staticmethod
    def find_spec(name, path, target=None):
        if name == "lens_perf.interruption":
            os.kill(os.getpid(), int(sys.argv[1]))

sys.meta_path.insert(0, Interrupting)
from lens_perf.__main__ import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_the_command_is_loaded(number: signal.Signals) -> None:
    command = [sys.executable, "-c", INTERRUPTED_WHILE_IMPORTING, str(int(number))]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (128 + number, "", "lens-perf: interrupted\n")
