"""Bearer tokens: parsing the token file and finding the token of a secret. Stores digests only."""

import hashlib
import hmac
import json
import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lens_perf.errors import ConfigError
from lens_perf.toml_errors import describe_place

DIGEST = re.compile(r"[0-9a-f]{64}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TABLE_KEYS = {"sha256", "clusters", "created_at"}


@dataclass(frozen=True)
class Token:
    """One token: the SHA-256 of its secret in hexadecimal, and the clusters it may read, None for all."""

    name: str
    digest: str
    clusters: frozenset[str] | None
    created_at: str = ""

    def may_read(self, cluster: str) -> bool:
        """Return whether the token may read a cluster."""
        return self.clusters is None or cluster in self.clusters


def make_digest(secret: str) -> str:
    """Return the digest of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def find_token(tokens: Iterable[Token], secret: str) -> Token | None:
    """Return the token with this secret, or None, in a time that does not depend on any secret."""
    digest, found = make_digest(secret), None
    for token in tokens:
        if hmac.compare_digest(token.digest, digest):
            found = token
    return found


def parse_tokens(content: bytes, path: Path) -> tuple[Token, ...]:
    """Return the tokens of a token file's ``content``. Raises ConfigError, naming ``path`` and the key."""
    try:
        tables = tomllib.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        # Besides TOMLDecodeError: bytes that are not UTF-8, a number too long for int(), nesting too deep.
        raise ConfigError(f"{path}: is not valid TOML{describe_place(error)}") from None
    named = tables.get("tokens", {})
    if set(tables) - {"tokens"} or not isinstance(named, dict):
        raise ConfigError(f"{path}: expected [tokens.NAME] tables and nothing else")
    tokens = tuple(_read_token(path, name, table) for name, table in named.items())
    by_digest = {token.digest: token.name for token in tokens}
    for token in tokens:
        other = by_digest[token.digest]
        if other != token.name:
            raise ConfigError(
                f"{path}: tokens.{token.name}.sha256: expected a value different from that of tokens.{other}"
            )
    return tokens


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


def format_tokens(tokens: Iterable[Token]) -> bytes:
    """Return the content of a token file.

    The digest is the last key of each table: a truncated file is invalid or lacks tokens, but extends none.
    """
    return "\n".join(map(_format_token, tokens)).encode()


def _format_token(token: Token) -> str:
    lines = [f'[tokens."{token.name}"]', f"created_at = {_quote(token.created_at)}"]
    if token.clusters is not None:
        lines.append(f"clusters = [{', '.join(map(_quote, sorted(token.clusters)))}]")
    lines.append(f'sha256 = "{token.digest}"')
    return "\n".join(lines) + "\n"


def _quote(text: str) -> str:
    """Return ``text`` as a basic string of TOML: as in JSON, but with DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
