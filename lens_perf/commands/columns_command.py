"""``lens-perf columns``: lists, drops and verifies the columnar copies of workloads."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import config_option, reports_errors
from lens_perf.config import Settings, load_settings

if TYPE_CHECKING:
    from lens_perf.performance.columns.columns import Columns
    from lens_perf.performance.workload_copies import WorkloadCopies

cluster_option = click.option("--cluster", required=True, help="Name of the cluster.")
uid_argument = click.argument("workload_uid")


@click.group("columns", short_help="List, verify and drop columnar copies.")
def columns_group() -> None:
    """List, verify and drop the columnar copies of workloads."""


@columns_group.command("list", short_help="List the copies.", epilog="Example: lens-perf columns list")
@config_option
@reports_errors
def list_copies(config: Path | None) -> None:
    """List the copies, the most recently used first."""
    for copy in sorted(_open_columns(load_settings(config)).list(), key=lambda copy: -copy.used_at):
        used_at = datetime.fromtimestamp(copy.used_at, UTC).isoformat(timespec="seconds")
        name = f"{copy.key.cluster}  {copy.key.workload_uid}" if copy.key else f"{copy.directory}  unusable"
        records = "-" if copy.records is None else f"{copy.records:,}"
        print(f"{name}  {records} records  {copy.size / 2**20:,.1f} MiB  last used {used_at}")


@columns_group.command(
    "drop", short_help="Drop a copy.", epilog="Example: lens-perf columns drop --cluster alpha llama-7b"
)
@cluster_option
@uid_argument
@config_option
@reports_errors
def drop(cluster: str, workload_uid: str, config: Path | None) -> int:
    """Drop the copy of WORKLOAD_UID; the next request builds it again.

    Exit status 1: there is no copy, or it is being written.
    """
    from lens_perf.performance.columns.manifest import CopyKey  # noqa: PLC0415 - see _open_columns

    dropped = _open_columns(load_settings(config)).drop(CopyKey(cluster, workload_uid))
    print("dropped" if dropped else "there is no such copy, or it is being written")
    return 0 if dropped else 1


@columns_group.command(
    "verify",
    short_help="Compare a copy with the table.",
    epilog="Example: lens-perf columns verify --cluster alpha llama-7b",
)
@cluster_option
@uid_argument
@config_option
@reports_errors
def verify(cluster: str, workload_uid: str, config: Path | None) -> int:
    """Compare the copy of WORKLOAD_UID with the table, record by record.

    Exit status 1: they differ, or there is no copy.
    """
    found = _open_copies(load_settings(config)).verify(cluster, workload_uid)
    if found is None:
        print("there is no such copy")
        return 1
    print(f"{found.copied:,} records in the copy, {found.stored:,} in the table")
    print(f"{found.missing:,} missing, {found.surplus:,} surplus, {found.different:,} different")
    print(f"statistics {'agree' if found.statistics_agree else 'DIFFER'}")
    return 0 if found.is_good else 1


def _open_columns(settings: Settings) -> "Columns":
    """Return the copies. Imported here because polars loads slowly and other commands do not need it."""
    from lens_perf.performance.columns.columns import Columns  # noqa: PLC0415 - as the docstring says

    return Columns(settings.columns)


def _open_copies(settings: Settings) -> "WorkloadCopies":
    from lens_perf.performance.workload_copies import WorkloadCopies  # noqa: PLC0415 - as _open_columns says

    return WorkloadCopies(ClusterRegistry(settings), settings)
