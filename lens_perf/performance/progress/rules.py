"""The rules that judge a workload's facts by the clock. docs/progress.rst defines every number."""

from dataclasses import asdict
from typing import Any

from lens_perf.performance.progress.facts import ProgressFacts
from lens_perf.performance.progress.metric_names import is_loss

# A workload is given so much more time than it usually takes before it counts as stalled.
SPACING_FACTOR = 10
WAIT_FACTOR = 1.5
LEAST_SILENCE_SECONDS = 60
# One record has no pace: another may take so long.
FIRST_SILENCE_SECONDS = 600
# A stalled workload has ended when it is silent for so much longer still: a night's outage is not the end.
ENDED_FACTOR = 10
LEAST_ENDED_SECONDS = 86_400
# 9999-12-31T23:59:59.999Z in milliseconds since 1970: the last instant of ISO 8601 and of Python's datetime.
LAST_TIMESTAMP = 253_402_300_799_999

TIME_FIELDS = ("seconds_wall", "seconds_lost_to_restarts", "seconds_paused", "seconds_productive", "goodput")
NO_RECORDS: dict[str, Any] = {
    "source": None,
    "state": None,
    "current_iteration": None,
    "target_iteration": None,
    "share_done": None,
    "first_timestamp": None,
    "last_timestamp": None,
    "seconds_per_iteration": None,
    "eta": None,
    "restarts": None,
    "iterations_repeated": None,
    "attempts": [],
    **dict.fromkeys(TIME_FIELDS),
}


def judge_progress(facts: ProgressFacts, now_seconds: float) -> dict[str, Any]:
    """Return the progress of a workload at ``now_seconds`` since 1970; a number that no record gives is None."""
    non_finite = [asdict(metric) for metric in facts.non_finite]
    if facts.current_iteration is None or facts.last_timestamp is None:
        return NO_RECORDS | {"health": judge_health(facts, None), "non_finite": non_finite}
    state = judge_state(facts, now_seconds)
    return {
        "source": facts.source,
        "state": state,
        "health": judge_health(facts, state),
        "current_iteration": facts.current_iteration,
        "target_iteration": facts.target_iteration,
        "share_done": _share_done(facts),
        "first_timestamp": facts.first_timestamp,
        "last_timestamp": facts.last_timestamp,
        "seconds_per_iteration": _describe_pace(facts),
        "eta": _estimate_end(facts, now_seconds) if state == "running" else None,
        "restarts": facts.restarts,
        "attempts": [asdict(attempt) for attempt in facts.attempts],
        "iterations_repeated": facts.iterations_repeated,
        "non_finite": non_finite,
        **_divide_time(facts),
    }


def judge_state(facts: ProgressFacts, now_seconds: float) -> str:
    """Return ``finished``, ``ended``, ``stalled`` or ``running``, by the workload's own pace."""
    if _remaining(facts) == 0:
        return "finished"
    silence = now_seconds - (facts.last_timestamp or 0) / 1000
    patience = measure_patience(facts)
    if silence > max(LEAST_ENDED_SECONDS, ENDED_FACTOR * patience):
        return "ended"
    return "stalled" if silence > patience else "running"


def measure_patience(facts: ProgressFacts) -> float:
    """Return the seconds without a record after which the workload counts as stalled."""
    if facts.spacing_seconds is None:
        return float(FIRST_SILENCE_SECONDS)
    return max(
        float(LEAST_SILENCE_SECONDS), SPACING_FACTOR * facts.spacing_seconds, WAIT_FACTOR * (facts.longest_wait or 0)
    )


def judge_health(facts: ProgressFacts, state: str | None) -> dict[str, Any]:
    """Return whether somebody should look at the workload, and why.

    ``critical``: it is stalled, or a loss is not finite. ``warning``: it ended before its target, or another metric is
    not finite. Else ``ok``. A workload of which nothing is known is ``ok`` unless a metric is not finite.
    """
    critical, warning = [], []
    if state == "stalled":
        critical.append("stalled")
    if any(is_loss(metric.metric_name) for metric in facts.non_finite):
        critical.append("non_finite_loss")
    if any(not is_loss(metric.metric_name) for metric in facts.non_finite):
        warning.append("non_finite_metric")
    if state == "ended" and facts.target_iteration is not None:
        warning.append("ended_before_target")
    status = "critical" if critical else "warning" if warning else "ok"
    return {"status": status, "reasons": critical + warning}


def _remaining(facts: ProgressFacts) -> int | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return max(0, facts.target_iteration - facts.current_iteration)


def _share_done(facts: ProgressFacts) -> float | None:
    if facts.target_iteration is None or facts.current_iteration is None:
        return None
    return min(1.0, max(0.0, facts.current_iteration / facts.target_iteration))


def _describe_pace(facts: ProgressFacts) -> dict[str, Any] | None:
    if facts.pace is None:
        return None
    low, median, high = facts.pace
    return {
        "median": median,
        "low": low,
        "high": high,
        "intervals": facts.intervals,
        "first_iteration": facts.first_recent,
        "last_iteration": facts.last_recent,
    }


def _estimate_end(facts: ProgressFacts, now_seconds: float) -> dict[str, Any] | None:
    """Return when the target will be reached; None if that cannot be known, or lies beyond LAST_TIMESTAMP."""
    remaining = _remaining(facts)
    if remaining is None or facts.pace is None or facts.last_timestamp is None:
        return None
    earliest, expected, latest = (_add_milliseconds(facts.last_timestamp, remaining * pace) for pace in facts.pace)
    if expected is None:
        return None
    return {
        "timestamp": expected,
        "earliest": earliest,
        "latest": latest,
        "seconds": max(0.0, round(expected / 1000 - now_seconds, 3)),
        "basis": f"{remaining:,} iterations at the median pace of {facts.intervals} intervals, "
        f"iterations {facts.first_recent:,} to {facts.last_recent:,}, without restarts and pauses",
    }


def _add_milliseconds(timestamp: int, seconds: float) -> int | None:
    result = timestamp + round(seconds * 1000)
    return result if result <= LAST_TIMESTAMP else None


def _divide_time(facts: ProgressFacts) -> dict[str, float | None]:
    """Return the wall clock and its parts: lost to restarts, paused, and productive, which is the rest."""
    if facts.seconds_wall is None or facts.records == 1:
        return dict.fromkeys(TIME_FIELDS)
    # More cannot have been lost than has passed.
    lost = min(facts.seconds_lost, facts.seconds_wall)
    paused = min(facts.seconds_paused, facts.seconds_wall - lost)
    productive = facts.seconds_wall - lost - paused
    return {
        "seconds_wall": facts.seconds_wall,
        "seconds_lost_to_restarts": lost,
        "seconds_paused": paused,
        "seconds_productive": productive,
        "goodput": productive / facts.seconds_wall if facts.seconds_wall > 0 else None,
    }
