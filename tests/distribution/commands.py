"""Runs commands as a user's shell does, without the settings of the shell that runs the tests."""

import os
import subprocess
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from tests.front.programs import skip_outside_ci

ROOT = Path(__file__).parents[2]


def clean_environment() -> dict[str, str]:
    """Return the environment without variables of Python and of the service."""
    foreign = ("LENS_PERF_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


def try_to_run(*words: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command and return the completed process."""
    return subprocess.run(words, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False)


def run(*words: str | Path, cwd: Path) -> str:
    """Run a command, which must succeed, and return what it prints."""
    ended = try_to_run(*words, cwd=cwd)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def need_package(name: str, extra: str) -> None:
    """Skip the test if a package of an extra that the tests do not need otherwise is missing; in CI, fail it."""
    try:
        distribution(name)
    except PackageNotFoundError:
        skip_outside_ci(f"{name} is not installed: make .venv/installed/{extra}")
