"""``lens-perf columns``: lists, drops and verifies the columnar copies of workloads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import config_option, tells_errors
from lens_perf.config import Settings, load_settings

if TYPE_CHECKING:
    from lens_perf.performance.columns.columns import Columns
    from lens_perf.performance.workload_copies import WorkloadCopies

cluster_option = click.option("--cluster", required=True, help="Name of the cluster.")
uid_argument = click.argument("workload_uid")


@click.group("columns")
def columns_group() -> None:
    """List, drop and verify the copies from which whole workloads are answered."""


@columns_group.command("list")
@config_option
@tells_errors
def list_copies(config: Path | None) -> None:
    """List the copies, the one used last first: cluster, workload, records, MiB, and when it was last used."""
    for copy in sorted(_open_columns(load_settings(config)).list(), key=lambda copy: -copy.used_at):
        used_at = datetime.fromtimestamp(copy.used_at, UTC).isoformat(timespec="seconds")
        name = f"{copy.key.cluster}  {copy.key.workload_uid}" if copy.key else f"{copy.directory}  unusable"
        print(f"{name}  {copy.records or '-'}  {copy.size / 2**20:.1f}  {used_at}")


@columns_group.command("drop")
@cluster_option
@uid_argument
@config_option
@tells_errors
def drop(cluster: str, workload_uid: str, config: Path | None) -> int:
    """Remove the copy of WORKLOAD_UID. Exit status 1: there is none, or it is being written."""
    from lens_perf.performance.columns.manifest import CopyKey  # noqa: PLC0415 - see _open_columns

    dropped = _open_columns(load_settings(config)).drop(CopyKey(cluster, workload_uid))
    print("dropped" if dropped else "there is no such copy, or it is being written")
    return 0 if dropped else 1


@columns_group.command("verify")
@cluster_option
@uid_argument
@config_option
@tells_errors
def verify(cluster: str, workload_uid: str, config: Path | None) -> int:
    """Compare the copy of WORKLOAD_UID with the table, record by record.

    Exit status 1: they differ, or there is no copy.
    """
    found = _open_copies(load_settings(config)).verify(cluster, workload_uid)
    if found is None:
        print("there is no such copy")
        return 1
    print(f"{found.copied} records in the copy, {found.stored} in the table")
    print(f"{found.missing} missing, {found.surplus} surplus, {found.different} different")
    print(f"statistics {'agree' if found.statistics_agree else 'DIFFER'}")
    return 0 if found.is_good else 1


def _open_columns(settings: Settings) -> "Columns":
    """Return the copies. The library of columns takes a while to load, and other commands do without it."""
    from lens_perf.performance.columns.columns import Columns  # noqa: PLC0415 - as the docstring says

    return Columns(settings.columns)


def _open_copies(settings: Settings) -> "WorkloadCopies":
    from lens_perf.performance.workload_copies import WorkloadCopies  # noqa: PLC0415 - as _open_columns says

    return WorkloadCopies(ClusterRegistry(settings), settings)
