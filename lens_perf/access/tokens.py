"""Bearer tokens: what the token file says of each, and whether a secret is one of them. Holds digests alone."""

import hashlib
import hmac
import logging
import os
import re
import secrets
import threading
import time
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lens_perf.errors import ConfigError

log = logging.getLogger(__name__)

SECRET_PREFIX = "lens_"  # noqa: S105 - marks a secret where one is leaked, is none
SECRET_BYTES = 32
DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LOOK_SECONDS = 1.0
TABLE_KEYS = {"sha256", "clusters", "created_at"}


@dataclass(frozen=True)
class Token:
    """One token: the SHA-256 of its secret in hexadecimal, and the clusters it may read, None for all."""

    name: str
    digest: str
    clusters: frozenset[str] | None
    created_at: str = ""

    def may_read(self, cluster: str) -> bool:
        """Tell whether the token is good for a cluster."""
        return self.clusters is None or cluster in self.clusters


def make_digest(secret: str) -> str:
    """Return what is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def find_token(tokens: Iterable[Token], secret: str) -> Token | None:
    """Return the token whose secret it is; how long that takes tells nothing of any secret."""
    digest, found = make_digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def load_tokens(path: Path) -> tuple[Token, ...]:
    """Load the token file. Raises ConfigError, naming the file and the key."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}; lens-perf token create makes it") from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise ConfigError(f"{path}: is not valid TOML") from None
    named = tables.get("tokens", {})
    if set(tables) - {"tokens"} or not isinstance(named, dict):
        raise ConfigError(f"{path}: expected [tokens.NAME] tables and nothing else")
    return tuple(_read_token(path, name, table) for name, table in named.items())


def _read_token(path: Path, name: str, table: Any) -> Token:
    where = f"{path}: tokens.{name}"
    if not NAME.fullmatch(name):
        raise ConfigError(f"{path}: a token's name is 1 to 64 letters, digits, dots, dashes and underscores")
    if not isinstance(table, dict) or set(table) - TABLE_KEYS:
        raise ConfigError(f"{where}: expected a table of {', '.join(sorted(TABLE_KEYS))}")
    digest, clusters = table.get("sha256"), table.get("clusters")
    if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
        raise ConfigError(f"{where}.sha256: expected 64 hexadecimal digits in lower case")
    if clusters is not None and (not isinstance(clusters, list) or not all(type(each) is str for each in clusters)):
        raise ConfigError(f"{where}.clusters: expected a list of names; without it, all clusters may be read")
    return Token(name, digest, None if clusters is None else frozenset(clusters), str(table.get("created_at", "")))


class TokenFile:
    """The tokens as the file says now: looked at once a second at most, and read again when it has changed.

    Raises ConfigError if the file is bad at first; when it turns bad later, the tokens stay as they were.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tokens = load_tokens(path)
        self._seen = self._look()
        # Not now: a process that is forked later is to look at its first request.
        self._looked_at = 0.0

    def find(self, secret: str) -> Token | None:
        """Return the token whose secret it is, or None."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS:
            self._reload()
        return find_token(self._tokens, secret)

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _reload(self) -> None:
        with self._lock:
            self._looked_at = time.monotonic()
            seen = self._look()
            if seen == self._seen:
                return
            self._seen = seen
            try:
                self._tokens = load_tokens(self._path)
            except ConfigError as error:
                log.warning("%s; the tokens stay as they were", error.message)


def create_token(path: Path, name: str, clusters: Sequence[str]) -> str:
    """Add a token to the file, which need not be there, and return its secret, which is kept nowhere.

    Without ``clusters`` it is good for all. Raises ConfigError if the file is bad or has the name.
    """
    if not NAME.fullmatch(name):
        raise ConfigError("a token's name is 1 to 64 letters, digits, dots, dashes and underscores")
    tokens = load_tokens(path) if path.exists() else ()
    if any(token.name == name for token in tokens):
        raise ConfigError(f"{path}: there is a token {name}; revoke it first, or choose another name")
    secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
    allowed = frozenset(clusters) if clusters else None
    _write_tokens(path, [*tokens, Token(name, make_digest(secret), allowed, _now())])
    return secret


def revoke_token(path: Path, name: str) -> None:
    """Take a token out of the file. Raises ConfigError if it is not there."""
    tokens = load_tokens(path)
    kept = [token for token in tokens if token.name != name]
    if len(kept) == len(tokens):
        raise ConfigError(f"{path}: there is no token {name}")
    _write_tokens(path, kept)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write_tokens(path: Path, tokens: Iterable[Token]) -> None:
    """Replace the file at once and whole, readable by its owner alone."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write("\n".join(map(_format_token, tokens)))
        unfinished.replace(path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}") from None


def _format_token(token: Token) -> str:
    lines = [f'[tokens."{token.name}"]', f'sha256 = "{token.digest}"', f'created_at = "{token.created_at}"']
    if token.clusters is not None:
        lines.append(f"clusters = [{', '.join(repr(name) for name in sorted(token.clusters))}]")
    return "\n".join(lines) + "\n"
