"""The wheel and the source distribution, built from a copy of the checkout, and environments with the wheel."""

import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.distribution.commands import ROOT, run, try_to_run
from tests.front.programs import skip_outside_ci

NO_REGISTRY = ("Connection broken", "Failed to establish", "NewConnectionError", "Retrying")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution and the wheel, built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout") / "lens_perf"
    unwanted = shutil.ignore_patterns(
        ".*", "var", "build", "dist", "_build", "*.egg-info", "__pycache__", "node_modules"
    )
    shutil.copytree(ROOT, copy, ignore=unwanted)
    for hidden in (".pre-commit-config.yaml", ".dockerignore"):
        shutil.copy(ROOT / hidden, copy)
    # Without isolation, the build uses the installed tools and downloads nothing.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", copy / "dist", copy, cwd=copy)
    return copy / "dist"


@pytest.fixture(scope="session")
def wheel(built: Path) -> Path:
    """The wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def install(wheel: Path) -> Iterator[Callable[..., Path]]:
    """Create an environment with the wheel: with all requirements, or with ``requirement`` alone."""
    made: dict[tuple[str, str], Path] = {}
    # Not in pytest's own directory, which each new session closes to other users: root's PostgreSQL runs as one.
    directory = Path(tempfile.mkdtemp(prefix="lens"))

    def make(python: str, requirement: str = "") -> Path:
        if (python, requirement) not in made:
            environment = directory / str(len(made))
            environment.mkdir()
            run(python, "-m", "venv", environment, cwd=environment)
            pip = [environment / "bin/python", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
            hashed = ["--require-hashes", "--only-binary", ":all:", "-r", ROOT / "requirements.txt"]
            pinned = ["--constraint", ROOT / "constraints.txt", requirement]
            ended = try_to_run(*pip, *(pinned if requirement else hashed), cwd=environment)
            offline = any(words in ended.stderr for words in NO_REGISTRY)
            if ended.returncode and offline:
                skip_outside_ci("pip reaches no registry to install the wheel's requirements from")
            assert ended.returncode == 0, ended.stderr
            if not requirement:
                run(*pip, "--no-deps", "--no-index", wheel, cwd=environment)
            made[python, requirement] = environment
        return made[python, requirement]

    yield make
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def environment(install: Callable[..., Path]) -> Path:
    """The environment of the interpreter that runs the tests."""
    return install(sys.executable)
