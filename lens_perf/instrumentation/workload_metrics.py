"""Formats the progress of workloads as Prometheus metrics."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

STATES = ("running", "stalled", "ended", "finished")
# Per workload: more are usually symptoms of the same problem.
MOST_NON_FINITE = 10
WORKLOAD = ["cluster", "workload"]

Reading = tuple[str, Mapping[str, Any]]


class _Workloads(Collector):
    """The gauges of workloads and of clusters that could not be read."""

    def __init__(self, readings: Sequence[Reading], failed: Mapping[str, bool], now_seconds: float) -> None:
        self._readings = readings
        self._failed = failed
        self._now = now_seconds

    def collect(self) -> Iterable[GaugeMetricFamily]:
        state = GaugeMetricFamily(
            "lens_perf_workload_state", "1 for the workload's state, else 0", labels=[*WORKLOAD, "state"]
        )
        non_finite = GaugeMetricFamily(
            "lens_perf_workload_non_finite_since_timestamp_seconds",
            "Unix time since which a metric has been NaN or infinite; 0 if unknown",
            labels=[*WORKLOAD, "metric", "data_source"],
        )
        for cluster, progress in self._readings:
            uid = progress["workload_uid"]
            for name in STATES:
                state.add_metric([cluster, uid, name], float(progress["state"] == name))
            for metric in progress["non_finite"][:MOST_NON_FINITE]:
                labels = [cluster, uid, metric["metric_name"], metric["data_source"] or ""]
                non_finite.add_metric(labels, (metric["since_timestamp"] or 0) / 1000)
        yield state
        yield self._gauge("seconds_since_last_record", "Age of the newest record", self._find_age)
        yield self._gauge("iteration", "Iteration of the newest record", lambda each: each["current_iteration"])
        yield self._gauge(
            "target_iteration",
            "Iteration at which the workload will be finished",
            lambda each: each["target_iteration"],
        )
        yield self._gauge("seconds_per_iteration", "Median pace of the latest intervals", _find_pace)
        yield non_finite
        failed = GaugeMetricFamily(
            "lens_perf_workloads_unread", "1 if workloads of the cluster could not be read", labels=["cluster"]
        )
        for name, is_failed in self._failed.items():
            failed.add_metric([name], float(is_failed))
        yield failed

    def _gauge(self, name: str, text: str, find: Any) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"lens_perf_workload_{name}", text, labels=WORKLOAD)
        for cluster, progress in self._readings:
            value = find(progress)
            if value is not None:
                family.add_metric([cluster, progress["workload_uid"]], value)
        return family

    def _find_age(self, progress: Mapping[str, Any]) -> float | None:
        last = progress["last_timestamp"]
        return None if last is None else max(0.0, self._now - last / 1000)


def _find_pace(progress: Mapping[str, Any]) -> float | None:
    pace = progress["seconds_per_iteration"]
    return None if pace is None else float(pace["median"])


def expose_workloads(readings: Sequence[Reading], failed: Mapping[str, bool], now_seconds: float) -> bytes:
    """Return the metrics of workloads, from (cluster, progress) pairs and from which clusters failed to answer."""
    registry = CollectorRegistry()
    registry.register(_Workloads(readings, failed, now_seconds))
    return generate_latest(registry)
