"""Commands that write, run by roles that may not: the messages say what is missing, and the documentation grants it."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner

from lens_perf.cli import main
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from tests.conftest import READER
from tests.databases import database
from tests.documented.blocks import find_blocks
from tests.front.postgres_server import open_server, run_standby, wait_for_replay
from tests.front.programs import find_program, needs

WRITER = "lens_writer"
PAGE = Path(__file__).parents[2] / "docs/importing.rst"
(GRANTS,) = [block.text for block in find_blocks(PAGE) if block.language == "sql"]
READ_ONLY = f"ALTER ROLE {READER} IN DATABASE lens SET default_transaction_read_only = on"
# So that db init has something to create.
DROP_INDEX = "DROP INDEX training_performance_data_source_idx"
LOG = " iteration        1/     100 | lm loss: 1.5 |\n"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, write_settings: Callable[[str], Path]) -> Run:
    """Run a command with the settings of one cluster; return the status and what it prints."""
    (tmp_path / "training.log").write_text(LOG)

    def invoke(dsn: str, *arguments: str) -> tuple[int, str]:
        settings = write_settings(f"[clusters.alpha]\ndsn = '''{dsn}'''\n")
        words = [word.replace("LOG", str(tmp_path / "training.log")) for word in arguments]
        result = CliRunner().invoke(main, [*words, "--config", str(settings)], catch_exceptions=False)
        return result.exit_code, result.output

    return invoke


IMPORT = ("import", "log", "LOG", "--workload", "w")
INIT = ("db", "init", "--cluster", "alpha")


@contextmanager
def writer(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Create the role of the documentation, without rights; yield its DSN."""
    with closing(psycopg2.connect(postgres.dsn("lens"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE ROLE {WRITER} LOGIN")
        try:
            yield postgres.dsn("lens", WRITER)
        finally:
            cursor.execute(f"DROP OWNED BY {WRITER}; DROP ROLE {WRITER}")


@pytest.mark.parametrize("command", [IMPORT, (*IMPORT, "--follow"), INIT])
def test_a_read_only_role(postgres18: EmbeddedPostgres, run: Run, command: tuple[str, ...]) -> None:
    with database(postgres18, "lens", DROP_INDEX, READ_ONLY) as dsn:
        status, output = run(dsn, *command)
    assert status == 2
    assert "The role or the session is read-only in cluster alpha: use settings with a role that may write" in output


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (IMPORT, "The role may not write to the table of cluster alpha: grant it SELECT, INSERT and DELETE on"),
        (INIT, "The role may not create the table or its indexes in cluster alpha: use settings with the owner of"),
    ],
)
def test_a_role_without_privileges(
    postgres18: EmbeddedPostgres, run: Run, command: tuple[str, ...], words: str
) -> None:
    with database(postgres18, "lens", DROP_INDEX) as dsn:
        status, output = run(dsn, *command)
    assert status == 2
    assert words in output


def test_no_table(postgres18: EmbeddedPostgres, run: Run) -> None:
    status, output = run(postgres18.dsn("empty"), *IMPORT)
    assert status == 2
    assert "has no table training_performance: create it with lens-perf db init --cluster alpha" in output


def test_the_documented_privileges_are_necessary_and_sufficient(postgres18: EmbeddedPostgres, run: Run) -> None:
    grants = [line.strip() for line in GRANTS.splitlines()]
    assert len(grants) == 3
    with (
        database(postgres18, "lens", "REVOKE TEMPORARY ON DATABASE lens FROM PUBLIC"),
        closing(psycopg2.connect(postgres18.dsn("lens"))) as connection,
        connection.cursor() as cursor,
        writer(postgres18) as dsn,
    ):
        connection.autocommit = True
        for grant in grants:
            status, output = run(dsn, *IMPORT)
            assert (status, "The role may not write to the table" in output) == (2, True)
            cursor.execute(grant)
        assert run(dsn, *IMPORT)[0] == 0


@needs("postgres")
@pytest.mark.parametrize("command", [IMPORT, INIT])
def test_a_standby(run: Run, command: tuple[str, ...]) -> None:
    with open_server(Path(find_program("postgres")).resolve().parent, "postgres") as primary:
        primary.initialise()
        with primary.started("wal_level=replica", "max_wal_senders=4"), run_standby(primary) as standby:
            wait_for_replay(primary, standby)
            status, output = run(standby.dsn(), *command)
    assert status == 1
    assert "Cluster alpha is a standby, which is read-only: let its DSN lead to the primary" in output
