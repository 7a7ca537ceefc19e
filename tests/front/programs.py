"""The programs that tests start and pip does not install: their packages, and how they are found.

A test that starts one is marked ``@needs("nginx", ...)``. Where the program is missing, the test is skipped before any
of its fixtures opens anything; in CI it fails. ``pytest --bare`` is for a machine that has none of them: the marked
tests are skipped there in CI too, and a program that is found all the same is an error.
"""

import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

# The Debian package of each.
PACKAGES: Mapping[str, str] = {
    "chromium": "chromium-headless-shell",
    "kubectl": "kubernetes-client",
    "nginx": "nginx-light",
    "openssl": "openssl",
    "pgbouncer": "pgbouncer",
    "postgres": "postgresql",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
    "systemd-sysusers": "systemd",
}
# The names of a program, the preferred one first. Without its windows, the browser needs half of the time for a page.
NAMES: Mapping[str, Sequence[str]] = {"chromium": ("chromium-headless-shell", "chromium", "chromium-browser")}
# Debian keeps servers out of a user's PATH: in the sbin beside a bin, PostgreSQL in a directory for each version.
BESIDE_BIN = ("sbin", "lib/postgresql/*/bin")
BARE = "--bare"

needs = pytest.mark.needs


def locate_program(name: str) -> str | None:
    """Return the path of a program, or None if it is not installed."""
    searched = os.pathsep.join(_list_directories())
    found = (shutil.which(each, path=searched) for each in NAMES.get(name, (name,)))
    return next(filter(None, found), None)


def _list_directories() -> list[str]:
    listed = [Path(entry) for entry in os.environ.get("PATH", "").split(os.pathsep) if entry]
    parents = [directory.parent for directory in listed if directory.name == "bin"]
    beside = [sorted(parent.glob(pattern), reverse=True) for parent in parents for pattern in BESIDE_BIN]
    return [str(directory) for directory in itertools.chain(listed, *beside)]


def find_program(name: str) -> str:
    """Return the path of a program.

    Raises LookupError where it is not installed: the test lacks the mark that skips it there.
    """
    found = locate_program(name)
    if found is None:
        raise LookupError(f"{name} is not installed: {_advise(name)}; a test that starts it is marked @needs({name!r})")
    return found


def skip_without_programs(item: pytest.Item) -> None:
    """Skip a test if a program that it needs is missing; in CI, fail it."""
    for marker in item.iter_markers("needs"):
        for name in marker.args:
            if locate_program(name) is None:
                skip_outside_ci(f"{name} is not installed: {_advise(name)}", item.config.getoption(BARE))


def skip_outside_ci(reason: str, expected: bool = False) -> None:
    """Skip the running test because of a missing program; in CI, fail it unless ``expected``."""
    (pytest.fail if os.environ.get("CI") and not expected else pytest.skip)(reason)


def check_bare() -> None:
    """Raise pytest.UsageError if a program that a bare machine lacks is found."""
    found = [path for path in map(locate_program, PACKAGES) if path is not None]
    if found:
        raise pytest.UsageError(f"{BARE}: this machine is not bare, it has {', '.join(found)}")


def _advise(name: str) -> str:
    return f"apt-get install {PACKAGES[name]}"


@contextmanager
def open_directory(user: str | None = None) -> Iterator[Path]:
    """Make a directory that other users may enter; for root's tests, it belongs to ``user``.

    Short, because the path of a Unix socket may have only 107 bytes.
    """
    directory = Path(tempfile.mkdtemp(prefix="front", dir="/tmp"))
    directory.chmod(0o755)
    if user is not None and os.geteuid() == 0:
        shutil.chown(directory, user)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
