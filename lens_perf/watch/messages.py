"""Formats the bodies of posts: events as JSON or as a Slack message, and conditions as Alertmanager alerts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from lens_perf.performance.progress.metric_names import is_loss
from lens_perf.watch.events import Event, list_lasting
from lens_perf.watch.observation import Observation

Format = Literal["json", "slack", "alertmanager"]
# Slack truncates longer messages.
MOST_LINES = 50
SPIKE_SECONDS = 3600
SLACK_SIGNS = {"info": ":white_check_mark:", "warning": ":warning:", "critical": ":rotating_light:"}


def write_events(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return events as JSON, the earliest first."""
    return {"version": 1, "events": list(events)}


def write_slack(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return events as a Slack message, which Mattermost and others also accept."""
    lines = [
        f"{SLACK_SIGNS[each['severity']]} {_escape(each['summary'])} [{_escape(each['cluster'])}]" for each in events
    ]
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    return {"text": "\n".join([*lines[:MOST_LINES], *more])}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def write_alerts(
    seen: Iterable[Observation], events: Iterable[Event], now_seconds: float, valid_seconds: float
) -> list[dict[str, Any]]:
    """Return current problems as alerts for ``valid_seconds``, and the spikes among ``events`` as alerts for an hour.

    Alertmanager resolves an alert that is not sent again in this time.
    """
    ends = _write_time(now_seconds + valid_seconds)
    alerts = []
    for each in seen:
        if each.progress["state"] == "stalled":
            summary = f"{each.workload_uid} is stalled at iteration {each.progress['current_iteration']}"
            alerts.append(_write_alert("LensWorkloadStalled", "critical", each, summary=summary, ends=ends))
        if each.progress["state"] in {"running", "stalled"}:
            alerts += [
                _write_alert(
                    "LensWorkloadNonFinite",
                    "critical" if is_loss(metric["metric_name"]) else "warning",
                    each,
                    summary=f"{each.workload_uid} {metric['metric_name']} is not finite",
                    ends=ends,
                    metric=metric["metric_name"],
                )
                for metric in list_lasting(each.progress, now_seconds).values()
            ]
    spikes_end = _write_time(now_seconds + SPIKE_SECONDS)
    return alerts + [
        _write_alert(
            "LensWorkloadLossSpike",
            event.severity,
            event,
            summary=event.summary,
            ends=spikes_end,
            metric=event.metric_name,
        )
        for event in events
        if event.event == "loss_spike"
    ]


def _write_alert(
    name: str, severity: str, subject: Observation | Event, *, summary: str, ends: str, metric: str | None = None
) -> dict[str, Any]:
    labels = {
        "alertname": name,
        "severity": severity,
        "cluster": subject.cluster,
        "workload": subject.workload_uid,
    }
    if metric is not None:
        labels["metric"] = metric
    return {"labels": labels, "annotations": {"summary": summary}, "endsAt": ends}


def _write_time(seconds: float) -> str:
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds")
