"""Asks every request to the API for a token that may read the cluster it asks, where tokens are in use."""

from pathlib import Path

from flask import Flask, request

from lens_perf.access.tokens import Token, TokenFile
from lens_perf.config import Settings
from lens_perf.errors import ForbiddenError, UnauthorizedError
from lens_perf.instrumentation.timing import note_token, phase

# The blueprint of what tokens guard. The rule that matched decides, never the path: no spelling of it opens anything.
GUARDED_BLUEPRINT = "metrics"
SCHEME = "bearer"


def install_access_check(app: Flask, settings: Settings) -> None:
    """Guard the API of ``app`` if there is a token file. Raises ConfigError if that is bad."""
    if settings.access.token_file is None:
        return
    tokens = TokenFile(Path(settings.access.token_file))

    def check() -> None:
        if request.blueprint != GUARDED_BLUEPRINT or request.method == "OPTIONS":
            return
        with phase("auth"):
            token = _authenticate(tokens, request.headers.get("Authorization", ""))
            note_token(token.name)
            # Of a cluster that it may not read, a token learns nothing, not even whether there is one.
            if not token.may_read(request.args.get("cluster") or settings.fallback_cluster):
                raise ForbiddenError("The token may not read this cluster")

    app.before_request(check)


def _authenticate(tokens: TokenFile, header: str) -> Token:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != SCHEME or not secret.strip():
        raise UnauthorizedError("A token is needed: Authorization: Bearer ...", was_given=False)
    token = tokens.find(secret.strip())
    if token is None:
        raise UnauthorizedError("The token is not valid", was_given=True)
    return token
