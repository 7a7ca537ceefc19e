"""``lens-perf workloads`` and ``show``: the answers of the API in a terminal."""

import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from lens_perf.clusters.registry import ClusterRegistry
from lens_perf.commands.options import config_option, reports_errors
from lens_perf.commands.reading import NOT_FOUND, open_service, read_body, search_option
from lens_perf.commands.terminal_words import (
    describe_since,
    draw_sparkline,
    format_age,
    format_number,
    format_span,
    print_table,
)
from lens_perf.commands.workload_clusters import find_cluster
from lens_perf.config import load_settings
from lens_perf.ingest.read_summary import format_count, make_printable
from lens_perf.performance.points.query import PointQuery, Sampling
from lens_perf.performance.selection import Selection
from lens_perf.performance.service import PerformanceService
from lens_perf.performance.workload_list import ListQuery, WorkloadLister

MOST_LISTED = 1000
METRICS_AT_ONCE = 50
NARROWEST_LINE, WIDEST_LINE = 20, 100
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")


@click.command(
    "workloads",
    short_help="List workloads, the most recently active first.",
    epilog="Example: lens-perf workloads --search llama",
)
@click.option("--cluster", help="Name of a cluster. Default: all clusters.")
@click.option("--search", default="", help="Only workloads with this in their uid.")
@json_option
@config_option
@reports_errors
def list_workloads(cluster: str | None, search: str, as_json: bool, config: Path | None) -> int:
    """List the workloads of all clusters, or of one, the most recently active first.

    Exit status 1: a cluster did not answer; the workloads of the others are printed nevertheless.
    """
    with closing(ClusterRegistry(load_settings(config))) as registry:
        clusters = tuple(registry.names) if cluster is None else (registry.resolve(cluster),)
        query = ListQuery(clusters, search, MOST_LISTED, None)
        answer = WorkloadLister(registry).list(query, must_answer=cluster is not None)
    if as_json:
        print(json.dumps(answer))
    else:
        _print_workloads(answer["workloads"])
        if answer["next_page_token"] is not None:
            shown = f"{len(answer['workloads']):,} of {answer['total_count']:,}"
            print(f"lens-perf: the most recently active {shown}; --search finds others", file=sys.stderr)
        for warning in answer["warnings"]:
            print(f"lens-perf: {make_printable(warning['message'])}", file=sys.stderr)
    return 1 if answer["warnings"] else 0


def _print_workloads(workloads: Sequence[Mapping[str, Any]]) -> None:
    rows = [("WORKLOAD", "CLUSTER", "SOURCES", "RECORDS", "ITERATION", "LAST ACTIVE")]
    rows += [
        (
            each["workload_uid"],
            each["cluster"],
            ",".join(source or "-" for source in each["data_sources"]),
            format_number(each["records"]),
            format_number(each["last_iteration"]),
            format_age(each["last_timestamp"]),
        )
        for each in workloads
    ]
    print_table(rows)


@click.command(
    "show",
    short_help="Show a workload's progress and metrics.",
    epilog="Example: lens-perf show llama-7b --cluster alpha",
)
@click.argument("workload")
@search_option
@json_option
@config_option
@reports_errors
def show(workload: str, cluster: str | None, as_json: bool, config: Path | None) -> int:
    """Show the progress of WORKLOAD, and a line for each of its metrics.

    Exit status 1: no cluster has the workload.
    """
    selection = Selection(workload)
    with open_service(config) as (registry, service):
        name = find_cluster(registry, service, workload, cluster)
        if name is None:
            return NOT_FOUND
        progress = service.read_progress(name, selection)
        if as_json:
            print(json.dumps({"cluster": name, **progress}))
            return 0
        _print_progress(progress, name)
        metrics = service.list_available(name, workload, None)["metrics"]
        if metrics:
            _print_lines(service, name, selection, metrics, progress["non_finite"])
    return 0


def _describe_state(progress: Mapping[str, Any]) -> str:
    """Return the state, and the health of the workload unless it is ok."""
    state, health = progress["state"] or "no iterations with a time", progress["health"]
    reasons = ", ".join(reason.replace("_", " ") for reason in health["reasons"])
    return str(state) if health["status"] == "ok" else f"{state} ({health['status']}: {reasons})"


def _print_progress(progress: Mapping[str, Any], cluster: str) -> None:
    print(f"{make_printable(progress['workload_uid'])} in cluster {cluster}: {_describe_state(progress)}")
    if progress["state"] is None:
        return
    target, share, pace = progress["target_iteration"], progress["share_done"], progress["seconds_per_iteration"]
    done = f" of {format_number(target)} ({share:.1%})" if target is not None else ""
    _print_field("iteration", f"{format_number(progress['current_iteration'])}{done}")
    if pace is not None:
        low, high = format_span(pace["low"]), format_span(pace["high"])
        _print_field("pace", f"{format_span(pace['median'])} per iteration ({low} to {high})")
    if progress["eta"] is not None:
        _print_field("ETA", f"{format_span(progress['eta']['seconds'])}: {progress['eta']['basis']}")
    if progress["goodput"] is not None:
        restarts, lost = progress["restarts"], format_span(progress["seconds_lost_to_restarts"])
        counted = f"{format_count(restarts, 'restarts')}, {lost} lost" if restarts else "no restarts"
        _print_field("goodput", f"{progress['goodput']:.1%}, {counted}")
    _print_field("last record", format_age(progress["last_timestamp"]))
    for metric in progress["non_finite"]:
        _print_field("not finite", f"{make_printable(metric['metric_name'])}, {describe_since(metric)}")


def _print_field(label: str, text: str) -> None:
    print(f"  {label:<11}  {text}")


def _print_lines(
    service: PerformanceService,
    cluster: str,
    selection: Selection,
    metrics: Sequence[Mapping[str, Any]],
    non_finite: Sequence[Mapping[str, Any]],
) -> None:
    """Print each series as a line of blocks, with its least, greatest and last value."""
    not_finite = {(each["metric_name"], each["data_source"]): each for each in non_finite}
    labels = {
        (metric["name"], source): metric["name"] if len(metric["data_source"]) == 1 else f"{metric['name']} ({source})"
        for metric in metrics
        for source in metric["data_source"]
    }
    label_width = max(11, *map(len, labels.values()))
    width = min(WIDEST_LINE, max(NARROWEST_LINE, shutil.get_terminal_size().columns - label_width - 45))
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        asked = tuple(metric["name"] for metric in metrics[start : start + METRICS_AT_ONCE])
        query = PointQuery(cluster, selection, metrics=asked, encoding="columns", sampling=Sampling(4 * width))
        series = json.loads(b"".join(read_body(service.read_points(query))) or b'{"series": []}')["series"]
        for each in sorted(series, key=lambda one: (one["metric_name"], one["data_source"] or "")):
            values = each["values"]
            ends = f"{format_number(min(values))} to {format_number(max(values))}, last {format_number(values[-1])}"
            if since := not_finite.get((each["metric_name"], each["data_source"])):
                ends += f", not finite {describe_since(since)}"
            label = labels.get((each["metric_name"], each["data_source"]), each["metric_name"])
            print(f"  {make_printable(label).ljust(label_width)}  {draw_sparkline(values, width)}  {ends}")
