"""``lens-perf import``: brings what training frameworks write into a cluster. Status 3 tells of damaged input."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo, available_timezones

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import cluster_option, config_option, tells_errors
from lens_perf.config import CONFIG_VARIABLE, ImportSettings, Settings, load_settings
from lens_perf.ingest.imports import ImportJob, ImportReport, run_import
from lens_perf.ingest.kinds import SourceOptions
from lens_perf.ingest.logs.dialect_files import load_dialects
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.read_summary import make_printable
from lens_perf.ingest.recognition import Kind, list_regular_files
from lens_perf.ingest.source_files import Progress
from lens_perf.ingest.stores import Connect
from lens_perf.ingest.tables.columns import TableOptions
from lens_perf.ingest.tables.csv_rows import DELIMITER_WORDS
from lens_perf.ingest.tables.times import SECONDS_PER_UNIT
from lens_perf.interruption import INTERRUPTION

AUTO = "auto"
LONGEST_UID = 256


def _parse_timezone(_: click.Context, __: click.Parameter, name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise click.BadParameter("no such time zone; use a name as Europe/Zurich")
    return ZoneInfo(name)


def _parse_delimiter(_: click.Context, __: click.Parameter, delimiter: str | None) -> str | None:
    if delimiter is None or len(delimiter) == 1:
        return delimiter
    if delimiter not in DELIMITER_WORDS:
        raise click.BadParameter(f"must be one character or one of {', '.join(DELIMITER_WORDS)}")
    return DELIMITER_WORDS[delimiter]


def _parse_uid(_: click.Context, __: click.Parameter, uid: str) -> str:
    if not uid.strip() or len(uid) > LONGEST_UID or "\0" in uid:
        raise click.BadParameter(f"must have 1 to {LONGEST_UID} characters, not all blank")
    return uid


@click.command("import")
@click.argument("kind", type=click.Choice([*(kind.value for kind in Kind), AUTO]))
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, allow_dash=True))
@click.option("--workload", "uid", required=True, callback=_parse_uid, help="The workload's unique identifier.")
@cluster_option
@click.option(
    "--serial", type=click.IntRange(0, 2**31 - 1), default=0, show_default=True, help="Restarts before this input."
)
@click.option("--follow", is_flag=True, help="Go on reading while the files grow, until Ctrl-C or SIGTERM.")
@click.option("--dry-run", is_flag=True, help="Read and tell what was found; store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Tell the summary as JSON.")
@click.option("--step-metric", help="W&B: the metric that is the iteration.")
@click.option(
    "--start-time",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]),
    help="Logs without times: when the training began. Elapsed times are added to it.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=_parse_timezone,
    help="Logs: the zone of times that tell none.",
)
@click.option(
    "--logging-steps", type=click.IntRange(1), help="Logs without iterations: how many lie between two reports."
)
@click.option("--iteration-column", help="CSV, JSON lines: the column that is the iteration.")
@click.option("--time-column", help="CSV, JSON lines: the column that is the time.")
@click.option(
    "--time-unit",
    type=click.Choice(list(SECONDS_PER_UNIT)),
    help="CSV, JSON lines: the unit of times that are numbers; by default their size tells it.",
)
@click.option("--delimiter", callback=_parse_delimiter, help="CSV: a character, or one of its names: tab, space.")
@config_option
@tells_errors
def import_files(
    *,
    kind: str,
    paths: Sequence[str],
    uid: str,
    cluster: str | None,
    serial: int,
    follow: bool,
    dry_run: bool,
    as_json: bool,
    step_metric: str | None,
    start_time: datetime | None,
    timezone: ZoneInfo,
    logging_steps: int | None,
    iteration_column: str | None,
    time_column: str | None,
    time_unit: str | None,
    delimiter: str | None,
    config: Path | None,
) -> int:
    """Import PATH...: training logs, TensorBoard event files, W&B files or exports, trainer_state.json of Hugging Face.

    Any CSV and any JSON lines as well. KIND auto looks at the content. A PATH may be a file, a gzipped file, a
    directory, or - for standard input. Importing again stores only what is new or corrected. Exit status 2: nothing
    could be imported; 3: the input is damaged or values could not be kept, all else was imported; 130 or 143:
    interrupted by Ctrl-C or SIGTERM.
    """
    start = start_time.replace(tzinfo=timezone) if start_time else None
    files = [Path(path) for path in paths]
    # A dry run needs no settings, but may have dialects in them.
    settings = load_settings(config) if not dry_run or config or os.environ.get(CONFIG_VARIABLE) else None
    connect = None if dry_run or settings is None else _find_cluster(settings, cluster)
    imports = settings.imports if settings else ImportSettings()
    dialects = load_dialects(Path(imports.dialects) if imports.dialects else None)
    with (
        INTERRUPTION.advising("what is stored is whole, import again to complete it"),
        _stop_signals(wait=follow or "-" in paths) as stopped,
        _progress(files, hidden=follow) as on_progress,
    ):
        log = LogOptions(timezone, start, logging_steps, dialects)
        table = TableOptions(iteration_column, time_column, time_unit, delimiter, timezone, start)
        unpacked = imports.max_unpacked_mib << 20
        options = SourceOptions(log, step_metric, follow, stopped, on_progress, unpacked, table)
        job = ImportJob(files, uid, None if kind == AUTO else Kind(kind), serial, options)
        report = run_import(job, connect, warn=_warn)
    _tell(report, uid, as_json=as_json)
    return report.status


def _warn(sentence: str) -> None:
    print(f"lens-perf: {make_printable(sentence)}", file=sys.stderr)


def _find_cluster(settings: Settings, cluster: str | None) -> Connect:
    registry = ClusterRegistry(settings)
    return partial(registry.open_connection, registry.resolve(cluster))


def _tell(report: ImportReport, uid: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"workload_uid": uid, **report.as_json()}))
        return
    print(report)
    for damage in report.read.damages:
        _warn(str(damage))


@contextmanager
def _stop_signals(*, wait: bool) -> Iterator[Event]:
    """Let SIGINT and SIGTERM set the event if there is something to ``wait`` for: what was read is stored first."""
    stopped = Event()
    with INTERRUPTION.replaced_by(stopped.set) if wait else nullcontext():
        yield stopped


@contextmanager
def _progress(paths: Sequence[Path], *, hidden: bool) -> Iterator[Progress | None]:
    """Show a bar of the bytes read, on a terminal."""
    if hidden or not sys.stderr.isatty() or Path("-") in paths:
        yield None
        return
    files = [file for path in paths for file in (list_regular_files(path) if path.is_dir() else [path])]
    length = sum(file.stat().st_size for file in files)
    with click.progressbar(length=length, file=sys.stderr, label="reading", show_eta=True) as bar:
        yield bar.update
