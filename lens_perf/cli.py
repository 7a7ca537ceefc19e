"""The ``lens-perf`` command: what an operator does beside serving. It prints for people; status 2 is a user's error."""

from collections.abc import Sequence
from pathlib import Path

import click
import psycopg2

from lens_perf import __version__
from lens_perf.access.token_file import find_other_writers, load_tokens
from lens_perf.capacity import count_connections, count_tasks, count_workers
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.columns_command import columns_group
from lens_perf.commands.import_command import import_files
from lens_perf.commands.options import DIRECTORY, FILE, config_option, tells_errors
from lens_perf.commands.reading_commands import export, list_workloads, show
from lens_perf.commands.token_command import token_group
from lens_perf.commands.watch_command import watch
from lens_perf.config import Settings, load_settings
from lens_perf.errors import LensError
from lens_perf.interruption import INTERRUPTION
from lens_perf.performance.schema import can_read_table, create_schema, find_missing_indexes, has_table
from lens_perf.performance.table_check import find_conditions, find_obstacle, list_warnings


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lens-perf")
def main() -> None:
    """Look after a lens_perf service: its settings, its tables, its data."""


@main.command("check-config")
@click.argument("file", type=FILE, required=False)
@tells_errors
def check_config(file: Path | None) -> int:
    """Say whether the settings are good and whether each cluster answers and has what the service needs.

    FILE defaults to the one that LENS_PERF_CONFIG names. Exit status 1: a cluster is not ready.
    """
    settings = load_settings(file)
    registry, workers = ClusterRegistry(settings), count_workers()
    connections = count_connections(settings, workers)
    print("The settings are good.")
    _check_token_file(settings)
    tasks = count_tasks(settings, workers)
    print(
        f"With {workers} workers: up to {tasks} processes and threads, and {connections} connections to each cluster."
    )
    ready = [_check_cluster(registry, name, connections) for name in registry.names]
    return 0 if all(ready) else 1


def _check_token_file(settings: Settings) -> None:
    """Print the findings about the token file, if there is one. Raises ConfigError if it is bad."""
    if settings.access.token_file is None:
        return
    path = Path(settings.access.token_file)
    tokens = load_tokens(path)
    print(f"The token file is good. Number of tokens: {len(tokens)}")
    unknown = {name for token in tokens for name in token.clusters or () if name not in settings.clusters}
    findings = [f"tokens name {name}, which is not a cluster" for name in sorted(unknown)]
    for finding in [*find_other_writers(path), *findings]:
        print(f"  warning: {finding}")


def _check_cluster(registry: ClusterRegistry, name: str, connections: int) -> bool:
    """Print the findings about one cluster; return whether it can serve."""
    try:
        with registry.open_connection(name) as connection:
            findings, ready = _inspect(connection, connections)
    except LensError as error:
        findings, ready = [error.message], False
    print(f"{name}: {'ready' if ready else 'NOT READY'}")
    for finding in findings:
        print(f"  {finding}")
    return ready


def _inspect(connection: psycopg2.extensions.connection, connections: int) -> tuple[list[str], bool]:
    if not has_table(connection):
        return ["has no table training_performance: lens-perf db init creates it"], False
    if not can_read_table(connection):
        return ["its role may not SELECT from training_performance: grant it"], False
    conditions = find_conditions(connection)
    if obstacle := find_obstacle(conditions):
        return [obstacle], False
    missing = [
        f"lacks the recommended index ({index.columns}), for {index.serves}: lens-perf db init creates it"
        for index in find_missing_indexes(connection)
    ]
    return ["answers, has the table", *list_warnings(conditions, connections), *missing], True


@main.group("db")
def database() -> None:
    """Look after the table of a cluster."""


@database.command("init")
@click.option("--cluster", required=True, help="Name of the cluster.")
@config_option
@tells_errors
def init_database(cluster: str, config: Path | None) -> None:
    """Create the table and the recommended indexes where they are missing; change nothing else."""
    registry = ClusterRegistry(load_settings(config))
    with registry.open_connection(cluster) as connection:
        made = create_schema(connection)
    print(f"{cluster}: created {', '.join(made)}" if made else f"{cluster}: nothing was missing")


main.add_command(import_files)
main.add_command(token_group)
main.add_command(columns_group)
main.add_command(list_workloads)
main.add_command(show)
main.add_command(export)
main.add_command(watch)


@main.command("demo")
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port on 127.0.0.1.")
@click.option("--directory", type=DIRECTORY, default=Path("var/demo"), show_default=True, help="Where data are kept.")
@click.option("--gunicorn-config", type=FILE, help="gunicorn's settings file.")
@click.argument("data", type=FILE, nargs=-1)
@tells_errors
def demo(port: int, directory: Path, gunicorn_config: Path | None, data: Sequence[Path]) -> int:
    """Serve a live demonstration on an embedded PostgreSQL, with the logs DATA as further workloads."""
    from lens_perf.demo.server import run_demo  # noqa: PLC0415 - needs the demo extra, which a deployment has not

    # It has handlers of its own: what it has started is to be stopped.
    with INTERRUPTION.replaced_by(lambda: None):
        return run_demo(directory, port, data, gunicorn_config)
