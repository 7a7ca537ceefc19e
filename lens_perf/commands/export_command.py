"""``lens-perf export``: the data points of a workload as a file."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from lens_perf.commands.options import config_option, reports_errors
from lens_perf.commands.reading import NOT_FOUND, open_service, read_body, search_option
from lens_perf.commands.workload_clusters import find_cluster
from lens_perf.ingest.read_summary import make_printable
from lens_perf.performance.points.query import PointQuery
from lens_perf.performance.selection import Selection


@click.command(
    "export",
    short_help="Write a workload's data points as CSV, NDJSON or Parquet.",
    epilog="Example: lens-perf export llama-7b --metric loss > loss.csv",
)
@click.argument("workload")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson", "parquet"]), default="csv", show_default=True)
@click.option("--wide", is_flag=True, help="Write a row for each iteration and data source, a column for each metric.")
@click.option("--metric", "metrics", multiple=True, help="Name of a metric; repeatable. Default: all metrics.")
@search_option
@config_option
@reports_errors
def export(
    *, workload: str, form: str, wide: bool, metrics: Sequence[str], cluster: str | None, config: Path | None
) -> int:
    """Write all data points of WORKLOAD to standard output.

    Exit status 1: no cluster has the workload, or it has no data points of the metrics.
    """
    if wide and form == "ndjson":
        raise click.UsageError("--wide requires --format csv or parquet")
    if form == "parquet" and sys.stdout.isatty():
        raise click.UsageError("Parquet is binary: redirect the output to a file")
    encoding: Any = f"wide-{form}" if wide else form
    with open_service(config) as (registry, service):
        name = find_cluster(registry, service, workload, cluster)
        if name is None:
            return NOT_FOUND
        answer = service.read_points(
            PointQuery(name, Selection(workload), metrics=tuple(dict.fromkeys(metrics)) or None, encoding=encoding)
        )
        for block in read_body(answer):
            sys.stdout.buffer.write(block)
        sys.stdout.buffer.flush()
        # Listing the metrics may build a copy. A wide table has rows without points, too.
        if not metrics or (answer.points and len(set(metrics)) == 1 and not wide):
            return 0 if answer.points else NOT_FOUND
        known = [each["name"] for each in service.list_available(name, workload, None)["metrics"]]
    if unknown := sorted(set(metrics) - set(known)):
        _report_unknown(workload, name, unknown, known)
    return 0 if set(metrics) & set(known) else NOT_FOUND


def _report_unknown(workload: str, cluster: str, unknown: Sequence[str], known: Sequence[str]) -> None:
    names = f"{workload} has {', '.join(known)}" if known else f"{workload} has no metrics"
    text = f"lens-perf: no metric {', '.join(unknown)} in cluster {cluster}; {names}"
    print(make_printable(text), file=sys.stderr)
