"""The current tokens of the token file in each worker process; the last valid content is shared by the processes."""

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
# Each process reports an invalid file again after this time.
REPORT_SECONDS = 60.0
# A file can change twice within one tick of its clock, so a file written this recently is read again.
SETTLED_NS = 2_000_000_000
NEVER = float("-inf")


class SharedContent:
    """The last valid content of the file, in memory that a process shares with those forked from it.

    It is written under the lock under which the file was read, so it is never older than what any process knows: a
    process that cannot read the file accepts no token that another process knows to be revoked.
    """

    def __init__(self) -> None:
        self._file = _open_anonymous_file()
        weakref.finalize(self, os.close, self._file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock during the block. The kernel releases the lock of a killed process."""
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
        """Return the content, or None if a process was killed while writing it."""
        raw = os.pread(self._file, os.fstat(self._file).st_size, 0)
        digest, content = raw[:32], raw[32:]
        return content if digest == hashlib.sha256(content).digest() else None


def _open_anonymous_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("lens_perf-tokens")
    # Only Linux has files in memory.
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class CurrentTokens:
    """The tokens of a file that is checked at most once a second, and read again when it has changed.

    Raises ConfigError if the file is invalid at first. While it is invalid later, the last valid content that any of
    the processes has read is used; if that is lost, no token is accepted.
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
        # A process that is forked later checks the file before it accepts a token.
        self._checked_at = NEVER

    def find(self, secret: str) -> Token | None:
        """Return the token with this secret, or None. Raises TokensUnavailableError if tokens cannot be checked."""
        self.check_file()
        tokens = self._tokens
        if tokens is None:
            raise TokensUnavailableError("Tokens cannot be checked now: the service cannot read its token file")
        return find_token(tokens, secret)

    def check_file(self) -> bool:
        """Read the file if it has changed; return whether it was readable and valid, at most a second ago."""
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            with self._lock:
                # Other threads wait here, so that none continues with the old content.
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
