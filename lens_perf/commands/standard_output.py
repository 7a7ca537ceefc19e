"""The standard output of the process, which reports a failure to write as a LensError."""

import errno
import io
import os
import sys

from lens_perf.errors import StandardOutputError


class _Output(io.RawIOBase):
    """Writes to a descriptor; None if the process was started without standard output.

    After a failure, everything else is discarded: what is still in the buffers must not fail again at exit.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._has_failed = False

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        if self._descriptor is None:
            raise io.UnsupportedOperation
        return self._descriptor

    def isatty(self) -> bool:
        return self._descriptor is not None and os.isatty(self._descriptor)

    def write(self, content: bytes) -> int:  # type: ignore[override]  # mypy does not know of all buffers
        """Write all of ``content``. Raises BrokenPipeError if there is no reader, else StandardOutputError."""
        view = memoryview(content)
        try:
            while view and not self._has_failed:
                view = view[self._write_some(view) :]
        except BrokenPipeError:
            raise
        except OSError as error:
            self._has_failed = True
            raise StandardOutputError(f"standard output: {error.strerror}") from None
        return len(content)

    def _write_some(self, content: memoryview) -> int:
        if self._descriptor is None:
            raise OSError(errno.EBADF, "it is closed")
        return os.write(self._descriptor, content)


def open_standard_output() -> None:
    """Replace ``sys.stdout`` by a stream of the same kind that raises StandardOutputError."""
    before = sys.stdout
    # Without a descriptor 1, sys.stdout is None, print() does nothing, and the next file gets this descriptor.
    if not isinstance(before, io.TextIOWrapper):
        sys.stdout = io.TextIOWrapper(io.BufferedWriter(_Output(None)), "utf-8")
        return
    raw = _Output(before.fileno())
    sys.stdout = io.TextIOWrapper(
        raw if before.write_through else io.BufferedWriter(raw),
        before.encoding,
        # An encoding other than UTF-8 lacks characters of names; escape sequences replace them.
        "backslashreplace",
        newline="\n",
        line_buffering=before.line_buffering,
        write_through=before.write_through,
    )
