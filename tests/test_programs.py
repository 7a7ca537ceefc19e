"""A test whose program is not installed is skipped before its fixtures, and fails in CI."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.front.programs import BARE, PACKAGES, check_bare, find_program, locate_program

ROOT = Path(__file__).parent.parent
MODULE = """
from pathlib import Path
import pytest
from tests.front.programs import find_program, needs

@pytest.fixture
def opened():
    Path("opened").touch()

@needs("openssl", "nginx")
def test_marked(opened):
    assert find_program("nginx")
"""

RunPytest = Callable[..., tuple[int, str]]


@pytest.fixture
def bin_directory(tmp_path: Path) -> Path:
    directory = tmp_path / "usr" / "bin"
    directory.mkdir(parents=True)
    return directory


@pytest.fixture
def run_pytest(tmp_path: Path, bin_directory: Path) -> RunPytest:
    """Run a module with one marked test and a minimal PATH; return status and output."""
    (tmp_path / "test_it.py").write_text(MODULE, "utf-8")

    def run(*arguments: str, ci: str = "") -> tuple[int, str]:
        environment = {**os.environ, "PATH": str(bin_directory), "PYTHONPATH": str(ROOT), "CI": ci}
        # These tests use no plugins, and loading them takes most of the time.
        environment["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-rs", *arguments]
        ended = subprocess.run(
            [*command, "test_it.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        return ended.returncode, ended.stdout + ended.stderr

    return run


def install(directory: Path, name: str) -> str:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).touch(0o755)
    return str(directory / name)


@pytest.mark.parametrize(("arguments", "ci"), [((), ""), ((BARE,), ""), ((BARE,), "true")])
def test_skipped_before_its_fixtures(
    run_pytest: RunPytest, bin_directory: Path, tmp_path: Path, arguments: tuple[str, ...], ci: str
) -> None:
    status, output = run_pytest(*arguments, ci=ci)
    assert status == 0, output
    assert "openssl is not installed: apt-get install openssl" in output
    assert "1 skipped in" in output
    assert not (tmp_path / "opened").exists()


def test_a_failure_in_ci(run_pytest: RunPytest, bin_directory: Path, tmp_path: Path) -> None:
    install(bin_directory, "openssl")
    status, output = run_pytest(ci="true")
    assert status == 1, output
    assert "nginx is not installed: apt-get install nginx-light" in output
    assert not (tmp_path / "opened").exists()


def test_run_where_all_is_installed(run_pytest: RunPytest, bin_directory: Path) -> None:
    for name in ("openssl", "nginx"):
        install(bin_directory, name)
    status, output = run_pytest()
    assert (status, "1 passed in" in output) == (0, True), output


def test_a_machine_that_is_not_bare(run_pytest: RunPytest, bin_directory: Path) -> None:
    path = install(bin_directory, "promtool")
    status, output = run_pytest(BARE)
    assert status == pytest.ExitCode.USAGE_ERROR
    assert f"this machine is not bare, it has {path}" in output


@pytest.mark.parametrize("name", PACKAGES)
def test_any_program_makes_a_machine_not_bare(bin_directory: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("PATH", str(bin_directory))
    check_bare()
    install(bin_directory, name)
    with pytest.raises(pytest.UsageError, match=name):
        check_bare()


def test_servers_are_found_beside_bin(bin_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only there, so that PATH alone decides."""
    monkeypatch.setenv("PATH", str(bin_directory))
    with pytest.raises(LookupError, match="is marked @needs"):
        find_program("nginx")
    nginx = install(bin_directory.parent / "sbin", "nginx")
    install(bin_directory.parent / "lib/postgresql/15/bin", "postgres")
    newest = install(bin_directory.parent / "lib/postgresql/17/bin", "postgres")
    browser = install(bin_directory, "chromium-browser")
    assert [find_program(name) for name in ("nginx", "postgres", "chromium")] == [nginx, newest, browser]
    assert locate_program("pgbouncer") is None
    shell = install(bin_directory, "chromium-headless-shell")
    assert find_program("chromium") == shell
