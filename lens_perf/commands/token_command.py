"""``lens-perf token``: makes, lists and revokes the bearer tokens of the service."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from lens_perf.access.token_file import create_token, describe_readers, load_tokens, revoke_token
from lens_perf.commands.options import config_option, tells_errors
from lens_perf.config import Settings, load_settings
from lens_perf.errors import ConfigError


@click.group("token")
def token_group() -> None:
    """Make, list and revoke the tokens that callers send as Authorization: Bearer."""


@token_group.command("create")
@click.argument("name")
@click.option("--cluster", "clusters", multiple=True, help="A cluster it may read; repeatable. All, if none is named.")
@config_option
@tells_errors
def create(name: str, clusters: Sequence[str], config: Path | None) -> None:
    """Make a token called NAME and print its secret, once: it is kept nowhere."""
    settings = load_settings(config)
    for cluster in clusters:
        if cluster not in settings.clusters:
            raise ConfigError(f"--cluster {cluster}: expected the name of one of the clusters of {settings.path}")
    path = _find_file(settings)
    print(create_token(path, name, clusters, settings.path))
    _warn_of_readers(path)


@token_group.command("list")
@config_option
@tells_errors
def list_tokens(config: Path | None) -> None:
    """List the tokens: name, when it was made, and what it may read."""
    for token in load_tokens(_find_file(load_settings(config))):
        clusters = "all clusters" if token.clusters is None else ", ".join(sorted(token.clusters)) or "no cluster"
        print(f"{token.name}  {token.created_at or '-'}  {clusters}")


@token_group.command("revoke")
@click.argument("name")
@config_option
@tells_errors
def revoke(name: str, config: Path | None) -> None:
    """Revoke the token NAME. Running services that can read the file notice within a second."""
    path = _find_file(load_settings(config))
    revoke_token(path, name)
    _warn_of_readers(path)


def _warn_of_readers(path: Path) -> None:
    """Say on standard error whom the change does not reach; the secret alone goes to standard output."""
    if warning := describe_readers(path):
        print(f"lens-perf: {warning}", file=sys.stderr)


def _find_file(settings: Settings) -> Path:
    if settings.access.token_file is None:
        raise ConfigError(f"{settings.path}: access.token_file: is missing; expected the name of the file of tokens")
    return Path(settings.access.token_file)
