"""Services with the same directory of copies and equal names of clusters, but different databases."""

import json
from collections.abc import Callable, Iterator, Set
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest

from lens_perf.clusters.connecting import identify_database
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.columns.manifest import Manifest
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.selection import Selection
from lens_perf.performance.service import PerformanceService
from lens_perf.settings import ClusterSettings
from tests.conftest import READER, Row, at, insert_rows
from tests.databases import database

WORKLOAD = "w"
UPDATE_FIRST = "UPDATE training_performance SET performance = '{\"loss\": 99}' WHERE iteration = 1"


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., PerformanceService]:
    @contextmanager
    def run(dsn: str) -> Iterator[PerformanceService]:
        path = tmp_path / "lens_perf.toml"
        path.write_text(f"[clusters.alpha]\ndsn = '''{dsn}'''\n[columns]\ndirectory = 'copies'\n", "utf-8")
        settings = load_settings(path, {})
        with closing(ClusterRegistry(settings)) as registry:
            yield PerformanceService(registry, settings)

    return run


def read_losses(service: PerformanceService) -> list[float]:
    body = service.read_points(PointQuery("alpha", Selection(WORKLOAD))).body
    assert body is not None
    assert body.content is not None
    return [point["value"] for point in json.loads(body.content)["data"]]


def list_histories(directory: Path) -> Set[tuple[str, int]]:
    manifests = [Manifest.parse(path.read_bytes()) for path in directory.glob("*/manifest")]
    return {(manifest.history, manifest.generation) for manifest in manifests}


def insert_losses(dsn: str, first: float) -> None:
    insert_rows(dsn, WORKLOAD, [Row({"loss": first + number}, number, at(number)) for number in range(1, 21)])


def test_each_database_has_its_own_copies(
    postgres18: EmbeddedPostgres, serve: Callable[..., PerformanceService], tmp_path: Path
) -> None:
    with (
        database(postgres18, "shared_one") as one,
        database(postgres18, "shared_two") as two,
        serve(one) as first,
        serve(two) as second,
    ):
        insert_losses(postgres18.dsn("shared_one"), 0)
        insert_losses(postgres18.dsn("shared_two"), 100)
        assert (read_losses(first)[0], read_losses(second)[0]) == (1, 101)
        built = list_histories(tmp_path / "copies")
        assert len(built) == 2
        assert (read_losses(first)[0], read_losses(second)[0]) == (1, 101)
        assert list_histories(tmp_path / "copies") == built
        for path in (tmp_path / "copies").glob("*/manifest"):
            assert not [name for name in (b"shared_", READER.encode()) if name in path.read_bytes()]


def test_a_database_from_a_template_does_not_continue_the_copy_of_the_template(
    postgres18: EmbeddedPostgres, serve: Callable[..., PerformanceService]
) -> None:
    """Even at the same address: both have the same newest records, with the same transactions."""
    with database(postgres18, "template_of_copy") as dsn:
        insert_losses(postgres18.dsn("template_of_copy"), 0)
        with database(postgres18, "from_template", options="TEMPLATE template_of_copy"):
            execute(postgres18.dsn("template_of_copy"), UPDATE_FIRST)
            with serve(dsn) as service:
                assert 99 in read_losses(service)
            rename(postgres18, "template_of_copy", "exchanged")
            rename(postgres18, "from_template", "template_of_copy")
            try:
                with serve(dsn) as service:
                    assert 99 not in read_losses(service)
            finally:
                rename(postgres18, "template_of_copy", "from_template")
                rename(postgres18, "exchanged", "template_of_copy")


def execute(dsn: str, statement: str) -> None:
    with closing(psycopg2.connect(dsn)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        cursor.execute(statement)


def rename(postgres: EmbeddedPostgres, name: str, new_name: str) -> None:
    execute(postgres.dsn("postgres"), f"ALTER DATABASE {name} RENAME TO {new_name}")


def identify(dsn: str) -> str:
    return identify_database("alpha", ClusterSettings(dsn=dsn, password="of the file"))


def test_what_identifies_a_database(monkeypatch: pytest.MonkeyPatch) -> None:
    known = identify("host=db port=5432 dbname=lens user=reader password=hunter2")
    assert known == identify("postgresql://reader:changed@db:5432/lens?connect_timeout=9&sslmode=require")
    others = ["host=db2", "port=5433", "dbname=other", "user=writer", "options=-csearch_path=mine", "service=lens"]
    digests = {identify(f"host=db port=5432 dbname=lens user=reader {other}") for other in others}
    assert len(digests | {known}) == 1 + len(others)
    without_host = identify("dbname=lens")
    monkeypatch.setenv("PGHOST", "db")
    assert identify("dbname=lens") not in {without_host, known}
