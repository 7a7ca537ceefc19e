"""Which files of a directory are read, and their kinds."""

import bz2
import lzma
import os
from pathlib import Path

import pytest

from lens_perf.errors import ImportInputError
from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.recognition import Kind, choose_kind, find_files, list_regular_files

MLFLOW = b"key,value,step,timestamp\nloss,0.5,1,1772359201000\nloss,0.4,2,1772359202000\nacc,0.1,1,1772359201000\n"
LOG = b" iteration        1/     100 | lm loss: 1.5 |\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    directory = tmp_path / "run"
    directory.mkdir()
    (directory / "training.log").write_bytes(LOG)
    return directory


def test_only_regular_files_count(directory: Path) -> None:
    os.mkfifo(directory / "x.tfevents")
    os.mkfifo(directory / "a.log")
    (directory / "trainer_state.json").mkdir()
    (directory / "y.wandb").symlink_to("nowhere")
    assert list(list_regular_files(directory)) == [directory / "training.log"]
    assert choose_kind([directory], load_built_in_dialects()).kind is Kind.LOG
    assert list(find_files(Kind.LOG, [directory])) == [directory / "training.log"]


def test_links_within_a_directory_are_not_followed(directory: Path, tmp_path: Path) -> None:
    secret, elsewhere = tmp_path / "secret", tmp_path / "elsewhere"
    secret.write_text("root:x\n")
    elsewhere.mkdir()
    (elsewhere / "other.log").write_bytes(LOG)
    (directory / "shadow.log").symlink_to(secret)
    (directory / "below").symlink_to(elsewhere)
    assert list(find_files(Kind.LOG, [directory])) == [directory / "training.log"]
    (directory / "training.log").unlink()
    with pytest.raises(ImportInputError, match="links in directories are not followed"):
        find_files(Kind.LOG, [directory])


def test_a_link_that_is_named_is_followed(directory: Path, tmp_path: Path) -> None:
    to_file, to_directory = tmp_path / "latest.log", tmp_path / "latest"
    to_file.symlink_to(directory / "training.log")
    to_directory.symlink_to(directory)
    assert list(find_files(Kind.LOG, [to_file])) == [to_file]
    assert list(find_files(Kind.LOG, [to_directory])) == [to_directory / "training.log"]
    assert choose_kind([to_file], load_built_in_dialects()).kind is Kind.LOG


def test_the_parts_of_a_rotated_log_are_in_order(directory: Path) -> None:
    parts = [directory / f"training.log.{number}" for number in ("10.gz", "9", "2.gz", "1")]
    for part in (*parts, directory / "training.log.2026", directory / "training.log.old"):
        part.write_bytes(LOG)
    (directory / "a.log").write_bytes(LOG)
    assert list(find_files(Kind.LOG, [directory])) == [directory / "a.log", *parts, directory / "training.log"]


def test_a_table_with_one_value_per_row_is_recognised(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_bytes(MLFLOW)
    assert choose_kind([path], ()).kind is Kind.CSV
    path.write_bytes(b"key,value,step\nnote,long,1\nnote,short,2\n")
    with pytest.raises(ImportInputError):
        choose_kind([path], ())


@pytest.mark.parametrize("is_log_first", [False, True])
def test_files_of_different_kinds_are_refused(directory: Path, *, is_log_first: bool) -> None:
    table, log = directory / "m.csv", directory / "training.log"
    table.write_bytes(MLFLOW)
    paths = [log, table] if is_log_first else [table, log]
    with pytest.raises(ImportInputError, match="import them by separate commands, or name the kind of both"):
        choose_kind(paths, load_built_in_dialects())
    (directory / "empty.log").touch()
    kind = choose_kind([paths[0], directory / "empty.log"], load_built_in_dialects()).kind
    assert kind is (Kind.LOG if is_log_first else Kind.CSV)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (lzma.compress(LOG), "is compressed with xz: decompress it"),
        (bz2.compress(LOG), "is compressed with bzip2: decompress it"),
        (b"\x28\xb5\x2f\xfd\x04\x00", "is compressed with zstd: decompress it"),
        (LOG.decode().encode("utf-16"), "is UTF-16 text: convert it to UTF-8"),
    ],
)
def test_what_to_do_with_a_file_that_cannot_be_read(tmp_path: Path, content: bytes, advice: str) -> None:
    path = tmp_path / "training.log"
    path.write_bytes(content)
    with pytest.raises(ImportInputError, match=f"{path} {advice}"):
        choose_kind([path], load_built_in_dialects())
