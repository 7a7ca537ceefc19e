"""The programs that tests start: found, or the test is skipped and says what to install; in CI it fails."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def find_program(name: str, package: str) -> str:
    """Return the path of a program of a Debian package."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{name} is not installed: apt-get install {package}")
    return found


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
