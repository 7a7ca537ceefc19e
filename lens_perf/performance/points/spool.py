"""The body of an answer as it grows: in memory up to a limit, in an unnamed temporary file beyond.

It is finished before the first byte is sent: its length is exact, a failure is an honest status, and a slow client
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
    """A finished body of ``size`` bytes: in ``file``, at its start, or, if it was small, in ``content``.

    ``sampling`` says how its data points were chosen, if not all are there.
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

    A block that fails for want of room for a temporary file raises TemporarySpaceError.

    tempfile's SpooledTemporaryFile moves to a file only after a write went beyond its limit; here a writer of large
    blocks says so beforehand, and gets the file itself, for libraries that write to a file descriptor.
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
        """Return the file to which about ``size`` bytes can be appended now; it is unbuffered, or in memory."""
        return self.move_to_file() if self._file.tell() + size > self._memory_bytes else self._file

    def move_to_file(self) -> IO[bytes]:
        """Return the temporary file, to which all goes from now on."""
        if isinstance(self._file, io.BytesIO):
            held = self._file
            # Unbuffered files are raw, which the annotations of the standard library know as another type.
            self._file = cast("IO[bytes]", TemporaryFile(buffering=0))  # noqa: SIM115 - outlives the method
            _write_all(self._file, held.getbuffer())
        return self._file

    def drop_last(self, size: int) -> None:
        """Take the last ``size`` bytes back."""
        self._file.seek(-size, io.SEEK_CUR)
        self._file.truncate()

    def restart(self) -> None:
        """Begin again, in another file: a writer that has failed may go on writing to the one before."""
        self.close()
        self._file = io.BytesIO()

    def open_scratch(self) -> IO[bytes]:
        """Open a temporary file for what is not yet in order; it is closed with the body."""
        scratch = TemporaryFile()  # noqa: SIM115 - closed by finish or close
        self._scratch.callback(_close, scratch)
        return scratch

    def close(self) -> None:
        """Give the body up."""
        self._scratch.close()
        _close(self._file)

    def finish(self) -> PointBody:
        """Return the body, which is complete."""
        self._scratch.close()
        size = self._file.tell()
        if isinstance(self._file, io.BytesIO):
            with self._file:
                return PointBody(size, self._file.getvalue(), None)
        self._file.seek(0)
        if size <= self._memory_bytes:
            # A library that needs a file wrote little to it.
            with self._file:
                return PointBody(size, self._file.read(), None)
        return PointBody(size, None, self._file)


def _close(file: IO[bytes]) -> None:
    """Close a file for good, also one that still holds what there is no room to write."""
    with suppress(OSError):
        file.close()


def _write_all(file: IO[bytes], content: bytes | memoryview) -> None:
    """Write all of ``content``: an unbuffered file may take less at once."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
