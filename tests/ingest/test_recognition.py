"""Which files of a directory are read, and their kinds."""

import os
from pathlib import Path

import pytest

from lens_perf.errors import ImportInputError
from lens_perf.ingest.logs.dialect_files import load_built_in_dialects
from lens_perf.ingest.recognition import Kind, choose_kind, find_files, list_regular_files

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
