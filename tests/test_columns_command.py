"""``lens-perf columns`` lists, verifies and drops copies of a real table."""

import os
import pwd
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
from lens_perf.performance.columns.directory_store import LOCK
from lens_perf.performance.columns.locks import hold_lock
from lens_perf.performance.freshness import checkpoint
from lens_perf.performance.time_limit import TimeLimit
from lens_perf.performance.workload_copies import WorkloadCopies
from tests.conftest import Row, Store, at

HEADER = "CLUSTER  WORKLOAD  RECORDS  FIELDS  SIZE  LAST USED"


@pytest.fixture
def config(postgres: EmbeddedPostgres, write_settings: Callable[[str], Path], tmp_path: Path) -> Path:
    cluster = f"[clusters.alpha]\ndsn = '''{postgres.dsn('alpha')}'''\n"
    return write_settings(f"{cluster}[columns]\ndirectory = '''{tmp_path / 'copies'}'''\n")


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["columns", *words, "--config", str(config)])


def build(config: Path, uid: str) -> int:
    settings = load_settings(config, {})
    with closing(ClusterRegistry(settings)) as registry:
        return WorkloadCopies(registry, settings).answer("alpha", uid, TimeLimit(20), lambda copy: copy.records)


def test_listing_verifying_and_dropping_a_copy(
    postgres: EmbeddedPostgres, store: Store, uid: str, config: Path
) -> None:
    target = ["--cluster", "alpha", uid]
    assert run(config, "list").output == f"{HEADER}\n"
    assert run(config, "verify", *target).exit_code == 1
    store(uid, [Row({"loss": 1.5, "big": 10**30, "odd": "NaN", 'a, "b': None}), Row({"loss": 2})])
    assert build(config, uid) == 2
    header, line = run(config, "list").output.splitlines()
    assert header.split() == HEADER.split()
    assert line.startswith(f"alpha    {uid}  2        4       0.0 MiB  20")
    verified = run(config, "verify", *target)
    assert verified.exit_code == 0, verified.output
    assert "2 records in the copy, 2 in the table" in verified.output
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM training_performance WHERE workload_uid = %s AND performance ? 'odd'", (uid,))
        connection.commit()
    verified = run(config, "verify", *target)
    assert verified.exit_code == 0, verified.output
    assert "1 record in the copy, 1 in the table" in verified.output
    assert run(config, "drop", *target).exit_code == 0
    assert run(config, "drop", *target).exit_code == 1
    assert run(config, "list").output == f"{HEADER}\n"


def test_verifying_the_copy_of_an_unknown_workload(uid: str, config: Path) -> None:
    target = ["--cluster", "alpha", uid]
    assert build(config, uid) == 0
    verified = run(config, "verify", *target)
    assert (verified.exit_code, verified.output) == (1, "there is no such copy\n")
    assert run(config, "list").output == f"{HEADER}\n"


def test_verifying_the_copy_of_a_removed_workload(
    postgres: EmbeddedPostgres, uid: str, config: Path, target: list[str]
) -> None:
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM training_performance WHERE workload_uid = %s", (uid,))
        connection.commit()
    verified = run(config, "verify", *target)
    assert (verified.exit_code, verified.output) == (1, f"lens-perf: no workload {uid} in cluster alpha\n")


@pytest.fixture
def target(store: Store, uid: str, config: Path) -> list[str]:
    """The options for a workload with a copy."""
    store(uid, [Row({"loss": number}, number, at(number)) for number in range(3)])
    assert build(config, uid) == 3
    return ["--cluster", "alpha", uid]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda path: path.chmod(0), "its owner may not use it: chmod u+rwx"),
        (lambda path: path.chmod(0o777), "other users may write to it: chmod go-w"),
        (
            lambda path: os.chown(path, pwd.getpwnam("nobody").pw_uid, -1),
            "it belongs to another user; run this command as the user of the service",
        ),
    ],
)
def test_an_unusable_directory(
    target: list[str], config: Path, tmp_path: Path, change: Callable[[Path], None], reason: str
) -> None:
    directory = tmp_path / "copies"
    try:
        change(directory)
    except PermissionError:
        pytest.skip("only root may give files to others")
    message = f"lens-perf: The directory of copies {directory} cannot be used: {reason}\n"
    for words in (["list"], ["verify", *target], ["drop", *target]):
        ended = run(config, *words)
        assert (ended.exit_code, ended.output) == (2, message)


UPDATE = """UPDATE training_performance SET performance = '{"loss": 3}' WHERE workload_uid = %s AND iteration = 1"""
DELETE = "DELETE FROM training_performance WHERE workload_uid = %s AND iteration = 2"


