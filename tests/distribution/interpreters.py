"""Finds other Python interpreters of versions that the project supports."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEWEST_TRIED = 30


def oldest_admitted() -> int:
    """Return the N of the oldest Python 3.N that setup.cfg admits."""
    found = re.search(r"^python_requires = >=3\.(\d+)$", (ROOT / "setup.cfg").read_text("utf-8"), re.MULTILINE)
    assert found
    return int(found[1])


def find_interpreters() -> dict[str, Path]:
    """Return the oldest and the newest interpreter on the PATH, by version, as 3.N, without that of the tests."""
    directories = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    found: dict[str, Path] = {}
    for minor in range(oldest_admitted(), NEWEST_TRIED):
        paths = [directory / f"python3.{minor}" for directory in directories]
        usable = [path for path in paths if minor != sys.version_info.minor and path.exists() and _is_usable(path)]
        found |= {f"3.{minor}": path for path in usable[:1]}
    minors = sorted({sys.version_info.minor, *(int(version[2:]) for version in found)})
    ends = {f"3.{minor}" for minor in (minors[0], minors[-1])}
    return {version: path for version, path in found.items() if version in ends}


def _is_usable(path: Path) -> bool:
    return subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0
