"""The body of a response: written to memory up to a limit, then to an unnamed temporary file.

It is complete before it is sent, so its length and its status are exact, and a slow client occupies no connection.
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
        """Return the body as a file, which the caller closes."""
        return io.BytesIO(self.content or b"") if self.file is None else self.file


class Spool:
    """A body that is being written, at most ``memory_bytes`` of it in memory.

    As a context manager, it is closed if the block fails. A failure because of a lack of space for temporary files
    raises TemporarySpaceError.

    It differs from tempfile.SpooledTemporaryFile: space is reserved before a large block is written, and libraries that
    need a file descriptor get the file itself.
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
        """Append and close another body."""
        with body.open() as source:
            while block := source.read(BLOCK_BYTES):
                self.write(block)

    def reserve(self, size: int) -> IO[bytes]:
        """Return an unbuffered file, or one in memory, for appending about ``size`` bytes."""
        return self.move_to_file() if self._file.tell() + size > self._memory_bytes else self._file

    def move_to_file(self) -> IO[bytes]:
        """Move the content to a temporary file, unless it is there already, and return the file."""
        if isinstance(self._file, io.BytesIO):
            held = self._file
            # The annotations of the standard library have another type for unbuffered files.
            self._file = cast("IO[bytes]", TemporaryFile(buffering=0))  # noqa: SIM115 - used after the method returns
            _write_all(self._file, held.getbuffer())
        return self._file

    def drop_last(self, size: int) -> None:
        """Remove the last ``size`` bytes."""
        self._file.seek(-size, io.SEEK_CUR)
        self._file.truncate()

    def restart(self) -> None:
        """Discard the content. The next file is another one, because a failed writer may still use this one."""
        self.close()
        self._file = io.BytesIO()

    def open_scratch(self) -> IO[bytes]:
        """Open a temporary file, which is closed when the body is complete or discarded."""
        scratch = TemporaryFile()  # noqa: SIM115 - closed by finish or close
        self._scratch.callback(_close, scratch)
        return scratch

    def close(self) -> None:
        """Discard the content, and close the files."""
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
            # A library that needs a file wrote a small body.
            with self._file:
                return PointBody(size, self._file.read(), None)
        return PointBody(size, None, self._file)


def _close(file: IO[bytes]) -> None:
    """Close a file, also if its buffer cannot be written."""
    with suppress(OSError):
        file.close()


def _write_all(file: IO[bytes], content: bytes | memoryview) -> None:
    """Write all of ``content``; one call of an unbuffered file may write less."""
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
