"""``lens-perf import``: imports what training frameworks write into a cluster."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo, available_timezones

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.clusters.write_errors import IMPORT_ERRORS
from lens_perf.commands.options import cluster_option, config_option, reports_errors
from lens_perf.config import CONFIG_VARIABLE, load_settings
from lens_perf.ingest.assembly import LARGEST_SERIAL
from lens_perf.ingest.imports import ImportJob, ImportReport, run_import
from lens_perf.ingest.kinds import SourceOptions
from lens_perf.ingest.logs.dialect_files import load_dialects
from lens_perf.ingest.logs.options import LogOptions
from lens_perf.ingest.read_summary import make_printable
from lens_perf.ingest.recognition import STANDARD_INPUT, Kind, list_regular_files
from lens_perf.ingest.source_files import Progress
from lens_perf.ingest.stores import Connect
from lens_perf.ingest.tables.columns import TableOptions
from lens_perf.ingest.tables.csv_rows import DELIMITER_WORDS
from lens_perf.ingest.tables.times import SECONDS_PER_UNIT
from lens_perf.interruption import INTERRUPTION
from lens_perf.settings import ImportSettings, Settings

AUTO = "auto"
KINDS: Mapping[str, Kind | None] = {**{kind.value: kind for kind in Kind}, AUTO: None}
LONGEST_UID = 256
SOURCE = click.Path(allow_dash=True)


def _parse_source(_: click.Context, __: click.Parameter, words: Sequence[str]) -> tuple[Kind | None, Sequence[Path]]:
    """Return the kind, None to choose it by the content, and the files; a lone word is always a file."""
    has_kind = len(words) > 1 and words[0] in KINDS
    paths = [Path(word) for word in words[has_kind:]]
    for path in paths:
        if path != STANDARD_INPUT:
            _check_exists(path)
    return (KINDS[words[0]] if has_kind else None), paths


def _check_exists(path: Path) -> None:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise click.BadParameter(f"{path} does not exist") from None
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be read: {error.strerror}") from None


def _parse_timezone(_: click.Context, __: click.Parameter, name: str) -> ZoneInfo:
    if name not in available_timezones():
        raise click.BadParameter("no such time zone; use a name such as Europe/Zurich")
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


@click.command(
    "import",
    short_help="Import training logs, event files, W&B files, CSV, ...",
    epilog="Example: lens-perf import training.log --workload llama-7b --follow",
)
@click.argument("source", metavar="[KIND] FILE...", nargs=-1, required=True, callback=_parse_source, type=SOURCE)
@click.option("--workload", "uid", required=True, callback=_parse_uid, help="Uid of the workload.")
@cluster_option
@click.option(
    "--serial",
    type=click.IntRange(0, LARGEST_SERIAL),
    metavar="N",
    default=0,
    show_default=True,
    help="Number of the first attempt.",
)
@click.option("--follow", is_flag=True, help="Keep reading while the files grow, until Ctrl-C or SIGTERM.")
@click.option("--dry-run", is_flag=True, help="Print what would be imported; store nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
@click.option("--step-metric", metavar="NAME", help="W&B: the metric to use as iteration.")
@click.option(
    "--start-time",
    type=click.DateTime(["%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d"]),
    metavar="TIME",
    help="Logs without times: when training started, as 2026-02-01T10:00:00. Elapsed times are added to it.",
)
@click.option(
    "--timezone",
    default="UTC",
    show_default=True,
    callback=_parse_timezone,
    metavar="ZONE",
    help="Zone of times that have none.",
)
@click.option(
    "--logging-steps",
    type=click.IntRange(1),
    metavar="N",
    help="Logs without iterations: number of iterations between two reports.",
)
@click.option("--iteration-column", metavar="NAME", help="CSV, JSON lines: the column to use as iteration.")
@click.option("--time-column", metavar="NAME", help="CSV, JSON lines: the column to use as time.")
@click.option(
    "--time-unit",
    type=click.Choice(list(SECONDS_PER_UNIT)),
    help="CSV, JSON lines: the unit of numeric times. Default: chosen by their size.",
)
@click.option(
    "--delimiter", callback=_parse_delimiter, metavar="CHARACTER", help="CSV: the delimiter, or its name: tab, space."
)
@config_option
@reports_errors
def import_files(
    *,
    source: tuple[Kind | None, Sequence[Path]],
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
    """Import each FILE into a workload.

    A FILE can be a training log, a TensorBoard event file, a W&B file or exported chart, Hugging Face's
    trainer_state.json or all_results.json, a CSV or JSON lines; it can be gzipped, a directory, or - for standard
    input. KIND is log, tensorboard, wandb, huggingface, csv, jsonl or auto, the default, which chooses by the content.

    Importing a file again stores only what is new or corrected.

    Exit status 2: nothing could be imported. 3: the input is damaged or values were lost, and the rest was imported.
    130 or 143: interrupted by Ctrl-C or SIGTERM.
    """
    kind, files = source
    start = start_time.replace(tzinfo=timezone) if start_time else None
    # A dry run needs no settings, but may have dialects in them.
    settings = load_settings(config) if not dry_run or config or os.environ.get(CONFIG_VARIABLE) else None
    connect = None if dry_run or settings is None else _find_cluster(settings, cluster)
    imports = settings.imports if settings else ImportSettings()
    dialects = load_dialects(Path(imports.dialects) if imports.dialects else None)
    with (
        INTERRUPTION.advising("what is stored is complete; import again to add the rest"),
        _stop_signals(wait=follow or STANDARD_INPUT in files) as stopped,
        _show_progress(files, hidden=follow) as on_progress,
    ):
        log = LogOptions(timezone, start, logging_steps, dialects)
        table = TableOptions(iteration_column, time_column, time_unit, delimiter, timezone, start)
        unpacked = imports.max_unpacked_mib << 20
        options = SourceOptions(log, step_metric, follow, stopped, on_progress, unpacked, table)
        job = ImportJob(files, uid, kind, serial, options)
        report = run_import(job, connect, warn=_warn)
    _print_report(report, uid, as_json=as_json)
    return report.status


def _warn(sentence: str) -> None:
    print(f"lens-perf: {make_printable(sentence)}", file=sys.stderr)


def _find_cluster(settings: Settings, cluster: str | None) -> Connect:
    registry = ClusterRegistry(settings)
    return partial(registry.open_connection, registry.resolve(cluster), IMPORT_ERRORS)


def _print_report(report: ImportReport, uid: str, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"workload_uid": uid, **report.as_json()}))
        return
    print(report)
    for damage in report.read.damages:
        _warn(str(damage))


@contextmanager
def _stop_signals(*, wait: bool) -> Iterator[Event]:
    """With ``wait``, let SIGINT and SIGTERM set the event, so that everything read is stored before the end."""
    stopped = Event()
    with INTERRUPTION.replaced_by(stopped.set) if wait else nullcontext():
        yield stopped


@contextmanager
def _show_progress(paths: Sequence[Path], *, hidden: bool) -> Iterator[Progress | None]:
    """Show a bar of the bytes read, on a terminal."""
    if hidden or not sys.stderr.isatty() or STANDARD_INPUT in paths:
        yield None
        return
    files = [file for path in paths for file in (list_regular_files(path) if path.is_dir() else [path])]
    length = sum(file.stat().st_size for file in files)
    with click.progressbar(length=length, file=sys.stderr, label="reading", show_eta=True) as bar:
        yield bar.update
