"""The tokens as the file says now, in each worker process; the last good content is shared between the processes."""

import fcntl
import hashlib
import logging
import os
import tempfile
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lens_perf.access.token_file import Stamp, read_stamp, read_token_file
from lens_perf.access.tokens import Token, find_token, parse_tokens
from lens_perf.errors import ConfigError, TokensUnavailableError

log = logging.getLogger(__name__)

CHECK_SECONDS = 1.0
# A bad file is reported again after this time, by each process.
REPORT_SECONDS = 60.0
# A file can change twice within one tick of its clock: what was written so recently is read once more.
SETTLED_NS = 2_000_000_000
NEVER = float("-inf")


class SharedContent:
    """The content of the last good file, in memory that a process shares with those forked from it.

    It is written under the lock under which the file was read. So it is never older than what any process knows, and a
    process without a readable file accepts nothing that another one knows to be revoked.
    """

    def __init__(self) -> None:
        self._file = _open_anonymous_file()
        weakref.finalize(self, os.close, self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out. The kernel frees the lock of a process that is killed."""
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._file, fcntl.LOCK_UN)

    def write(self, content: bytes) -> None:
        """Replace the content."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, hashlib.sha256(content).digest() + content, 0)

    def read(self) -> bytes | None:
        """Return the content, or None if a process was killed while it wrote."""
        raw = os.pread(self._file, os.fstat(self._file).st_size, 0)
        digest, content = raw[:32], raw[32:]
        return content if digest == hashlib.sha256(content).digest() else None


def _open_anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lens_perf-tokens")
    # Linux alone has files without a file system.
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class CurrentTokens:
    """The tokens of a file that is checked once a second at most, and read again when it has changed.

    Raises ConfigError if the file is bad at first. While it is bad later, its last good content counts, as far as any
    process that shares it has read it; where that is lost, nothing is accepted.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._shared = SharedContent()
        self._tokens: tuple[Token, ...] | None = None
        self._stamp: Stamp | None = None
        self._error: str | None = None
        self._reported_at = NEVER
        with self._shared.locked():
            self._read()
        # A process that is forked later checks the file before it accepts anything.
        self._checked_at = NEVER

    def find(self, secret: str) -> Token | None:
        """Return the token whose secret it is, or None. Raises TokensUnavailableError if that cannot be known."""
        self.check_file()
        tokens = self._tokens
        if tokens is None:
            raise TokensUnavailableError("Tokens cannot be checked now: the service cannot read its token file")
        return find_token(tokens, secret)

    def check_file(self) -> bool:
        """Read the file if it has changed; return whether it could be read and is good, a second ago at most."""
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            with self._lock:
                # Others wait here, so that none goes on with what the file said before.
                if time.monotonic() - self._checked_at >= CHECK_SECONDS:
                    self._check()
                    self._checked_at = time.monotonic()
        return self._error is None

    def _check(self) -> None:
        try:
            unchanged = read_stamp(self._path) == self._stamp
        except OSError:
            unchanged = False
        if unchanged:
            self._report()
            return
        with self._shared.locked():
            try:
                self._read()
                self._error = None
            except ConfigError as error:
                content = self._shared.read()
                self._tokens = None if content is None else parse_tokens(content, self._path)
                self._error = error.message
        self._report()

    def _read(self) -> None:
        self._stamp = None
        content, stamp = read_token_file(self._path)
        if time.time_ns() - max(stamp.modified, stamp.changed) > SETTLED_NS:
            self._stamp = stamp
        self._tokens = parse_tokens(content, self._path)
        self._shared.write(content)

    def _report(self) -> None:
        if self._error is None:
            if self._reported_at != NEVER:
                log.info("%s: can be read again", self._path)
            self._reported_at = NEVER
        elif time.monotonic() - self._reported_at >= REPORT_SECONDS:
            self._reported_at = time.monotonic()
            effect = "no token is accepted" if self._tokens is None else "its last valid content is used"
            log.error("%s; %s until it can be read", self._error, effect)
