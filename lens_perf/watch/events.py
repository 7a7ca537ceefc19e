"""Derives events of a workload by comparing an observation with the previous one."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from lens_perf.performance.progress.metric_names import is_loss
from lens_perf.watch.known import Known
from lens_perf.watch.loss_spikes import Spike
from lens_perf.watch.observation import Observation

Kind = Literal["stalled", "ended", "finished", "resumed", "non_finite", "finite_again", "loss_spike"]
Severity = Literal["info", "warning", "critical"]

# A metric stays non-finite if it has been so for this long: a single NaN is common and harmless.
LEAST_ITERATIONS = 10
LEAST_SECONDS = 600
WORDS = {
    "stalled": "stalled: no record for longer than usual",
    "ended": "ended before its target",
    "finished": "finished: its target is reached",
    "resumed": "running again",
}


@dataclass(frozen=True)
class Event:
    """An event of a workload. ``timestamp`` is that of the record, in milliseconds since 1970."""

    event: Kind
    severity: Severity
    cluster: str
    workload_uid: str
    summary: str
    iteration: int | None
    timestamp: int | None
    metric_name: str | None = None
    data_source: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the event as JSON values, with an ``id`` by which a receiver recognises a repeated event."""
        values = asdict(self)
        key = "\t".join(str(values[name]) for name in sorted(values) if name != "summary")
        return {"id": hashlib.sha256(key.encode()).hexdigest()[:16], **values}


def compare(known: Known | None, seen: Observation, now_seconds: float) -> tuple[list[Event], Known]:
    """Return the events since ``known``, which is None for a new workload, and the new ``Known``.

    For a new workload, only urgent conditions are events.
    """
    state, non_finite = seen.progress["state"], list_lasting(seen.progress, now_seconds)
    before = known or Known()
    events = [
        *_compare_states(before.state, seen),
        *_compare_non_finite(known, seen, non_finite),
        *(_describe_spike(seen, name, spike) for name, spikes in seen.spikes.items() for spike in spikes),
    ]
    attempts = seen.progress["attempts"]
    return events, Known(
        state,
        seen.progress["last_timestamp"],
        sorted(non_finite),
        seen.progress["current_iteration"],
        attempts[-1]["number"] if attempts else None,
    )


def _compare_states(before: str | None, seen: Observation) -> Iterator[Event]:
    state = seen.progress["state"]
    if state == before or state is None:
        return
    is_past_target = seen.progress["target_iteration"] is None
    if state == "stalled":
        yield _describe_state(seen, "stalled", "critical", WORDS["stalled"])
    elif before is None:
        return
    elif state == "running" and before in {"stalled", "ended", "finished"}:
        yield _describe_state(seen, "resumed", "info", WORDS["resumed"])
    elif state == "finished":
        yield _describe_state(seen, "finished", "info", WORDS["finished"])
    elif state == "ended":
        severity: Severity = "info" if is_past_target else "warning"
        yield _describe_state(seen, "ended", severity, "ended" if is_past_target else WORDS["ended"])


def _describe_state(seen: Observation, kind: Kind, severity: Severity, words: str) -> Event:
    progress = seen.progress
    target = f" of {progress['target_iteration']}" if progress["target_iteration"] is not None else ""
    return Event(
        kind,
        severity,
        seen.cluster,
        seen.workload_uid,
        f"{seen.workload_uid} {words} (iteration {progress['current_iteration']}{target})",
        progress["current_iteration"],
        progress["last_timestamp"],
    )


def list_lasting(progress: Mapping[str, Any], now_seconds: float) -> dict[str, Mapping[str, Any]]:
    """Return the metrics that stay non-finite, by data source and name."""
    return {_name(metric): metric for metric in progress["non_finite"] if _lasts(metric, progress, now_seconds)}


def _name(metric: Mapping[str, Any]) -> str:
    return json.dumps([metric["data_source"], metric["metric_name"]])


def _lasts(metric: Mapping[str, Any], progress: Mapping[str, Any], now_seconds: float) -> bool:
    iteration, timestamp = metric["since_iteration"], metric["since_timestamp"]
    current = progress["current_iteration"]
    return (
        progress["state"] != "running"
        or (iteration is not None and current is not None and current - iteration >= LEAST_ITERATIONS)
        or (timestamp is not None and now_seconds - timestamp / 1000 >= LEAST_SECONDS)
    )


def _compare_non_finite(
    known: Known | None, seen: Observation, non_finite: Mapping[str, Mapping[str, Any]]
) -> Iterator[Event]:
    is_over = known is None and seen.progress["state"] in {"ended", "finished"}
    before = [] if known is None else known.non_finite
    still = {_name(metric) for metric in seen.progress["non_finite"]}
    for name, metric in non_finite.items():
        if not is_over and name not in before:
            severity: Severity = "critical" if is_loss(metric["metric_name"]) else "warning"
            since = "" if metric["since_iteration"] is None else f" since iteration {metric['since_iteration']}"
            words = f"has been NaN or infinite{since}"
            yield _describe_metric(seen, "non_finite", severity, metric, words)
    for name in before:
        if name not in still:
            source, metric_name = json.loads(name)
            metric = {
                "metric_name": metric_name,
                "data_source": source,
                "since_iteration": seen.progress["current_iteration"],
                "since_timestamp": seen.progress["last_timestamp"],
            }
            yield _describe_metric(seen, "finite_again", "info", metric, "is finite again")


def _describe_metric(seen: Observation, kind: Kind, severity: Severity, metric: Mapping[str, Any], words: str) -> Event:
    return Event(
        kind,
        severity,
        seen.cluster,
        seen.workload_uid,
        f"{seen.workload_uid} {metric['metric_name']} {words}",
        metric["since_iteration"],
        metric["since_timestamp"],
        metric["metric_name"],
        metric["data_source"],
    )


def _describe_spike(seen: Observation, name: str, spike: Spike) -> Event:
    return Event(
        "loss_spike",
        "warning",
        seen.cluster,
        seen.workload_uid,
        f"{seen.workload_uid} {name} spikes: above {spike.value:.4g} from iteration {spike.iteration} on, "
        f"{spike.usual:.4g} before",
        spike.iteration,
        None,
        name,
        seen.progress["source"],
    )
