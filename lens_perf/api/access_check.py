"""Checks the token of every request to the API, if tokens are in use."""

from collections.abc import Sequence
from pathlib import Path

from flask import Flask, request

from lens_perf.access.current_tokens import CurrentTokens
from lens_perf.access.tokens import Token
from lens_perf.api.arguments import split_workload
from lens_perf.api.request_bodies import find_requested_cluster, list_requested_workloads
from lens_perf.errors import ForbiddenError, UnauthorizedError
from lens_perf.instrumentation import metrics
from lens_perf.instrumentation.timing import note_token, phase
from lens_perf.settings import Settings

# The blueprints that require tokens. The matched rule decides, not the path, so no spelling of a path bypasses the
# check.
GUARDED_BLUEPRINTS = frozenset({"metrics", "several", "listing"})
# Responses about many clusters leave out those that the token may not read.
LISTING_BLUEPRINT = "listing"
# Requests name a cluster with each workload.
SEVERAL_BLUEPRINT = "several"
TOKEN_KEY = "lens_perf.token"  # noqa: S105 - the key of the token in the environment of a request
SCHEME = "bearer"


def install_access_check(app: Flask, settings: Settings) -> None:
    """Require tokens for the API of ``app`` if there is a token file. Raises ConfigError if the file is invalid."""
    if settings.access.token_file is None:
        metrics.watch_token_file(None)
        return
    tokens = CurrentTokens(Path(settings.access.token_file))
    metrics.watch_token_file(tokens.check_file)

    def check() -> None:
        if request.blueprint not in GUARDED_BLUEPRINTS or request.method == "OPTIONS":
            return
        with phase("auth"):
            token = _authenticate(tokens, request.headers.get("Authorization", ""))
            note_token(token.name)
            request.environ[TOKEN_KEY] = token
            cluster = find_requested_cluster(request)
            if request.blueprint == LISTING_BLUEPRINT and not cluster:
                return
            requested = [cluster or settings.fallback_cluster]
            if request.blueprint == SEVERAL_BLUEPRINT:
                requested = [split_workload(text)[0] for text in list_requested_workloads(request)]
            # A token does not reveal whether a cluster that it may not read exists.
            if not all(map(token.may_read, requested)):
                raise ForbiddenError("The token may not read this cluster")

    app.before_request(check)


def list_readable(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the clusters ``names`` that the request may read: all, if no tokens are in use."""
    token: Token | None = request.environ.get(TOKEN_KEY)
    return tuple(name for name in names if token is None or token.may_read(name))


def list_granted(names: Sequence[str]) -> tuple[str, ...]:
    """Return those of the clusters ``names`` that the token of the request may read; none without a token."""
    token: Token | None = request.environ.get(TOKEN_KEY)
    return tuple(name for name in names if token is not None and token.may_read(name))


def _authenticate(tokens: CurrentTokens, header: str) -> Token:
    scheme, _, secret = header.partition(" ")
    if scheme.lower() != SCHEME or not secret.strip():
        raise UnauthorizedError("A token is required: send Authorization: Bearer TOKEN", was_given=False)
    token = tokens.find(secret.strip())
    if token is None:
        raise UnauthorizedError("The token is not valid", was_given=True)
    return token
