"""``lens-perf token``: creates, lists and revokes the bearer tokens of the service."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lens_perf.access.token_file import create_token, describe_readers, load_tokens, revoke_token
from lens_perf.commands.options import config_option, reports_errors
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError, StandardOutputError, UnknownClusterError
from lens_perf.settings import Settings


@click.group("token", short_help="Create, list and revoke tokens.")
def token_group() -> None:
    """Create, list and revoke the tokens that callers send as Authorization: Bearer."""


@token_group.command(
    "create", short_help="Create a token.", epilog="Example: lens-perf token create grafana --cluster alpha"
)
@click.argument("name")
@click.option(
    "--cluster", "clusters", multiple=True, help="A cluster that the token may read; repeatable. Default: all clusters."
)
@config_option
@reports_errors
def create(name: str, clusters: Sequence[str], config: Path | None) -> None:
    """Create a token named NAME and print its secret, which is not stored anywhere."""
    settings = load_settings(config)
    for cluster in clusters:
        if cluster not in settings.clusters:
            raise UnknownClusterError(cluster, tuple(settings.clusters))
    path = _find_file(settings)
    secret = create_token(path, name, clusters, settings.path)
    try:
        print(secret, flush=True)
    except (StandardOutputError, BrokenPipeError):
        # Nobody has the secret.
        revoke_token(path, name)
        raise StandardOutputError("standard output cannot be written, so no token was created") from None
    _warn_of_readers(path)


@token_group.command("list", short_help="List the tokens.", epilog="Example: lens-perf token list")
@config_option
@reports_errors
def list_tokens(config: Path | None) -> None:
    """List the tokens: name, time of creation, and the clusters they may read."""
    for token in load_tokens(_find_file(load_settings(config))):
        clusters = "all clusters" if token.clusters is None else ", ".join(sorted(token.clusters)) or "no cluster"
        print(f"{token.name}  {token.created_at or '-'}  {clusters}")


@token_group.command("revoke", short_help="Revoke a token.", epilog="Example: lens-perf token revoke grafana")
@click.argument("name")
@config_option
@reports_errors
def revoke(name: str, config: Path | None) -> None:
    """Revoke the token NAME. Running services that can read the file notice within a second."""
    path = _find_file(load_settings(config))
    revoke_token(path, name)
    _warn_of_readers(path)


def _warn_of_readers(path: Path) -> None:
    """Warn on standard error about services that cannot read the file; only the secret goes to standard output."""
    if warning := describe_readers(path):
        print(f"lens-perf: {warning}", file=sys.stderr)


def _find_file(settings: Settings) -> Path:
    if settings.access.token_file is None:
        raise ConfigError(
            f"{settings.path}: this service uses no tokens; to use some, set access.token_file to the path of a file"
        )
    return Path(settings.access.token_file)
