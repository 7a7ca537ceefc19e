"""Real servers for all tests: PostgreSQL 18 and 16, each with two databases that act as clusters."""

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extras
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, settings

from lens_perf.app import REGISTRY, create_app
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres, run_embedded_postgres
from lens_perf.performance.schema import create_schema
from tests.front.programs import BARE, check_bare, skip_without_programs
from tests.web_browser import browser

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
READER = "lens_reader"
# No test asserts how long something takes, and the machine may be busy.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")
THROUGH_PGBOUNCER = "--through-pgbouncer"
AS_ON_CITUS = "--as-on-citus"
# beta has data sources as text, as some clusters do.
TEXT_DATA_SOURCE = "ALTER TABLE training_performance ALTER data_source DROP DEFAULT, ALTER data_source TYPE text"
GRANTS = f"GRANT SELECT ON training_performance TO {READER}"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the suite."""
    parser.addoption(BARE, action="store_true", help="expect that none of the programs that tests start is installed")
    parser.addoption(THROUGH_PGBOUNCER, action="store_true", help="let the service reach PostgreSQL through PgBouncer")
    parser.addoption(AS_ON_CITUS, action="store_true", help="let the service run the statements that it runs on Citus")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marks of the suite, and check the condition of ``--bare``."""
    config.addinivalue_line("markers", "needs(*programs): skip the test where one of the programs is not installed")
    config.addinivalue_line("markers", "long: run the test's module first; at the end it would keep one process busy")
    if config.getoption(BARE):
        check_bare()
    if config.getoption(THROUGH_PGBOUNCER):
        # Its effects depend on statements and their order, not on values.
        settings.register_profile("through PgBouncer", max_examples=20)
        settings.load_profile("through PgBouncer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run modules that have a long test first, so that parallel processes end together."""
    long = {item.path for item in items if item.get_closest_marker("long")}
    items.sort(key=lambda item: item.path not in long)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests before their fixtures run, so that no fixture is left open."""
    skip_without_programs(item)


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a separate directory for copies of workloads, also in servers that tests start."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module", autouse=True)
def _one_browser() -> Iterator[None]:
    """Close the browser of the tests of a module: its loop of events would disturb other modules."""
    yield
    browser.close()


@pytest.fixture(scope="session")
def start_postgres(pytestconfig: pytest.Config) -> Iterator[Callable[[int], EmbeddedPostgres]]:
    """Start a server of the requested version, once in each session."""
    # Short, because the path of a Unix socket may have only 107 bytes, and of one user.
    directory = Path(tempfile.mkdtemp(prefix="lens", dir="/tmp"))
    started: dict[int, EmbeddedPostgres] = {}
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, directory, ignore_errors=True)

        def start(version: int) -> EmbeddedPostgres:
            if version not in started:
                started[version] = stack.enter_context(run_embedded_postgres(directory, version))
                _do_without_fsync(started[version])
                _create_databases(started[version])
                if pytestconfig.getoption(THROUGH_PGBOUNCER):
                    from tests.front.pgbouncer import run_pgbouncer

                    started[version] = stack.enter_context(run_pgbouncer(started[version]))
            return started[version]

        yield start


def _do_without_fsync(postgres: EmbeddedPostgres) -> None:
    """Keep commits from waiting for the disk: the data need not survive a crash of the machine."""
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute("ALTER SYSTEM SET fsync = off")
        cursor.execute("SELECT pg_reload_conf()")


def _create_databases(postgres: EmbeddedPostgres) -> None:
    with closing(psycopg2.connect(postgres.dsn("postgres"))) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(f"CREATE ROLE {READER} LOGIN")
        for name in ("alpha", "beta", "empty"):
            cursor.execute(f"CREATE DATABASE {name}")
    for name in ("alpha", "beta"):
        with closing(psycopg2.connect(postgres.dsn(name))) as connection:
            create_schema(connection)
            with connection.cursor() as cursor:
                cursor.execute(GRANTS)
                if name == "beta":
                    cursor.execute(TEXT_DATA_SOURCE)


@pytest.fixture(scope="session", params=[18, 16], ids=["postgres18", "postgres16"])
def postgres(request: pytest.FixtureRequest, start_postgres: Callable[[int], EmbeddedPostgres]) -> EmbeddedPostgres:
    """A server of each version in turn."""
    return start_postgres(request.param)


@pytest.fixture(scope="session")
def postgres18(start_postgres: Callable[[int], EmbeddedPostgres]) -> EmbeddedPostgres:
    """The newest server, for tests that do not depend on the version."""
    return start_postgres(18)


@pytest.fixture
def cluster_dsn(postgres18: EmbeddedPostgres) -> str:
    """A superuser's DSN of a database with the table."""
    return postgres18.dsn("alpha")


@pytest.fixture
def write_settings(tmp_path: Path) -> Callable[[str], Path]:
    """Write a settings file."""

    def write(text: str) -> Path:
        path = tmp_path / "lens_perf.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def two_clusters(postgres: EmbeddedPostgres) -> str:
    """Return settings for the two clusters of ``postgres`` and for some that cannot be used."""
    return f"""
        default_cluster = "alpha"
        current_cluster = "beta"
        [clusters.alpha]
        dsn = "{postgres.dsn("alpha", READER)}"
        [clusters.beta]
        dsn = "{postgres.dsn("beta", READER)}"
        [clusters.unreachable]
        dsn = "host=127.0.0.1 port=1 dbname=lens"
        [clusters.without_table]
        dsn = "{postgres.dsn("empty", READER)}"
        [clusters.without_database]
        dsn = "{postgres.dsn("nowhere", READER)}"
    """


@contextmanager
def running_app(path: Path, *, as_on_citus: bool = False) -> Iterator[Flask]:
    """Create the application for a settings file and close its connections at the end.

    With ``as_on_citus``, it uses the statements for Citus, which PostgreSQL can run, too.
    """
    app = create_app(load_settings(path, {}))
    registry = app.extensions[REGISTRY]
    if as_on_citus:
        for cluster in registry._clusters.values():
            cluster.is_citus = True
    try:
        yield app
    finally:
        registry.close()


@pytest.fixture(scope="session")
def shared_app(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Flask]:
    """The application over both clusters, which it reads as a SELECT-only role."""
    path = tmp_path_factory.mktemp("settings") / "lens_perf.toml"
    path.write_text(two_clusters(postgres), "utf-8")
    with running_app(path, as_on_citus=pytestconfig.getoption(AS_ON_CITUS)) as app:
        yield app


@pytest.fixture
def app(shared_app: Flask) -> Flask:
    """The application, under the name by which pytest-flask finds it."""
    return shared_app


@pytest.fixture
def registry(app: Flask) -> ClusterRegistry:
    """The application's clusters."""
    registry: ClusterRegistry = app.extensions[REGISTRY]
    return registry


@pytest.fixture
def uid() -> str:
    """The uid of a workload that no other test uses."""
    return f"workload-{uuid.uuid4().hex[:12]}"


def at(milliseconds: float) -> datetime:
    """Return the time ``milliseconds`` after 1970 began."""
    return EPOCH + timedelta(milliseconds=milliseconds)


@dataclass(frozen=True)
class Row:
    """A row to store; ``performance`` is JSON text if it is a str, else it is dumped; ``created_at`` in SQL's words."""

    performance: Any
    iteration: int | None = 1
    created_at: datetime | str | None = EPOCH
    data_source: str | None = "log"
    serial: int | None = None

    def values(self, uid: str) -> tuple[Any, ...]:
        """Return the row's columns."""
        text = self.performance if isinstance(self.performance, str) else json.dumps(self.performance)
        return (uid, text, self.iteration, self.created_at, self.data_source, self.serial)


INSERT = (
    "INSERT INTO training_performance (workload_uid, performance, iteration, created_at, data_source, serial) VALUES %s"
)

Store = Callable[..., None]


def insert_rows(dsn: str, uid: str, rows: Sequence[Row]) -> None:
    """Store rows of a workload in the database at ``dsn``."""
    with closing(psycopg2.connect(dsn)) as connection, connection, connection.cursor() as cursor:
        psycopg2.extras.execute_values(cursor, INSERT, [row.values(uid) for row in rows])


@pytest.fixture(scope="session")
def store(postgres: EmbeddedPostgres) -> Iterator[Store]:
    """Store rows of a workload in a cluster."""
    with ExitStack() as stack:
        connections = {
            name: stack.enter_context(closing(psycopg2.connect(postgres.dsn(name)))) for name in ("alpha", "beta")
        }

        def insert(uid: str, rows: Sequence[Row], cluster: str = "alpha") -> None:
            with connections[cluster] as connection, connection.cursor() as cursor:
                psycopg2.extras.execute_values(cursor, INSERT, [row.values(uid) for row in rows])

        yield insert


@pytest.fixture(params=["alpha", "beta"], ids=["enum", "text"])
def cluster(request: pytest.FixtureRequest) -> str:
    """Each of the two clusters in turn: one with the enum, one with a text ``data_source``."""
    name: str = request.param
    return name


def strict_json(text: str) -> Any:
    """Parse JSON as the standard defines it: no NaN, no Infinity, no name twice."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    def unique(pairs: Sequence[tuple[str, Any]]) -> Mapping[str, Any]:
        assert len({name for name, _ in pairs}) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)


Ask = Callable[..., Any]


@pytest.fixture
def ask(client: FlaskClient, uid: str) -> Ask:
    """Request one of the endpoints for the test's workload and return the parsed answer, which must be a 200."""

    def get(endpoint: str, **query: Any) -> Any:
        response = client.get(f"/lens/v1/workloads/{uid}/metrics/{endpoint}", query_string=query)
        assert response.status_code == 200, response.text
        assert response.mimetype == "application/json"
        return strict_json(response.text)

    return get
