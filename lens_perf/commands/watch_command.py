"""``lens-perf watch``: posts events of workloads to webhooks. docs/watching.rst has the rules."""

import logging
import os
import sys
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Event

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import FILE, cluster_option, config_option, reports_errors
from lens_perf.commands.workload_clusters import describe_missing
from lens_perf.config import load_settings
from lens_perf.errors import ConfigError
from lens_perf.ingest.read_summary import make_printable
from lens_perf.interruption import INTERRUPTION
from lens_perf.performance.service import PerformanceService
from lens_perf.performance.workload_list import ListQuery, WorkloadLister
from lens_perf.watch.known import StateFile
from lens_perf.watch.messages import Format
from lens_perf.watch.watcher import CheckResult, Named, Watcher
from lens_perf.watch.webhooks import FORMATS, Poster, Webhook, parse_webhook

MOST_LISTED = 1000
# With --once, a failed post is retried after 1, 2 and 4 seconds.
TRIES = 4
STATUSES = {"critical": 4, "warning": 3}
STATE_NAME = "watch.json"


@click.command(
    "watch",
    short_help="Post to webhooks when workloads stall, end or diverge.",
    epilog="Example: lens-perf watch --all --webhook env:SLACK_URL --format slack",
)
@click.argument("workloads", metavar="[WORKLOAD]...", nargs=-1)
@cluster_option
@click.option("--all", "all_clusters", is_flag=True, help="Watch the workloads of all clusters.")
@click.option(
    "--webhook",
    "addresses",
    metavar="ADDRESS",
    multiple=True,
    help="Where to post: a URL; or file:PATH or env:NAME, if the URL is secret. Repeatable.",
)
@click.option(
    "--format",
    "formats",
    type=click.Choice(FORMATS),
    multiple=True,
    help="Format for the webhook at the same position, or for all. Default: json.",
)
@click.option("--interval", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds between checks.")
@click.option("--once", is_flag=True, help="Check once, and report by the exit status.")
@click.option("--state", "state_path", type=FILE, help="File that records what was posted.")
@config_option
@reports_errors
def watch(
    *,
    workloads: Sequence[str],
    cluster: str | None,
    all_clusters: bool,
    addresses: Sequence[str],
    formats: Sequence[Format],
    interval: float,
    once: bool,
    state_path: Path | None,
    config: Path | None,
) -> int:
    """Watch WORKLOADs, by default all that were active in the last week, and post their events.

    Exit status with --once: 0 nothing to report; 3 a warning; 4 a workload is stalled, or its loss is not finite; 1 a
    workload has no records or could not be read, or an event not posted, and there is nothing else to report.
    """
    logging.basicConfig(format="lens-perf: %(message)s", stream=sys.stderr)
    if cluster is not None and all_clusters:
        raise ConfigError("--cluster and --all cannot be used together")
    webhooks = _parse_webhooks(addresses, formats)
    settings = load_settings(config)
    state_file = StateFile(state_path or _find_state_path())
    with closing(ClusterRegistry(settings)) as registry, state_file.hold():
        clusters = tuple(registry.names) if all_clusters else (registry.resolve(cluster),)
        watcher = Watcher(
            PerformanceService(registry, settings),
            partial(WorkloadLister(registry).list, ListQuery(clusters, "", MOST_LISTED, None), must_answer=False),
            [Named(name, workload) for name in clusters for workload in workloads],
            [Poster(webhook) for webhook in webhooks],
            state_file,
        )
        return _check_once(watcher, clusters, interval) if once else _check_on(watcher, clusters, interval)


def _parse_webhooks(addresses: Sequence[str], formats: Sequence[Format]) -> list[Webhook]:
    chosen: Sequence[Format] = formats or ("json",)
    if len(chosen) == 1:
        chosen = [chosen[0]] * len(addresses)
    if len(chosen) != len(addresses):
        raise ConfigError("Give one --format for all webhooks, or one for each --webhook, in the same order")
    return [parse_webhook(address, format_) for address, format_ in zip(addresses, chosen, strict=True)]


def _find_state_path() -> Path:
    """Return the place of the state file: that of systemd, else the user's own."""
    if directory := os.environ.get("STATE_DIRECTORY"):
        return Path(directory.partition(":")[0]) / STATE_NAME
    own = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(own) / "lens_perf" / STATE_NAME


def _check_once(watcher: Watcher, clusters: Sequence[str], interval: float) -> int:
    result = watcher.check(interval)
    _print_events(result)
    _warn_of_missing(result.missing, clusters)
    posted = result.posted
    for _ in range(TRIES - 1):
        posted = posted or watcher.post_again(result, interval)
    return STATUSES.get(result.severity, 0 if result.read and posted and not result.missing else 1)


def _check_on(watcher: Watcher, clusters: Sequence[str], interval: float) -> int:
    stop, reported = Event(), set[str]()
    with INTERRUPTION.replaced_by(stop.set):
        while not stop.is_set():
            result = watcher.check(interval)
            _print_events(result)
            _warn_of_missing(find_newly_missing(result, reported), clusters, "; waiting for its records")
            stop.wait(interval)
    return 0


def find_newly_missing(result: CheckResult, reported: set[str]) -> Sequence[str]:
    """Return the missing workloads that are not in ``reported``, and update it.

    A workload of a cluster that does not answer is neither missing nor seen, so it stays reported.
    """
    reported -= {each.workload_uid for each in result.seen}
    found = [workload for workload in result.missing if workload not in reported]
    reported |= set(found)
    return found


def _print_events(result: CheckResult) -> None:
    for event in result.events:
        print(f"{event.severity}: {make_printable(event.summary)} [{event.cluster}]", flush=True)


def _warn_of_missing(workloads: Sequence[str], clusters: Sequence[str], effect: str = "") -> None:
    for workload in workloads:
        print(make_printable(f"lens-perf: {describe_missing(workload, clusters)}{effect}"), file=sys.stderr, flush=True)
