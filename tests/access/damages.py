"""Ways in which a token file can become invalid."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path


def cut_off(path: Path) -> None:
    """Truncate the file, as an interrupted editor or copy does."""
    path.write_bytes(path.read_bytes()[:-20])


def fill_with_noise(path: Path) -> None:
    """Replace the content by bytes that are not text."""
    path.write_bytes(os.urandom(100) + b"\xff")


def put_directory(path: Path) -> None:
    """Replace the file by a directory, as a wrong mount does. Not even root can open it as a file."""
    path.unlink()
    path.mkdir()


def remove(path: Path) -> None:
    """Remove the file or directory."""
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


DAMAGES: Mapping[str, Callable[[Path], None]] = {
    "cut off": cut_off,
    "noise": fill_with_noise,
    "removed": remove,
    "directory": put_directory,
}
