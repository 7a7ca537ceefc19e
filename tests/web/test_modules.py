"""The modules of the dashboard that need no browser, by the tests beside them, which node runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.front.programs import skip_outside_ci

TESTS = sorted((Path(__file__).parent / "modules").glob("*.test.mjs"))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.mjs"))
def test_modules(path: Path) -> None:
    node = shutil.which("node", path=f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}")
    if node is None:
        skip_outside_ci("needs node")
    # The pages have no package.json, by which older versions of node would know modules.
    script = [node, "--no-warnings", "--experimental-default-type=module", "--test", str(path)]
    done = subprocess.run(script, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
