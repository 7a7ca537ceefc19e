"""Reads through the service what one check needs of a workload."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lens_perf.performance.points.query import PointAnswer, PointQuery
from lens_perf.performance.progress.metric_names import is_loss
from lens_perf.performance.selection import Selection
from lens_perf.watch.known import Known
from lens_perf.watch.loss_spikes import BASE, LossPoint, Spike, find_spikes

# Maximum number of losses examined for spikes, by name; more are usually components of one loss.
MOST_LOSSES = 10
# Points read of each loss: those that a spike is compared with, and as many since the last check.
POINTS_READ = 4 * BASE


class Service(Protocol):
    """The methods of PerformanceService that are used here."""

    def read_progress(self, cluster: str | None, selection: Selection, /) -> Mapping[str, Any]:
        """Return the progress of a workload."""

    def list_sources(self, cluster: str | None, workload_uid: str, /) -> Mapping[str, Any]:
        """Return the data sources of a workload."""

    def list_available(self, cluster: str | None, workload_uid: str, data_source: str | None, /) -> Mapping[str, Any]:
        """Return the metrics of a workload."""

    def read_points(self, query: PointQuery, /) -> PointAnswer:
        """Return data points."""


@dataclass(frozen=True)
class Observation:
    """A workload's progress, as in the API, and the spikes of its losses by metric."""

    cluster: str
    workload_uid: str
    progress: Mapping[str, Any]
    spikes: Mapping[str, Sequence[Spike]] = field(default_factory=dict)


def observe(service: Service, cluster: str, workload_uid: str, known: Known | None) -> Observation:
    """Return the observation of a workload; spikes are searched in points after ``known``, not at all if it is None.

    Raises InvalidParameterError for an unknown cluster, ClusterError, DeadlineExceededError and CopyNotReadyError.
    """
    progress = service.read_progress(cluster, Selection(workload_uid))
    spikes: dict[str, list[Spike]] = {}
    reach = _find_reach(progress)
    if known is not None and reach is not None and progress["last_timestamp"] != known.last_timestamp:
        is_same = progress["attempts"][-1]["number"] == known.attempt
        judged_until = known.judged_until if is_same and known.judged_until is not None else -(2**31)
        selection = Selection(workload_uid, progress["source"], iteration_range=reach)
        for name in _list_losses(service, cluster, selection):
            found = find_spikes(list(_read_points(service, cluster, selection, name)), judged_until)
            if found:
                spikes[name] = found
    return Observation(cluster, workload_uid, progress, spikes)


def _find_reach(progress: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return the iterations of about the latest POINTS_READ records; None if the pace is unknown."""
    pace, current = progress["seconds_per_iteration"], progress["current_iteration"]
    if pace is None or current is None:
        return None
    spacing = max(1, (pace["last_iteration"] - pace["first_iteration"]) // max(1, pace["intervals"]))
    return max(-(2**31), current - POINTS_READ * spacing), current


def _list_losses(service: Service, cluster: str, selection: Selection) -> list[str]:
    metrics = service.list_available(cluster, selection.workload_uid, selection.data_source)["metrics"]
    return [metric["name"] for metric in metrics if is_loss(metric["name"])][:MOST_LOSSES]


def _read_points(service: Service, cluster: str, selection: Selection, name: str) -> Iterator[LossPoint]:
    body = service.read_points(PointQuery(cluster, selection, metrics=(name,))).body
    if body is None:
        return
    if body.file is None:
        content = body.content or b""
    else:
        with body.file as file:
            content = file.read()
    for point in json.loads(content)["data"]:
        yield LossPoint(point["iteration"], float(point["value"]))
