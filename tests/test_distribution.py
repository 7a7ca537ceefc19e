"""The wheel holds what it needs: built, installed into an empty environment and run there, outside the checkout."""

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from lens_perf import __version__
from tests.front.programs import skip_outside_ci
from tests.test_serving import free_port, wait_for

ROOT = Path(__file__).parent.parent
# A cluster that does not exist: what is asked of it has the status 503.
SETTINGS = '[clusters.alpha]\ndsn = "host=/nonexistent"\n'
DATA_FILES = {
    "lens_perf/py.typed",
    "lens_perf/performance/schema.sql",
    "lens_perf/web/pages/docs.html",
    "lens_perf/web/pages/docs.js",
    "lens_perf/web/pages/dashboard.html",
    "lens_perf/web/pages/dashboard/main.js",
    "lens_perf/web/pages/dashboard/dashboard.css",
    "lens_perf/web/pages/vendor/uPlot.esm.js",
    "lens_perf/web/pages/vendor/uPlot.min.css",
}
SOURCES_ONLY = {"wsgi.py", "Makefile", "constraints.txt", "config/gunicorn.conf.py", "config/lens_perf.toml"}
NO_REGISTRY = ("Connection broken", "Failed to establish", "NewConnectionError", "Retrying")


def run(*words: str | Path, cwd: Path) -> str:
    """Run a command, which must succeed, without the settings of whoever runs the tests, and return what it says."""
    ended = subprocess.run(words, cwd=cwd, env=clean_environment(), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def clean_environment() -> dict[str, str]:
    foreign = ("LENS_PERF_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution and the wheel, built from a copy of the checkout."""
    copy = tmp_path_factory.mktemp("checkout") / "lens_perf"
    unwanted = shutil.ignore_patterns(
        ".*", "var", "build", "dist", "_build", "*.egg-info", "__pycache__", "node_modules"
    )
    shutil.copytree(ROOT, copy, ignore=unwanted)
    shutil.copy(ROOT / ".pre-commit-config.yaml", copy)
    # No isolation: what builds is what make has installed, and nothing is fetched.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", copy / "dist", copy, cwd=copy)
    return copy / "dist"


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= DATA_FILES
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "lens_perf").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name.partition("/")[0] for name in names} == {"lens_perf", f"lens_perf-{__version__}.dist-info"}
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_source_distribution_holds_what_a_deployment_uses(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    listed = run("tar", "-tzf", path, cwd=built).splitlines()
    names = {name.partition("/")[2] for name in listed}
    assert names >= SOURCES_ONLY | DATA_FILES | {"docs/index.rst", "tests/conftest.py"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin directory of an environment that holds the wheel and what it requires."""
    environment = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", environment, cwd=environment)
    install = ["bin/python", "-m", "pip", "install", "-q", "--constraint", str(ROOT / "constraints.txt"), str(wheel)]
    ended = subprocess.run(install, cwd=environment, capture_output=True, text=True, check=False)
    offline = any(words in ended.stderr for words in NO_REGISTRY)
    if ended.returncode and offline:
        skip_outside_ci("pip reaches no registry to install the wheel's requirements from")
    assert ended.returncode == 0, ended.stderr
    return environment / "bin"


def test_the_command_runs(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "lens-perf", "--version", cwd=tmp_path) == f"lens-perf, version {__version__}\n"
    assert "check-config" in run(installed / "lens-perf", "--help", cwd=tmp_path)


def test_only_what_the_service_needs_is_installed(installed: Path, tmp_path: Path) -> None:
    listed = run(installed / "python", "-m", "pip", "list", "--format", "freeze", cwd=tmp_path).lower()
    assert "lens-perf" in listed or "lens_perf" in listed
    for name in ("numpy", "pixeltable", "pytest", "playwright"):
        assert name not in listed


@contextmanager
def serving(command: Sequence[str | Path], directory: Path) -> Iterator[str]:
    """Serve as ``command``, gunicorn's, says, in ``directory``, and return the address."""
    settings = directory / "lens_perf.toml"
    settings.write_text(SETTINGS, "utf-8")
    port = free_port()
    environment = {**clean_environment(), "LENS_PERF_CONFIG": str(settings)}
    words = [*command, "-b", f"127.0.0.1:{port}", "lens_perf.wsgi:app"]
    with subprocess.Popen(words, cwd=directory, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=20)


def test_gunicorn_serves_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    with serving([installed / "gunicorn", "--no-control-socket"], tmp_path) as address:
        page = requests.get(f"{address}/lens/docs", timeout=10)
        assert (page.status_code, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        for loaded in ("docs/docs.js", "docs/assets/swagger-ui-bundle.js", "docs/assets/swagger-ui.css"):
            assert requests.get(f"{address}/lens/{loaded}", timeout=10).status_code == 200, loaded
        for loaded in ("", "assets/dashboard/main.js", "assets/vendor/uPlot.esm.js"):
            assert requests.get(f"{address}/lens/{loaded}", timeout=10).status_code == 200, loaded
        assert requests.get(f"{address}/lens/openapi.json", timeout=10).json()["openapi"] == "3.0.3"
        sources = requests.get(f"{address}/lens/v1/workloads/w/metrics/sources", timeout=10)
        assert (sources.status_code, sources.json()["code"]) == (503, 503)
        assert sources.headers["Retry-After"]
