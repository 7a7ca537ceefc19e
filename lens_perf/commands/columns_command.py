"""``lens-perf columns``: lists, drops and verifies the columnar copies of workloads."""

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lens_perf.clusters.connecting import identify_database
from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import config_option, reports_errors
from lens_perf.commands.terminal_words import format_number, print_table
from lens_perf.commands.workload_clusters import describe_missing
from lens_perf.config import load_settings
from lens_perf.ingest.read_summary import format_count, make_printable
from lens_perf.settings import Settings

if TYPE_CHECKING:
    from lens_perf.performance.columns.columns import Columns, CopyInfo
    from lens_perf.performance.columns.manifest import CopyKey
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
    """List the copies, the most recently used first.

    "other database" and "not in the settings" mark those of services with other settings that use the same directory.
    "others left out" means that the workload has more fields than columns.max_fields. "being built" and "unusable" mark
    the directories of copies that have no manifest yet, and of copies that are damaged or of another version.
    """
    settings = load_settings(config)
    databases = _identify_databases(settings)
    rows = [("CLUSTER", "WORKLOAD", "RECORDS", "FIELDS", "SIZE", "LAST USED")]
    for copy in sorted(_open_columns(settings).list(), key=lambda copy: -copy.used_at):
        used_at = datetime.fromtimestamp(copy.used_at, UTC).isoformat(timespec="seconds")
        rows.append((*_describe_manifest(copy, databases), f"{copy.size / 2**20:,.1f} MiB", used_at))
    print_table(rows)


def _describe_manifest(copy: "CopyInfo", databases: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Return the cluster, the workload, the number of records and the number of fields of a copy.

    ``databases`` are those of the clusters of the settings.
    """
    manifest = copy.manifest
    if manifest is None:
        state = "unusable" if copy.is_unusable else "being built"
        return state, str(copy.directory), format_number(None), format_number(None)
    fields = format_number(len(manifest.names)) + (" (others left out)" if manifest.left_out else "")
    return *_describe_key(manifest.key, databases), format_number(manifest.records), fields


def _describe_key(key: "CopyKey", databases: Mapping[str, str]) -> tuple[str, str]:
    cluster, workload, database = key
    if cluster not in databases:
        return f"{cluster} (not in the settings)", workload
    return cluster if database == databases[cluster] else f"{cluster} (other database)", workload


@columns_group.command(
    "drop", short_help="Drop a copy.", epilog="Example: lens-perf columns drop --cluster alpha llama-7b"
)
@cluster_option
@uid_argument
@config_option
@reports_errors
def drop(cluster: str, workload_uid: str, config: Path | None) -> int:
    """Drop the copies of WORKLOAD_UID, also those of other databases; the next request builds one again.

    An unusable copy is dropped if it belongs to the present database of the cluster.

    Exit status 1: there is no copy, or it is being written.
    """
    settings = load_settings(config)
    columns = _open_columns(settings)
    database = _identify_database(settings, cluster) if cluster in settings.clusters else None
    keys = columns.list_keys(cluster, workload_uid, database)
    dropped = sum(map(columns.drop, keys))
    print(f"dropped {format_count(dropped, 'copies')}" if dropped else "there is no such copy, or it is being written")
    return 0 if dropped == len(keys) > 0 else 1


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

    Exit status 1: they differ, the copy is damaged or of another version, there is no copy, or there are no records.
    """
    found = _open_copies(load_settings(config)).verify(cluster, workload_uid)
    if found is None:
        print("there is no such copy")
        return 1
    if not found.copied + found.stored:
        print(make_printable(f"lens-perf: {describe_missing(workload_uid, [cluster])}"), file=sys.stderr)
        return 1
    print(f"{format_count(found.copied, 'records')} in the copy, {found.stored:,} in the table")
    print(f"{found.missing:,} missing, {found.surplus:,} surplus, {found.different:,} different")
    if found.left_out:
        names = make_printable(", ".join(found.left_out))
        print(f"not compared, because of columns.max_fields: {names}")
    print(f"statistics {'agree' if found.statistics_agree else 'DIFFER'}")
    return 0 if found.is_good else 1


def _identify_databases(settings: Settings) -> Mapping[str, str]:
    """Return the digest of the database of each cluster, without a registry, which would need the passwords."""
    return {name: _identify_database(settings, name) for name in settings.clusters}


def _identify_database(settings: Settings, name: str) -> str:
    return identify_database(f"{settings.path}: clusters.{name}", settings.clusters[name])


def _open_columns(settings: Settings) -> "Columns":
    """Return the copies. Imported here because polars loads slowly and other commands do not need it."""
    from lens_perf.performance.columns.columns import Columns  # noqa: PLC0415 - as the docstring says

    return Columns(settings.columns)


def _open_copies(settings: Settings) -> "WorkloadCopies":
    from lens_perf.performance.workload_copies import WorkloadCopies  # noqa: PLC0415 - as _open_columns says

    return WorkloadCopies(ClusterRegistry(settings), settings)
