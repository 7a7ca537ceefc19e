"""The body of a response while it is written: in memory up to a limit, then in an unnamed temporary file.

It is complete before the first byte is sent, so its length is exact, a failure has its own status, and a slow client
holds no connection to the database.
"""

import io
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import IO, Any, Self, cast

from lens_perf.performance.points.full_disk import raise_if_no_room

BLOCK_BYTES = 2**20


@dataclass(frozen=True)
class PointBody:
    """A complete body of ``size`` bytes: at the start of ``file``, or, if it is small, in ``content``.

    ``sampling`` describes how its data points were sampled, if they were.
    """

    size: int
    content: bytes | None
    file: IO[bytes] | None
    sampling: Mapping[str, Any] | None = None

    def open(self) -> IO[bytes]:
        """Return the file, or one in memory."""
        return io.BytesIO(self.content or b"") if self.file is None else self.file


class Spool:
    """A file of bytes. Used as a context manager, it closes itself when the block fails.

    A block that fails for lack of space for a temporary file raises TemporarySpaceError.

    tempfile's SpooledTemporaryFile moves to a file only after a write has exceeded its limit; here a writer of large
    blocks reserves space beforehand, and gets the file itself, for libraries that write to a file descriptor.
    """

    def __init__(self, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._file: IO[bytes] = io.BytesIO()
        self._scratch = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, failure: BaseException | None, *_rest: object) -> None:
        if failure is not None:
            self.close()
            raise_if_no_room(failure)

    def write(self, content: bytes) -> None:
        """Append ``content``."""
        _write_all(self.reserve(len(content)), content)

    def append(self, body: PointBody) -> None:
        """Append another body, and close it."""
        with body.open() as source:
            while block := source.read(BLOCK_BYTES):
                self.write(block)

    def reserve(self, size: int) -> IO[bytes]:
        """Return the file, unbuffered or in memory, to which about ``size`` bytes can be appended."""
        return self.move_to_file() if self._file.tell() + size > self._memory_bytes else self._file

    def move_to_file(self) -> IO[bytes]:
        """Return the temporary file, which is used from now on."""
        if isinstance(self._file, io.BytesIO):
            held = self._file
            # Unbuffered files are raw, which the annotations of the standard library know as another type.
            self._file = cast("IO[bytes]", TemporaryFile(buffering=0))  # noqa: SIM115 - used after the method returns
            _write_all(self._file, held.getbuffer())
        return self._file

    def drop_last(self, size: int) -> None:
        """Remove the last ``size`` bytes."""
        self._file.seek(-size, io.SEEK_CUR)
        self._file.truncate()

    def restart(self) -> None:
        """Start again in another file, since a failed writer may still write to the previous one."""
        self.close()
        self._file = io.BytesIO()

    def open_scratch(self) -> IO[bytes]:
        """Open a temporary file for sorting; it is closed with the body."""
        scratch = TemporaryFile()  # noqa: SIM115 - closed by finish or close
        self._scratch.callback(_close, scratch)
        return scratch

    def close(self) -> None:
        """Discard the body."""
        self._scratch.close()
        _close(self._file)

    def finish(self) -> PointBody:
        """Return the complete body."""
        self._scratch.close()
        size = self._file.tell()
        if isinstance(self._file, io.BytesIO):
            with self._file:
                return PointBody(size, self._file.getvalue(), None)
        self._file.seek(0)
        if size <= self._memory_bytes:
            # Small, but written by a library that needs a file.
            with self._file:
                return PointBody(size, self._file.read(), None)
        return PointBody(size, None, self._file)


def _close(file: IO[bytes]) -> None:
    """Close a file, even if its buffer cannot be written."""
    with suppress(OSError):
        file.close()


def _write_all(file: IO[bytes], content: bytes | memoryview) -> None:
    """Write all of ``content``: an unbuffered file may accept less at once."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
