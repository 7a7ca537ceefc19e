"""Finds known vulnerabilities of the packages that a deployment installs: ``python -m tests.audit``.

It runs pip-audit, which also exits with 0 if its database knows none of the packages. Here that is
"skipped", with the reason, and a result for only some of them is a failure.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REQUIREMENTS = Path(__file__).parent.parent / "requirements.txt"
# Words in the errors of requests and urllib3 for a host without an address, or one that refuses or times out.
UNREACHABLE = ("ConnectionError", "ConnectTimeout", "ReadTimeout")


def audit(requirements: Path, arguments: Sequence[str]) -> tuple[str, int]:
    """Return the findings about the packages of a file with hashes, and the exit status: 0 without findings.

    ``arguments`` are pip-audit's, such as ``--vulnerability-service osv --osv-url ADDRESS`` for a mirror.
    """
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--requirement", requirements]
    options = ["--format", "json", "--progress-spinner", "off", *arguments]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    try:
        packages = json.loads(ended.stdout)["dependencies"]
    except ValueError:
        if any(word in ended.stderr for word in UNREACHABLE):
            return "skipped: no database of vulnerabilities can be reached", 0
        return ended.stderr, 2
    return judge(packages)


def judge(packages: Sequence[Any]) -> tuple[str, int]:
    """Return the findings and the exit status for pip-audit's list of packages."""
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    found = [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or 'none'}"
        for package in packages
        for each in package.get("vulns", [])
    ]
    if len(unknown) == len(packages):
        return "skipped: the database of vulnerabilities knows none of the packages", 0
    if unknown:
        found.append(f"not audited: {', '.join(unknown)}")
    return "\n".join(found) or f"no known vulnerability in {len(packages)} packages", bool(found)


def main() -> int:
    """Audit requirements.txt."""
    parser = argparse.ArgumentParser(prog="python -m tests.audit", description=__doc__)
    _, arguments = parser.parse_known_args()
    words, status = audit(REQUIREMENTS, arguments)
    print(words)
    return status


if __name__ == "__main__":
    sys.exit(main())
