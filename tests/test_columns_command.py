"""``lens-perf columns`` lists, verifies and drops copies of a real table."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner, Result

from lens_perf.cli import main
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.config import load_settings
from lens_perf.demo.embedded_postgres import EmbeddedPostgres
from lens_perf.performance.columns.manifest import CopyKey
from lens_perf.performance.table_source import TableSource
from lens_perf.performance.workload_copies import WorkloadCopies
from tests.conftest import Row, Store


@pytest.fixture
def config(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path) -> Path:
    cluster = f"[clusters.alpha]\ndsn = '''{postgres.dsn('alpha')}'''\n"
    return write_settings(f"{cluster}[columns]\ndirectory = '''{tmp_path / 'copies'}'''\n")


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["columns", *words, "--config", str(config)])


def build(config: Path, uid: str) -> int:
    settings = load_settings(config, {})
    registry = ClusterRegistry(settings)
    copies = WorkloadCopies(registry, settings)
    source = TableSource(registry, "alpha", uid)
    with copies.columns.open(CopyKey("alpha", uid), source, time.monotonic() + 20) as copy:
        return copy.records


def test_listing_verifying_and_dropping_a_copy(
    postgres: EmbeddedPostgres, store: Store, uid: str, config: Path
) -> None:
    target = ["--cluster", "alpha", uid]
    assert run(config, "list").output == ""
    assert run(config, "verify", *target).exit_code == 1
    store(uid, [Row({"loss": 1.5, "big": 10**30, "odd": "NaN", 'a, "b': None}), Row({"loss": 2})])
    assert build(config, uid) == 2
    listed = run(config, "list").output
    assert f"alpha  {uid}  2 records  0.0 MiB  last used 20" in listed
    verified = run(config, "verify", *target)
    assert verified.exit_code == 0, verified.output
    assert "2 records in the copy, 2 in the table" in verified.output
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM training_performance WHERE workload_uid = %s AND performance ? 'odd'", (uid,))
        connection.commit()
    verified = run(config, "verify", *target)
    assert verified.exit_code == 0, verified.output
    assert "1 records in the copy, 1 in the table" in verified.output
    assert run(config, "drop", *target).exit_code == 0
    assert run(config, "drop", *target).exit_code == 1
    assert run(config, "list").output == ""
