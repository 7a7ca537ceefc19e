"""The directory of the workers' files: private, empty at a start, untouched at a reload, gone at the end."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lens_perf.instrumentation.worker_files import DIRECTORY_VARIABLE, OWN_PREFIX, PREDECESSOR_VARIABLE

PREPARE = "from lens_perf.instrumentation import worker_files\npath = worker_files.prepare_directory()\n"


def run(code: str, tmp_path: Path, **environment: str) -> str:
    """Run ``code`` behind the preparation, in a process of its own."""
    inherited = {name: value for name, value in os.environ.items() if name != DIRECTORY_VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREPARE + code],
        env={**inherited, "TMPDIR": str(tmp_path), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_private_one_that_goes_with_its_master(tmp_path: Path) -> None:
    told = run("import os; print(oct(path.stat().st_mode), os.environ['PROMETHEUS_MULTIPROC_DIR'])", tmp_path)
    mode, name = told.split()
    assert stat.S_IMODE(int(mode, 8)) == 0o700
    assert Path(name).parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_ends_leaves_it(tmp_path: Path) -> None:
    fork = """
import os, sys
worker = os.fork()
if worker == 0:
    sys.exit(0)
os.waitpid(worker, 0)
print(path.is_dir())
"""
    assert run(fork, tmp_path) == "True"
    assert list(tmp_path.iterdir()) == []


def test_a_given_one_is_emptied(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "counter_1.db").write_bytes(b"old")
    (given / "notes.txt").write_text("not ours")
    run("", tmp_path, **{DIRECTORY_VARIABLE: str(given)})
    assert [file.name for file in given.iterdir()] == ["notes.txt"]


def test_a_given_one_is_created(tmp_path: Path) -> None:
    given = tmp_path / "not" / "there"
    run("", tmp_path, **{DIRECTORY_VARIABLE: str(given)})
    assert stat.S_IMODE(given.stat().st_mode) == 0o700


@pytest.mark.parametrize("given", [True, False])
def test_a_reload_keeps_the_files(tmp_path: Path, given: bool) -> None:
    again = (
        "(path / 'counter_1.db').touch(); print(worker_files.prepare_directory() == path, len(list(path.iterdir())))"
    )
    environment = {DIRECTORY_VARIABLE: str(tmp_path / "given")} if given else {}
    assert run(again, tmp_path, **environment) == "True 1"


def test_a_successor_empties_nothing_of_its_predecessor(tmp_path: Path) -> None:
    given = tmp_path / "given"
    given.mkdir()
    (given / "counter_1.db").touch()
    run("", tmp_path, **{DIRECTORY_VARIABLE: str(given), PREDECESSOR_VARIABLE: "1"})
    assert (given / "counter_1.db").exists()
    own = tmp_path / f"{OWN_PREFIX}of-the-predecessor"
    own.mkdir()
    assert run("print(path)", tmp_path, **{DIRECTORY_VARIABLE: str(own), PREDECESSOR_VARIABLE: "1"}) != str(own)
    assert own.exists()


def test_nothing_imports_the_library_too_early(tmp_path: Path) -> None:
    early = "from lens_perf.instrumentation import request_log; import sys; print('prometheus_client' in sys.modules)"
    assert run(early, tmp_path) == "False"