@pytest.fixture
def large_workloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let updates in place and deletions be searched for as in large workloads, whose ids are settled: seldom."""
    for name, value in {"SMALL_WORKLOAD": 0, "UNSETTLED_IDS": 0, "COMPARE_SECONDS": 600}.items():
        monkeypatch.setattr(checkpoint, name, value)


@pytest.mark.usefixtures("large_workloads")
@pytest.mark.parametrize("statement", [UPDATE, DELETE], ids=["update", "deletion"])
def test_changes_just_before_are_no_differences(
    postgres: EmbeddedPostgres, target: list[str], config: Path, statement: str
) -> None:
    uid = target[-1]
    with closing(psycopg2.connect(postgres.dsn("alpha"))) as connection, connection.cursor() as cursor:
        cursor.execute(statement, (uid,))
        assert cursor.rowcount == 1
        connection.commit()
    verified = run(config, "verify", *target)
    assert verified.exit_code == 0, verified.output
    assert "0 missing, 0 surplus, 0 different\nstatistics agree" in verified.output


def test_a_damaged_copy(target: list[str], config: Path, tmp_path: Path) -> None:
    (part,) = (tmp_path / "copies").glob("*/*.part")
    os.truncate(part, 10)
    verified = run(config, "verify", *target)
    assert verified.exit_code == 1
    assert verified.output == (
        "lens-perf: The copy is damaged: remove it with lens-perf columns drop; the next request builds it again\n"
    )
    assert run(config, "drop", *target).exit_code == 0
    assert build(config, target[-1]) == 3
    assert run(config, "verify", *target).exit_code == 0


UNREADABLE = (
    "lens-perf: The copy is damaged or was written by another version of the service: remove it with lens-perf columns"
    " drop; the next request builds it again\n"
)


@pytest.mark.parametrize("content", [b"", b"0 polars 0.1\n0\n{}"], ids=["damaged", "of another version"])
def test_an_unreadable_manifest(target: list[str], config: Path, tmp_path: Path, content: bytes) -> None:
    (manifest,) = (tmp_path / "copies").glob("*/manifest")
    manifest.write_bytes(content)
    assert (
        run(config, "list").output.splitlines()[1].startswith(f"unusable  {manifest.parent}  -        -       0.0 MiB")
    )
    verified = run(config, "verify", *target)
    assert (verified.exit_code, verified.output) == (1, UNREADABLE)
    assert run(config, "drop", "--cluster", "alpha", "another").exit_code == 1
    assert run(config, "drop", "--cluster", "beta", target[-1]).exit_code == 1
    dropped = run(config, "drop", *target)
    assert (dropped.exit_code, dropped.output) == (0, "dropped 1 copy\n")
    assert not manifest.parent.exists()
    assert build(config, target[-1]) == 3
    assert run(config, "verify", *target).exit_code == 0


def test_a_copy_being_built(target: list[str], config: Path, tmp_path: Path) -> None:
    """It cannot be dropped. One whose first build has failed can."""
    (manifest,) = (tmp_path / "copies").glob("*/manifest")
    manifest.unlink()
    assert run(config, "list").output.splitlines()[1].startswith(f"being built  {manifest.parent}  - ")
    assert run(config, "verify", *target).output == "there is no such copy\n"
    with hold_lock(manifest.parent / LOCK, 0.0):
        dropped = run(config, "drop", *target)
        assert (dropped.exit_code, dropped.output) == (1, "there is no such copy, or it is being written\n")
        assert manifest.parent.exists()
    assert run(config, "drop", *target).output == "dropped 1 copy\n"
    assert not manifest.parent.exists()


def test_copies_of_another_database_are_marked(
    postgres: EmbeddedPostgres, store: Store, uid: str, config: Path, write_settings: Callable[[str], Path]
) -> None:
    store(uid, [Row({"loss": 1.5})])
    assert build(config, uid) == 1
    text = config.read_text("utf-8")
    write_settings(text.replace(postgres.dsn("alpha"), postgres.dsn("beta")))
    assert f"alpha (other database)  {uid}  1 " in run(config, "list").output
    target = ["--cluster", "alpha", uid]
    assert run(config, "verify", *target).exit_code == 1
    write_settings(text.replace("clusters.alpha", "clusters.other"))
    assert f"alpha (not in the settings)  {uid}  1 " in run(config, "list").output
    dropped = run(config, "drop", *target)
    assert (dropped.exit_code, dropped.output) == (0, "dropped 1 copy\n")
    assert run(config, "drop", *target).exit_code == 1
