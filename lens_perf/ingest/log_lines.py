"""The lines of a training log, plain or gzipped, one at a time, freed of what terminals and launchers added."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

from lens_perf.errors import ImportInputError

GZIP_MAGIC = b"\x1f\x8b"
ANSI_CODE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of ``path`` without their ends; bytes that are not UTF-8 become U+FFFD.

    Raises ImportInputError when the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            zipped = file.read(len(GZIP_MAGIC)) == GZIP_MAGIC
            file.seek(0)
            for line in gzip.GzipFile(fileobj=file) if zipped else file:
                yield line.decode("utf-8", "replace").rstrip("\r\n")
    except (OSError, EOFError) as error:
        raise ImportInputError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None


def strip_colours(line: str) -> str:
    """Return ``line`` without terminal colour codes."""
    return ANSI_CODE.sub("", line) if "\x1b" in line else line
