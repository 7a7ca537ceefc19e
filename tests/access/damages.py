"""Ways in which a token file turns bad."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path


def cut_off(path: Path) -> None:
    """Leave the file as an editor or a copy that was interrupted."""
    path.write_bytes(path.read_bytes()[:-20])


def fill_with_noise(path: Path) -> None:
    """Leave bytes that are not text."""
    path.write_bytes(os.urandom(100) + b"\xff")


def put_directory(path: Path) -> None:
    """Leave what nobody can open as a file, as a wrong mount does; root, too, whom no mode stops."""
    path.unlink()
    path.mkdir()


def remove(path: Path) -> None:
    """Clear the place, whatever is there."""
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
