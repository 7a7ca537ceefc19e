"""Opaque tokens that clients store and send back: JSON arrays in URL-safe base64."""

import hashlib
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

# A cursor has to fit into a request line, which gunicorn limits to 8,190 bytes.
LONGEST_TOKEN = 4_000


class NotATokenError(ValueError):
    """The text is not a token of this service, or is one of another query."""


def write_token(*values: Any) -> str:
    """Return a text for ``read_token`` whose characters need no escaping in a URL or an ETag."""
    return urlsafe_b64encode(json.dumps(values, separators=(",", ":")).encode()).decode().rstrip("=")


def read_token(text: str, longest: int | None = LONGEST_TOKEN) -> list[Any]:
    """Return the values in ``text``. Raises NotATokenError, also if it has more than ``longest`` characters."""
    try:
        if (longest is not None and len(text) > longest) or not text.isascii():
            raise NotATokenError
        values = json.loads(urlsafe_b64decode(text.encode() + b"=="))
    except (ValueError, RecursionError):
        raise NotATokenError from None
    if type(values) is not list:
        raise NotATokenError
    return values


def is_token_value(value: object, kind: object) -> bool:
    """Return whether ``value`` has the type ``kind``; an integer must be a non-negative bigint."""
    if type(value) is int:
        return kind in (int, int | None) and 0 <= value < 2**63
    return (value is None and kind == int | None) or (type(value) is str and kind is str)


def digest(*query: object) -> str:
    """Return a digest of ``query``: 18 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(query, default=str).encode(), digest_size=9).hexdigest()
