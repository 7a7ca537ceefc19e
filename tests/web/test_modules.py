"""Runs the tests of the dashboard's modules that need no browser, with node."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.front.programs import skip_outside_ci

# The version of node that recognises modules by their syntax, and no longer has the option.
DETECTING = 23
TESTS = sorted((Path(__file__).parent / "modules").glob("*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_modules(path: Path) -> None:
    node = shutil.which("node", path=f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}")
    if node is None:
        skip_outside_ci("needs node")
    # Older versions of node need a package.json to recognise modules, of which the pages have none, or this option.
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    as_modules = ["--experimental-default-type=module"] if int(version.strip("v").partition(".")[0]) < DETECTING else []
    script = [node, "--no-warnings", *as_modules, "--test", str(path)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
